"""Images on the sphere as grids: not rotated and rotated, their masks, and masks that networks predict.

Input: summary table ``examples``.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent.config.sphere_figures import ProjectedMasks
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "example", "row", "column", "upright", "rotated", "target", "prediction")
LABELS = "tab20"
BACKGROUND = 0


def draw(inputs: Inputs, references: References, entry: ProjectedMasks) -> Drawing:
    """Returns a row of grids for each test image.

    Args:
        inputs: holds ``examples``.
        references: not used.
        entry: titles and the arms.

    Raises:
        DataError: the table is missing.
    """
    del references
    examples = require_table(inputs, "examples", COLUMNS)
    labels = {arm.name: arm.label for arm in inputs.arms()}
    arms = [name for name in entry.options.arms if name in set(examples["arm"])] or [str(examples["arm"].iloc[0])]
    shown = sorted(int(number) for number in examples["example"].unique())
    columns = [("image", arms[0], "upright"), ("rotated", arms[0], "rotated"), ("mask", arms[0], "target")]
    columns += [(labels[arm], arm, "prediction") for arm in arms]
    figure = style.new_figure(entry.width, 0.25 + 1.25 * len(shown) * 5 / len(columns))
    grid: Any = figure.subplots(len(shown), len(columns), squeeze=False)
    for row, number in zip(grid, shown, strict=True):
        own = examples[examples["example"] == number]
        for axes, (title, arm, what) in zip(row, columns, strict=True):
            picture = _picture(own[own["arm"] == arm], what)
            if what in ("upright", "rotated"):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
            else:
                hidden = np.ma.masked_equal(picture, BACKGROUND)
                axes.imshow(np.zeros_like(picture), cmap="gray", vmin=0, vmax=1)
                axes.imshow(hidden, cmap=LABELS, vmin=1, vmax=20, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            if number == shown[0]:
                axes.set_title(title, fontsize=7)
    return Drawing(figure, stack(examples[examples["arm"].isin(arms)], pd.DataFrame()), {})


def _picture(rows: pd.DataFrame, what: str) -> np.ndarray:
    ordered = rows.sort_values(["row", "column"])
    return ordered[what].to_numpy().reshape(int(rows["row"].max()) + 1, -1)
