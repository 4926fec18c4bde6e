"""Scores and errors of equivariance on rotated images against the number of training images, with ensembles.

Input: summary table ``scores``. arXiv:2202.03990 shows scores by the number of training images.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.sphere_figures import ScoreByCopies
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "task", "family", "copies", "num_images", "ensemble_size", "metric", "mean", "stderr", "num")
TITLES = {"classify": "Classes of Images", "segment": "Classes of Points"}
LABELS = {
    ("classify", "score"): "Accuracy (%)",
    ("segment", "score"): "mIoU without Background (%)",
    ("classify", "moved"): "Change under Rotations",
    ("segment", "moved"): "Change under Rotations",
}
S2CNN, NOT_ROTATED = style.RED, "#777777"


def draw(inputs: Inputs, references: References, entry: ScoreByCopies) -> Drawing:
    """Returns scores above and relative changes of logits below, a column for each task.

    Args:
        inputs: holds ``scores`` of one experiment.
        references: not used.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del references
    scores = require_table(inputs, "scores", COLUMNS)
    tasks = [task for task in TITLES if task in set(scores["task"])]
    sizes = sorted({int(size) for size in scores["ensemble_size"]})
    colors: dict[int, str] = dict(zip(sizes, (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE), strict=False))
    figure = style.new_figure(entry.width, 4.2)
    panels: Any = figure.subplots(2, len(tasks), squeeze=False, sharex="col")
    for column, task in enumerate(tasks):
        for row, metric in enumerate(("score", "moved")):
            own = require_rows(scores, "scores", task=task, metric=metric)
            _draw_panel(panels[row, column], own, colors)
            panels[row, column].set_ylabel(LABELS[task, metric])
        panels[0, column].set_title(TITLES[task])
        panels[1, column].set_xlabel("Training Images, Copies Included")
        panels[1, column].set_yscale("log")
    drawn = {int(size) for size in scores.loc[scores["family"] == "cnn", "ensemble_size"]}
    handles: list[Line2D] = []
    if "s2cnn" in set(scores["family"]):
        handles.append(Line2D([], [], color=S2CNN, label="S2CNN, not rotated in training"))
    handles += [Line2D([], [], color=colors[size], marker="o", label="CNN, rotated copies" if size == 1 else
                       f"ensembles of {size}") for size in sizes if size in drawn]  # fmt: skip
    if ((scores["family"] == "cnn") & (scores["copies"] == 0)).any():
        still = Line2D([], [], color=NOT_ROTATED, marker="D", linestyle="none", markerfacecolor="white")
        still.set_label("the same, not rotated")
        handles.append(still)
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    facts = {
        "num_members": span([int(num) for num in scores.loc[scores["ensemble_size"] == 1, "num"]]),
        "ensemble_sizes": listed(sizes),
        "sizes": listed(sorted({int(num) for num in scores["num_images"]})),
    }
    return Drawing(figure, stack(scores, pd.DataFrame()), facts)


def _draw_panel(panel: Axes, rows: pd.DataFrame, colors: dict[int, str]) -> None:
    single = rows[(rows["family"] == "s2cnn") & (rows["ensemble_size"] == 1)]
    for row in single.to_dict("records"):
        panel.axhline(row["mean"], color=S2CNN, linewidth=1.1)
        panel.axhspan(row["mean"] - row["stderr"], row["mean"] + row["stderr"], color=S2CNN, alpha=0.15, linewidth=0)
    planar = rows[rows["family"] == "cnn"]
    for index, (size, part) in enumerate(planar.groupby("ensemble_size")):
        beside, color = 1.03**index, colors[int(str(size))]
        turned = part[part["copies"] > 0].sort_values("num_images")
        panel.errorbar(turned["num_images"] * beside, turned["mean"], yerr=turned["stderr"], color=color, marker="o")
        still = part[part["copies"] == 0]
        panel.errorbar(still["num_images"] * beside, still["mean"], yerr=still["stderr"], color=color, marker="D",
                       linestyle="none", markerfacecolor="white")  # fmt: skip
    known = sorted({float(num) for num in planar["num_images"]})
    style.log_axis(panel, known)
    panel.set_xlim(known[0] / 1.4, known[-1] * 1.4)
