"""In-painted images by group, and what ensembles of augmented networks make of error and equivariance.

Input: summary tables ``examples``, ``ensembles`` and ``errors``. S. Villar's talk has a figure of such images.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emergent.config.symmetry_figures import InpaintingExamples
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "blocks", "side", "image", "pixel", "value", "target", "input")
ENSEMBLES = ("arm", "blocks", "side", "size", "mean", "stderr", "asymmetry", "asymmetry_stderr", "num")

COLORS = (style.GREEN, style.ORANGE, style.PURPLE)
ROUNDING = 1e-5
"""Errors of equivariance below are those of single precision: the group is built in."""


def draw(inputs: Inputs, references: References, entry: InpaintingExamples) -> Drawing:
    """Returns a row of pictures per test image, and below errors and asymmetries by ensemble size.

    Args:
        inputs: holds ``examples`` and ``ensembles``.
        references: not used.
        entry: titles and the arms.

    Raises:
        DataError: a table is missing.
    """
    del references
    examples = require_table(inputs, "examples", COLUMNS)
    ensembles = require_table(inputs, "ensembles", ENSEMBLES)
    arms = {arm.name: arm for arm in inputs.arms()}
    shown = [name for name in entry.options.arms if name in set(examples["arm"])]
    panels = [(name, int(blocks)) for name in shown
              for blocks in sorted(examples.loc[examples["arm"] == name, "blocks"].unique())]  # fmt: skip
    images = sorted(int(image) for image in examples["image"].unique())
    several = ensembles[ensembles["arm"].isin(ensembles.loc[ensembles["size"] > 1, "arm"])]
    figure = style.new_figure(entry.width, 0.85 * len(images) + (2.4 if len(several) else 0.4))
    heights = [0.85 * len(images) + 0.3, *([2.1] if len(several) else [])]
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    grid = parts[0].subplots(len(images), len(panels) + 2, squeeze=False)
    for row, image in zip(grid, images, strict=True):
        own = examples[examples["image"] == image]
        target = _picture(own, *panels[0], "target")
        limits = float(target.min()), float(target.max())
        pictures = [_picture(own, *panels[0], "input"), target, *(_picture(own, *panel, "value") for panel in panels)]
        for axes, picture in zip(row, pictures, strict=True):
            axes.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1])
            axes.set_axis_off()
    titles = ["input", "target", *(_title(arms[name].label, name, blocks, entry) for name, blocks in panels)]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=6)
    if len(several):
        left, right = parts[1].subplots(1, 2)
        _draw_sizes(left, ensembles, several, "mean", "stderr", r"Test error $\times 10^2$")
        _draw_sizes(right, ensembles, several, "asymmetry", "asymmetry_stderr", "Error of equivariance")
        right.set_yscale("log")
        handles = left.get_legend_handles_labels()
        parts[1].legend(*handles, loc="outside lower center", ncols=3)
    facts = {"num_members": span([int(num) for num in ensembles["num"]]),
             "ensemble_sizes": span([int(size) for size in ensembles["size"]])}  # fmt: skip
    return Drawing(figure, stack(pd.concat([ensembles, examples], ignore_index=True), pd.DataFrame()), facts)


def _title(label: str, name: str, blocks: int, entry: InpaintingExamples) -> str:
    first = name == entry.options.arms[0]
    return f"{blocks} $\\times$ {blocks}" if first else f"{label.split()[-1]}\n{blocks} $\\times$ {blocks}"


def _picture(examples: pd.DataFrame, arm: str, blocks: int, what: str) -> np.ndarray:
    rows = examples[(examples["arm"] == arm) & (examples["blocks"] == blocks)].sort_values("pixel")
    side = int(rows["side"].iloc[0])
    return rows[what].to_numpy().reshape(side, side)


def _draw_sizes(axes: Axes, ensembles: pd.DataFrame, several: pd.DataFrame, mean: str, error: str, label: str) -> None:
    """Draws augmented ensembles by size, and networks of the first arm as horizontal lines, those that are not zero."""
    for (arm, blocks), rows in several.groupby(["arm", "blocks"]):
        del arm
        axes.errorbar(rows["size"], rows[mean], yerr=rows[error], color=style.BLUE, marker="o",
                      label=f"augmented, {blocks} blocks a side")  # fmt: skip
    single = ensembles[(ensembles["size"] == 1) & (ensembles["arm"] == ensembles["arm"].iloc[0])].sort_values("blocks")
    for row, color in zip(single.tail(len(COLORS)).to_dict("records"), COLORS, strict=False):
        if row[mean] > ROUNDING:
            words = f"{row['blocks']} blocks a side"
            axes.axhline(row[mean], color=color, linewidth=0.9, linestyle="--", label=words)
    axes.set_xlabel("Networks in the ensemble")
    axes.set_ylabel(label)
    axes.set_xticks(sorted(int(size) for size in several["size"].unique()))
