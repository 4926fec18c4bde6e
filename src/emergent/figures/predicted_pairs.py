"""Predicted against true distances of pairs of point clouds, a panel per arm, and errors of networks and ensembles.

Input: summary tables ``pairs`` and ``distances``. Our own figure.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.symmetry_figures import PredictedPairs
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks
from emergent.figures.drawing import Drawing, References, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

PAIRS = ("experiment", "arm", "ensemble_size", "true", "predicted")
DISTANCES = ("experiment", "arm", "ensemble_size", "metric", "mean", "std", "num")
METRICS = {"mse": "Test MSE", "mse_turned": "Test MSE, turned", "asymmetry": "Error of invariance"}
ROUNDING = 1e-8
"""Errors below are nothing on a logarithmic axis."""


def draw(inputs: Inputs, references: References, entry: PredictedPairs) -> Drawing:
    """Returns a row of panels of pairs, by the largest ensemble of each arm, and below a row of bars of all arms.

    Args:
        inputs: holds ``pairs`` and ``distances``.
        references: not used; published values stand in the table.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    pairs, table = require_table(inputs, "pairs", PAIRS), require_table(inputs, "distances", DISTANCES)
    known = arm_looks(inputs)
    looks = {arm.name: known[arm.name] for arm in inputs.arms_in(table)}
    figure = style.new_figure(entry.width, 4.0)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.05), squeeze=False)[:, 0]
    panels = upper.subplots(1, max(len(looks), 2), sharex=True, sharey=True)
    shown = []
    for panel, (arm, look) in zip(panels, looks.items(), strict=False):
        own = pairs[pairs["arm"] == arm]
        own = own[own["ensemble_size"] == own["ensemble_size"].max()]
        size = int(own["ensemble_size"].iloc[0])
        panel.plot(own["true"], own["predicted"], linestyle="none", marker=".", markersize=2, alpha=0.4,
                   color=look.color, rasterized=True)  # fmt: skip
        ends = [float(pairs["true"].min()), float(pairs["true"].max())]
        panel.plot(ends, ends, color="#555555", linewidth=0.8)
        panel.set_title(f"{look.short}\none network" if size == 1 else f"{look.short}\nensemble of {size}", fontsize=7)
        shown.append(own)
    for panel in panels[len(looks) :]:
        panel.set_axis_off()
    upper.supxlabel("True distance", fontsize=8)
    panels[0].set_ylabel("Predicted distance")
    for axes, (metric, label) in zip(lower.subplots(1, len(METRICS)), METRICS.items(), strict=True):
        _bars(axes, require_rows(table, "distances", metric=metric), looks)
        axes.set_ylabel(label)
        if metric == "asymmetry":
            style.log_decades(axes)
        else:
            axes.set_ylim(bottom=0)
    several = table[table["ensemble_size"] > 1]
    handles = [Line2D([], [], linestyle="none", marker=look.marker, color=look.color, markersize=3.5,
                      label=look.label) for look in looks.values()]  # fmt: skip
    if len(several):
        handles.append(Line2D([], [], linestyle="none", marker="o", color="#555555", markerfacecolor="white",
                              markersize=3.5, label="ensembles"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "ensemble_size": str(int(table["ensemble_size"].max())),
    }
    return Drawing(figure, stack(pd.concat([table, *shown], ignore_index=True), pd.DataFrame()), facts)


def _bars(axes: Axes, table: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
    """Draws one network, filled, and the largest ensemble, open, side by side for every arm."""
    for place, (arm, look) in enumerate(looks.items()):
        own = table[table["arm"] == arm]
        for shift, size in zip((-0.12, 0.12), sorted({1, int(own["ensemble_size"].max())}), strict=False):
            row = own[own["ensemble_size"] == size].iloc[0]
            error = float(row["std"]) / math.sqrt(int(row["num"]))
            mean = max(float(row["mean"]), ROUNDING)
            # A bar that reaches below zero has no lower end on a logarithmic axis.
            spread = [[min(error, 0.9 * mean)], [error]] if np.isfinite(error) else None
            axes.errorbar([place + shift], [mean], yerr=spread, color=look.color, marker=look.marker, linestyle="none",
                          markersize=4, markerfacecolor=look.color if size == 1 else "white")  # fmt: skip
    axes.set_xlim(-0.6, len(looks) - 0.4)
    axes.set_xticks([])
