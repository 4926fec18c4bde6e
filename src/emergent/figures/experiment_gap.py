"""Is the gap between two kinds of arms another one in another experiment? Differences in both, side by side.

Input: summary tables ``significance`` and ``quantities`` of two or more experiments. arXiv:2410.01452, appendix on 5x5
filters; its numbers are not known.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.figure_kinds import ExperimentGap
from emergent.config.stages import ArmFacts
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    nearest_epoch,
    require_rows,
    require_table,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.law import QUANTITY_COLUMNS
from emergent.figures.metrics import panel_title, primary_sets
from emergent.figures.significance import COLUMNS


def draw(inputs: Inputs, references: References, entry: ExperimentGap) -> Drawing:
    """Returns the OSP of the arm compared with minus that of each arm (top) and the floors' differences (bottom).

    Args:
        inputs: holds ``significance`` and ``quantities``, each with a column ``experiment``.
        references: not used: no number was published.
        entry: titles and options; the order of its experiments is that of the markers.

    Raises:
        DataError: a table or its rows are missing, or arms are compared with different ones.
    """
    del references
    table = require_table(inputs, "significance", ("experiment", *COLUMNS))
    quantities = require_table(inputs, "quantities", ("experiment", *QUANTITY_COLUMNS))
    looks, reference = arm_looks(inputs), _reference(inputs, entry.options.arms)
    rows = _gaps(require_rows(table, "significance", metric="osp"), reference.name)
    sets = primary_sets(rows)
    wanted = entry.options.arms or tuple(arm.name for arm in inputs.arms() if arm.compare_to == reference.name)
    rows = rows[rows["data"].isin(list(sets.values())) & rows["arm"].isin(wanted)]
    arms = [arm.name for arm in inputs.arms_in(rows)]
    figure = style.new_figure(entry.width, 4.0)
    grid = figure.subplots(2, len(sets), squeeze=False, height_ratios=(1.3, 1.0))
    epochs, floors = [], []
    for column, (role, data) in enumerate(sets.items()):
        top, bottom = grid[:, column]
        for index, experiment in enumerate(entry.experiments):
            own = require_rows(rows, "significance", experiment=experiment, data=data)
            epochs.append(nearest_epoch(own, "last"))
            own = own[own["epoch"] == epochs[-1]].sort_values("ensemble_size")
            known = quantities[quantities["experiment"] == experiment].set_index("name")
            for place, arm in enumerate(arms):
                face = looks[arm].color if index else "white"
                _draw_gap(top, looks[arm], own[own["arm"] == arm], 1 + 0.08 * index, face)
                name = f"floor_difference/{arm}/{data}"
                if name in known.index:
                    value, error = (float(known.at[name, key]) for key in ("value", "stderr"))
                    shift = 0.2 * (index - (len(entry.experiments) - 1) / 2)
                    bottom.errorbar([place + shift], [value], yerr=[error], color=looks[arm].color, markersize=4.0,
                                    marker=looks[arm].marker, markerfacecolor=face)  # fmt: skip
                    floors.append({"experiment": experiment, "arm": arm, "data": data, "metric": "floor_difference",
                                   "difference": value, "pool_stderr": error})  # fmt: skip
        top.set_title(panel_title(inputs.data_name(data), role))
        top.set_xlabel("Ensemble members")
        style.log_axis(top, sorted({int(size) for size in rows["ensemble_size"]}))
        bottom.set_xticks(range(len(arms)), [looks[arm].label for arm in arms])
        bottom.set_xlim(-0.6, len(arms) - 0.4)
        for axes in (top, bottom):
            axes.axhline(0.0, color="black", linewidth=0.8, zorder=1.5)
    grid[0, 0].set_ylabel(f"OSP, {looks[reference.name].label} minus arm")
    grid[1, 0].set_ylabel(f"floor of the squared gap\n/ slope, arm minus {looks[reference.name].short}")
    handles = _legend([inputs.experiment(name).label for name in entry.experiments], [looks[arm] for arm in arms])
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "epoch": listed(list(dict.fromkeys(epochs))),
        "data": inputs.data_names(list(sets.values())),
    }
    return Drawing(figure, stack(pd.concat([rows, pd.DataFrame(floors)], ignore_index=True), pd.DataFrame()), facts)


def _reference(inputs: Inputs, wanted: tuple[str, ...]) -> ArmFacts:
    """Returns the arm that the others (or those wanted) are compared with."""
    arms = {arm.name: arm for arm in inputs.arms()}
    names = {arm.compare_to for arm in arms.values() if arm.compare_to and (not wanted or arm.name in wanted)}
    if len(names) != 1 or not names <= set(arms):
        raise DataError(
            f"this plot needs arms that are all compared with one other arm (compare_to); found: "
            f"{', '.join(sorted(names)) or 'none'}."
        )
    return arms[names.pop()]


def _gaps(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Returns the pairs with the reference arm, turned so that ``difference`` is its value minus that of ``arm``."""
    first = table[table["arm"] == reference]
    second = table[table["other"] == reference]
    parts = [first.assign(arm=first["other"], other=reference),
             second.assign(difference=-second["difference"], pool_z=-second["pool_z"])]  # fmt: skip
    turned = pd.concat(parts, ignore_index=True)
    turned = turned.drop_duplicates(["experiment", "arm", "data", "epoch", "metric", "ensemble_size"])
    return turned.assign(difference=lambda t: t["difference"].astype(np.float64))


def _draw_gap(axes: Axes, look: ArmLook, rows: pd.DataFrame, shift: float, face: str) -> None:
    axes.errorbar(rows["ensemble_size"] * shift, rows["difference"], yerr=rows["pool_stderr"], linewidth=1.0,
                  color=look.color, marker=look.marker, markersize=4.0, markerfacecolor=face, linestyle=look.line,
                  elinewidth=0.8)  # fmt: skip


def _legend(experiments: list[str], looks: list[ArmLook]) -> list[Line2D]:
    handles = [
        Line2D([], [], color="#555555", linestyle="none", marker="o", markerfacecolor="#555555" if index else "white",
               markersize=4, label=label)
        for index, label in enumerate(experiments)
    ]  # fmt: skip
    return handles + [
        Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker, markersize=3.5, label=look.label)
        for look in looks
    ]
