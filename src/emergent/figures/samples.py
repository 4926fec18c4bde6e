"""Samples of an evaluation set, three in a row, each stretched to its own range or cut off as a display does.

Input: summary array ``ood_samples`` [S, H, W, C]. arXiv:2406.06504, figure of out-of-distribution samples;
arXiv:2403.03103, three of them.
"""

import numpy as np
import pandas as pd
from matplotlib.layout_engine import ConstrainedLayoutEngine

from emergent.config.figure_kinds import Samples
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_array, stack
from emergent.figures.facts import Inputs

COLUMNS = 3


def draw(inputs: Inputs, references: References, entry: Samples) -> Drawing:
    """Returns the grid of pictures.

    Args:
        inputs: holds the array ``ood_samples`` [S, H, W, C], C = 1 or 3.
        references: not used; samples are random.
        entry: titles and options.

    Raises:
        DataError: the array is missing, has another shape, or fewer samples than are to be shown.
    """
    samples, num = require_array(inputs, "ood_samples"), entry.options.num
    if samples.ndim != 4 or samples.shape[0] < num or samples.shape[-1] not in (1, 3):
        raise DataError(f"array 'ood_samples' must have shape [{num}, H, W, 1 or 3]; found {samples.shape}.")
    samples = samples[:num]
    if entry.options.limits is None:
        low, high = (reduce(samples, axis=(1, 2, 3), keepdims=True) for reduce in (np.min, np.max))
    else:
        low, high = (np.float32(limit) for limit in entry.options.limits)
    tiles = np.clip((samples - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    columns = min(COLUMNS, num)
    rows = -(-num // columns)
    width = style.WIDTHS[entry.width]
    figure = style.new_figure(entry.width, width * rows / columns)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0))
    grid = figure.subplots(rows, columns, squeeze=False)
    for panel in grid.flat:
        panel.set_axis_off()
    for panel, tile in zip(grid.flat, tiles, strict=False):
        panel.imshow(tile.squeeze(-1) if tile.shape[-1] == 1 else tile, cmap="gray", vmin=0, vmax=1)
    index = np.indices(samples.shape).reshape(4, -1)
    places = dict(zip(("sample", "row", "column", "channel"), index, strict=True))
    return Drawing(figure, stack(pd.DataFrame({**places, "value": samples.reshape(-1)}), pd.DataFrame()), {})
