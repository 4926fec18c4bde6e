"""Errors of rollouts against time, a panel per family; below, angular momentum, and equivariance by ensemble size.

Input: summary tables ``errors_by_time`` and ``rollouts``. The released code of arXiv:2104.09459 draws both errors.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.dynamics_figures import ErrorOverTime
from emergent.figures import style
from emergent.figures.arms import ArmLook, legend_handles
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs
from emergent.figures.motion import FAMILIES, FAMILY_MARKERS, families_in, method_looks

TIMES = ("arm", "family", "method", "ensemble_size", "time", "mean", "low", "high")
ROLLOUTS = ("arm", "family", "method", "ensemble_size", "metric", "mean", "std", "num")


def draw(inputs: Inputs, references: References, entry: ErrorOverTime) -> Drawing:
    """Returns two panels of errors against time, one of angular momentum and one of ensembles.

    Args:
        inputs: holds ``errors_by_time`` and ``rollouts``.
        references: not used; no digits of these figures are published.
        entry: titles.

    Raises:
        DataError: a table, or the rows of a panel, are missing.
    """
    del references
    times = require_table(inputs, "errors_by_time", TIMES)
    rollouts = require_table(inputs, "rollouts", ROLLOUTS)
    looks, families = method_looks(inputs, rollouts), families_in(times)
    largest = int(times["ensemble_size"].max())
    figure = style.new_figure(entry.width, 4.8)
    grid = figure.subplots(2, 2, squeeze=False)
    for panel, family in zip(grid[0], families, strict=False):
        _draw_times(panel, require_rows(times, "errors_by_time", family=family), looks)
        panel.set_title(FAMILIES[family])
    for panel in grid[0][len(families) :]:
        panel.set_axis_off()
    grid[0][0].set_ylabel("Relative Error")
    if len(families) == 2:
        grid[0][1].sharey(grid[0][0])
    _draw_momentum(grid[1][0], require_rows(rollouts, "rollouts", metric="momentum_error", ensemble_size=1), looks)
    _draw_ensembles(grid[1][1], require_rows(rollouts, "rollouts", metric="equivariance_error"), looks)
    handles = legend_handles(list(looks.values()), markers=False)
    if largest > 1:
        handles.append(Line2D([], [], color="0.4", linestyle=":", label=f"ensemble of {largest}"))
    handles += [Line2D([], [], color="0.4", linestyle="none", marker=FAMILY_MARKERS[family], markersize=4,
                       label=FAMILIES[family]) for family in families]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    facts = {
        "num_members": span([int(num) for num in rollouts["num"]]),
        "arms": listed(list(looks)),
        "ensemble_size": str(largest),
    }
    return Drawing(figure, stack(pd.concat([times, rollouts], ignore_index=True), pd.DataFrame()), facts)


def _draw_times(panel: Axes, rows: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
    """Draws geometric means over trials, with the range over trials; the largest ensembles dotted."""
    for (method, size), part in rows.groupby(["method", "ensemble_size"], sort=False):
        if size not in (1, part_largest(rows, str(method))):
            continue
        look, seen = looks[str(method)], part[part["time"] > 0].sort_values("time")
        panel.plot(seen["time"], seen["mean"], color=look.color, linestyle="-" if size == 1 else ":", linewidth=1.0)
        if size == 1:
            panel.fill_between(seen["time"], seen["low"], seen["high"], color=look.color, alpha=0.15, linewidth=0)
    panel.set_xlabel("Time")
    style.log_decades(panel)


def part_largest(rows: pd.DataFrame, method: str) -> int:
    """Returns the largest ensembles of a way to learn."""
    return int(rows[rows["method"] == method]["ensemble_size"].max())


def _bars(part: pd.DataFrame) -> list[pd.Series]:
    errors = (part["std"] / part["num"].pow(0.5)).where(part["num"] > 1)
    # A bar that reaches below zero has no lower end on a logarithmic axis.
    return [errors.where(errors < part["mean"], 0.9 * part["mean"]), errors]


def _draw_momentum(panel: Axes, rows: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
    places = {method: place for place, method in enumerate(looks)}
    for family, part in rows.groupby("family", sort=False):
        shift = 0.15 if family == "neural_ode" else -0.15
        for method, own in part.groupby("method", sort=False):
            panel.errorbar([places[str(method)] + shift], own["mean"], yerr=_bars(own), linestyle="none",
                           color=looks[str(method)].color, marker=FAMILY_MARKERS[str(family)],
                           elinewidth=0.8)  # fmt: skip
    panel.set_xticks(list(places.values()), list(places), rotation=25, ha="right", rotation_mode="anchor")
    panel.set_xlim(-0.6, len(places) - 0.4)
    panel.set_ylabel("Change of Angular Momentum")
    style.log_decades(panel)


def _draw_ensembles(panel: Axes, rows: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
    several = [method for method in looks if part_largest(rows, method) > 1]
    shown = rows[rows["method"].isin(several)]
    for (family, method), part in shown.groupby(["family", "method"], sort=False):
        seen = part.sort_values("ensemble_size")
        panel.errorbar(seen["ensemble_size"], seen["mean"], yerr=_bars(seen), color=looks[str(method)].color,
                       marker=FAMILY_MARKERS[str(family)], linestyle="-", elinewidth=0.8)  # fmt: skip
    single = rows[~rows["method"].isin(several)]
    seen_low = shown["mean"].min() if len(shown) else 0.0
    for row in single[single["mean"] > 1e-2 * seen_low].to_dict("records"):
        panel.axhline(row["mean"], color=looks[str(row["method"])].color, linewidth=0.8,
                      linestyle={"hamiltonian": "-", "neural_ode": "--"}[str(row["family"])])  # fmt: skip
    sizes = sorted({int(size) for size in shown["ensemble_size"]})
    panel.set_xlabel("Networks in Ensemble")
    panel.set_ylabel("Equivariance Error")
    if sizes:
        panel.set_xticks(sizes)
    style.log_decades(panel)
