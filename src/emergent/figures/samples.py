"""Nine samples of an evaluation set in a 3 x 3 grid, each stretched to its own minimum and maximum.

Input: summary array ``ood_samples`` [9, H, W, C]. arXiv:2406.06504, figure of out-of-distribution samples.
"""

import numpy as np
import pandas as pd
from matplotlib.layout_engine import ConstrainedLayoutEngine

from emergent.config.figure_kinds import Samples
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_array, stack
from emergent.figures.facts import Inputs


def draw(inputs: Inputs, references: References, entry: Samples) -> Drawing:
    """Returns the grid of pictures.

    Args:
        inputs: holds the array ``ood_samples`` [9, H, W, C], C = 1 or 3.
        references: not used; samples are random.
        entry: titles.

    Raises:
        DataError: the array is missing or has another shape.
    """
    samples = require_array(inputs, "ood_samples")
    if samples.ndim != 4 or samples.shape[0] != 9 or samples.shape[-1] not in (1, 3):
        raise DataError(f"array 'ood_samples' must have shape [9, H, W, 1 or 3]; found {samples.shape}.")
    low, high = (reduce(samples, axis=(1, 2, 3), keepdims=True) for reduce in (np.min, np.max))
    tiles = (samples - low) / np.where(high > low, high - low, 1.0)
    figure = style.new_figure(entry.width, style.WIDTHS[entry.width])
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0))
    for panel, tile in zip(figure.subplots(3, 3).flat, tiles, strict=True):
        panel.imshow(tile.squeeze(-1) if tile.shape[-1] == 1 else tile, cmap="gray", vmin=0, vmax=1)
        panel.set_axis_off()
    index = np.indices(samples.shape).reshape(4, -1)
    columns = dict(zip(("sample", "row", "column", "channel"), index, strict=True))
    return Drawing(figure, stack(pd.DataFrame({**columns, "value": samples.reshape(-1)}), pd.DataFrame()), {})
