"""Distances of samples before and after they were moved, as boxes; part of figures.

Input: summary table ``attacked``.
"""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from emergent.figures import style
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "networks", "space", "trial", "sample", "distance", "reached")
START, DATA, LATENT, CONTROL = "#7a7a7a", style.ORANGE, style.BLUE, style.GREEN


class Box(NamedTuple):
    """One box.

    Attributes:
        arm: name.
        networks: of what is attacked.
        space: ``start``, ``x`` or ``z``.
        color: of the box.
        word: below it.
    """

    arm: str
    networks: int
    space: str
    color: str
    word: str


def boxes_of(inputs: Inputs, table: pd.DataFrame) -> list[Box]:
    """Returns the boxes from left to right; in data space all arms are alike, so that one is drawn."""
    arms = inputs.arms_in(table)
    main = arms[0]
    sizes = sorted({int(size) for size in table["networks"]} - {0})
    boxes = [Box(main.name, 0, "start", START, "before")]
    boxes += [Box(main.name, size, "x", DATA, f"X\n{size}") for size in sizes]
    boxes += [Box(main.name, size, "z", LATENT, f"Z\n{size}") for size in sizes]
    return boxes + [Box(arm.name, size, "z", CONTROL, f"lin.\n{size}") for arm in arms[1:] for size in sizes]


def draw_boxes(panel: Axes, table: pd.DataFrame, boxes: list[Box]) -> None:
    """Draws a box for each: quartiles, median, whiskers to the last sample within 1.5 times their distance.

    Samples that do not reach the target are left out.
    """
    for place, box in enumerate(boxes):
        rows = table[(table["arm"] == box.arm) & (table["networks"] == box.networks) & (table["space"] == box.space)]
        rows = rows[rows["reached"] == 1]
        line: dict[str, Any] = {"color": box.color, "linewidth": 0.9}
        face = box.color if box.networks <= 1 else "white"
        panel.boxplot(
            [rows["distance"].to_numpy()], positions=[place], widths=0.6, patch_artist=True, manage_ticks=False,
            boxprops={"facecolor": face, "edgecolor": box.color, "alpha": 0.55 if box.networks <= 1 else 1.0},
            medianprops={"color": "black", "linewidth": 1.1}, whiskerprops=line, capprops=line,
            flierprops={"marker": ".", "markersize": 2.0, "markeredgecolor": box.color},
        )  # fmt: skip
    panel.set_xticks(range(len(boxes)), [box.word for box in boxes])
    panel.set_xlim(-0.6, len(boxes) - 0.4)
    panel.set_ylim(bottom=0)
    panel.grid(visible=False, axis="x")


def sizes_of(table: pd.DataFrame) -> list[int]:
    """Returns how many networks are attacked, ascending."""
    return sorted({int(size) for size in table["networks"]} - {0})
