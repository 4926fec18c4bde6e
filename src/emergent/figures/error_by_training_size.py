"""Test errors and equivariance errors against the size of the training set, a column per function that is learnt.

Input: summary table ``efficiency`` of one or several experiments. arXiv:2104.09459 and arXiv:2106.06610 have figures of
this form, of test errors.
"""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.data_efficiency_figures import ErrorByTrainingSize
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks, legend_handles
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs

COLUMNS = ("experiment", "arm", "size", "ensemble_size", "metric", "mean", "std", "num")
METRICS = {"mse": "Test MSE", "equivariance_error": "Equivariance Error"}


def draw(inputs: Inputs, references: References, entry: ErrorByTrainingSize) -> Drawing:
    """Returns two rows of panels: means over trials with bars of one standard error, ensembles with open markers.

    Args:
        inputs: holds ``efficiency``.
        references: published values; series of the metrics, of an experiment and an arm, are drawn in the arm's marker.
        entry: titles.

    Raises:
        DataError: the table, or the rows of a panel, are missing.
    """
    table = require_table(inputs, "efficiency", COLUMNS)
    known = arm_looks(inputs)
    looks = {arm.name: known[arm.name]._replace(line="-") for arm in inputs.arms_in(table)}
    largest = int(table["ensemble_size"].max())
    published = {metric: published_table(references, metric) for metric in METRICS}
    figure = style.new_figure(entry.width, 4.6)
    grid = figure.subplots(len(METRICS), len(inputs.facts), sharex=True, squeeze=False)
    for row, (metric, label) in zip(grid, METRICS.items(), strict=True):
        row[0].set_ylabel(label)
        for panel, facts in zip(row, inputs.facts, strict=True):
            own = require_rows(table, "efficiency", experiment=facts.experiment, metric=metric)
            for arm, look in looks.items():
                _draw_arm(panel, own[own["arm"] == arm], look)
            theirs = published[metric]
            if len(theirs):
                _draw_published(panel, theirs[theirs["experiment"] == facts.experiment], looks)
            panel.set_xscale("log")
            style.log_decades(panel)
    for panel, facts in zip(grid[0], inputs.facts, strict=True):
        panel.set_title(facts.label)
    for panel in grid[-1]:
        panel.set_xlabel("Training Samples")
    handles = legend_handles(list(looks.values()))
    for look in (looks[str(arm)] for arm in dict.fromkeys(table["arm"][table["ensemble_size"] > 1])):
        handles.append(Line2D([], [], color=look.color, linestyle=":", marker=look.marker, markersize=3.5,
                              markerfacecolor="white", label=f"{look.label}, ensemble of {largest}"))  # fmt: skip
    if any(map(len, published.values())):
        handles.append(style.published_handle())
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "sizes": span([int(size) for size in table["size"]]),
        "arms": listed([look.label for look in looks.values()]),
        "ensemble_size": str(largest),
    }
    shown = table[table["ensemble_size"].isin([1, largest])]
    theirs = [part.assign(metric=metric) for metric, part in published.items() if len(part)]
    return Drawing(figure, stack(shown, pd.concat(theirs) if theirs else pd.DataFrame()), facts)


def _draw_arm(panel: Axes, rows: pd.DataFrame, look: ArmLook) -> None:
    """Draws networks with full lines, and the largest ensembles, if there are some, dotted."""
    if rows.empty:
        return
    largest = int(rows["ensemble_size"].max())
    for size in dict.fromkeys((1, largest)):
        part = rows[rows["ensemble_size"] == size].sort_values("size")
        errors = (part["std"] / part["num"].map(math.sqrt)).where(part["num"] > 1)
        # A bar that reaches below zero has no lower end on a logarithmic axis.
        low = errors.where(errors < part["mean"], 0.9 * part["mean"])
        panel.errorbar(part["size"], part["mean"], yerr=[low, errors], color=look.color, marker=look.marker,
                       linestyle="-" if size == 1 else ":", elinewidth=0.8,
                       markerfacecolor=look.color if size == 1 else "white")  # fmt: skip


def _draw_published(panel: Axes, rows: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
    for arm, part in rows.groupby("arm"):
        seen = part.dropna(subset="mean")
        if arm in looks:
            style.published(panel, seen["size"], seen["mean"], looks[str(arm)].marker)
