"""Images before and after they are moved to another class, in data and in latent space; distances and transfer.

Input: summary tables ``attacked``, ``attack_means`` and ``shown``. arXiv:2206.05075 shows such images; no numbers are
known.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emergent.config.counterfactual_figures import AttackPictures
from emergent.figures import style
from emergent.figures.attack_boxes import COLUMNS, Box, boxes_of, draw_boxes, sizes_of
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

SHOWN = ("arm", "networks", "space", "sample", "coordinate", "value")
MEANS = ("arm", "networks", "space", "metric", "mean", "stderr", "num")
ROW = 0.62
"""Height of a row of images, in inches."""


def draw(inputs: Inputs, references: References, entry: AttackPictures) -> Drawing:
    """Returns rows of images with their differences, and below boxes of distances and bars of transfer.

    Args:
        inputs: holds ``attacked``, ``attack_means`` and ``shown``.
        references: not used: no numbers are published.
        entry: titles and the number of images.

    Raises:
        DataError: a table is missing.
    """
    del references
    table, means = require_table(inputs, "attacked", COLUMNS), require_table(inputs, "attack_means", MEANS)
    shown = require_table(inputs, "shown", SHOWN)
    boxes = boxes_of(inputs, table)
    own = require_rows(shown, "shown", arm=boxes[0].arm)
    samples = sorted({int(sample) for sample in own["sample"]})[: entry.options.images]
    sizes = sizes_of(table)
    figure = style.new_figure(entry.width, ROW * len(samples) + 2.75)
    parts: Any = figure.subfigures(2, 1, height_ratios=(ROW * len(samples) + 0.3, 2.35))
    top, bottom = parts
    columns = [("before", 0, "start", False)]
    for space in ("x", "z"):
        for size in sizes:
            words = f"{space.upper()}, {size} network{'s' if size > 1 else ''}"
            columns += [(words, size, space, False), ("difference", size, space, True)]
    grid: Any = top.subplots(len(samples), len(columns), squeeze=False)
    for row, sample in zip(grid, samples, strict=True):
        before = _picture(own, 0, "start", sample)
        for axes, (_, size, space, difference) in zip(row, columns, strict=True):
            picture = before if space == "start" else _picture(own, size, space, sample)
            if difference:
                axes.imshow(picture - before, cmap="RdBu_r", vmin=-1, vmax=1)
            else:
                axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
    for axes, (words, *_) in zip(grid[0], columns, strict=True):
        axes.set_title(words, fontsize=6)
    left, right = bottom.subplots(1, 2)
    draw_boxes(left, table, boxes)
    left.set(ylabel="Distance to Target Class", xlabel="Space and Number of Networks Attacked")
    left.axhline(1.0, color="#555555", linestyle=":", linewidth=0.9)
    _draw_transfer(right, means, boxes)
    facts = {
        "num_members": span([facts.num_members for facts in inputs.facts]),
        "ensemble_size": span(sizes[1:]),
        "data": listed([facts.label for facts in inputs.facts]),
    }
    drawn = own[own["sample"].isin(samples)]
    return Drawing(figure, stack(pd.concat([table, means, drawn], ignore_index=True), pd.DataFrame()), facts)


def _picture(shown: pd.DataFrame, size: int, space: str, sample: int) -> np.ndarray:
    rows = shown[(shown["networks"] == size) & (shown["space"] == space) & (shown["sample"] == sample)]
    values = rows.sort_values("coordinate")["value"].to_numpy()
    side = math.isqrt(len(values))
    return values.reshape(side, side)


def _draw_transfer(panel: Axes, means: pd.DataFrame, boxes: list[Box]) -> None:
    for place, box in enumerate(boxes):
        rows = means[(means["arm"] == box.arm) & (means["networks"] == box.networks) & (means["space"] == box.space)]
        row = require_rows(rows, "attack_means", metric="transfer").iloc[0]
        panel.errorbar([place], [100 * row["mean"]], yerr=[100 * row["stderr"]], color=box.color, marker="o",
                       markerfacecolor=box.color if box.networks <= 1 else "white", linestyle="none")  # fmt: skip
    panel.set_xticks(range(len(boxes)), [box.word for box in boxes])
    panel.set_xlim(-0.6, len(boxes) - 0.4)
    panel.set_ylim(-5, 105)
    panel.grid(visible=False, axis="x")
    panel.set(ylabel="Judges That See the Target / %", xlabel="Space and Number of Networks Attacked")
