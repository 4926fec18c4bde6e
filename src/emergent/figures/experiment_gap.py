"""Does the gap between symmetric and asymmetric filters grow from 3x3 to 5x5? Differences in invariance, both sizes.

Input: summary tables ``significance`` and ``quantities`` of two experiments, the smaller filters first.
arXiv:2410.01452, appendix on 5x5 filters; its numbers are not known.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.figures import DivergenceFigure
from emergent.figures import style
from emergent.figures.divergence import arm_style, arms_of, panel_title, primary_sets
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    listed,
    nearest_epoch,
    require_rows,
    require_table,
    stack,
)
from emergent.figures.law import QUANTITY_COLUMNS
from emergent.figures.significance import COLUMNS

REFERENCE = "sym"


def draw(tables: Tables, references: References, entry: DivergenceFigure) -> Drawing:
    """Returns the OSP of sym minus that of each asymmetric arm (top) and the floors' differences (bottom).

    Args:
        tables: holds ``significance`` and ``quantities``, each with a column ``experiment``.
        references: not used: no number was published.
        entry: titles; the order of its experiments is that of the markers.

    Raises:
        DataError: a table or its rows are missing.
    """
    del references
    table = require_table(tables, "significance", ("experiment", *COLUMNS))
    quantities = require_table(tables, "quantities", ("experiment", *QUANTITY_COLUMNS))
    rows = _gaps(require_rows(table, "significance", metric="osp"))
    sets = primary_sets(rows)
    rows = rows[rows["data"].isin(list(sets.values()))]
    arms = [arm for arm in arms_of(rows) if arm.startswith("asym")]
    figure = style.new_figure(entry.width, 4.0)
    grid = figure.subplots(2, len(sets), squeeze=False, height_ratios=(1.3, 1.0))
    epochs, floors = [], []
    for column, (role, data) in enumerate(sets.items()):
        top, bottom = grid[:, column]
        for index, experiment in enumerate(entry.experiments):
            own = require_rows(rows, "significance", experiment=experiment, data=data)
            epochs.append(nearest_epoch(own, "last"))
            own = own[own["epoch"] == epochs[-1]].sort_values("ensemble_size")
            values = quantities[quantities["experiment"] == experiment].set_index("name")
            for place, arm in enumerate(arms):
                look, part = arm_style(arm), own[own["arm"] == arm]
                face = {"color": look.color, "markerfacecolor": look.color if index else "white", "markersize": 4.0}
                top.errorbar(part["ensemble_size"] * (1 + 0.08 * index), part["difference"], linewidth=1.0,
                             yerr=part["pool_stderr"], marker=look.marker, linestyle=look.line, elinewidth=0.8,
                             **face)  # fmt: skip
                name = f"floor_difference/{arm}/{data}"
                if name in values.index:
                    value, error = (float(values.at[name, key]) for key in ("value", "stderr"))
                    bottom.errorbar([place + 0.2 * index - 0.1], [value], yerr=[error], marker=look.marker, **face)
                    floors.append({"experiment": experiment, "arm": arm, "data": data, "metric": "floor_difference",
                                   "difference": value, "pool_stderr": error})  # fmt: skip
        top.set_title(panel_title(data, role))
        top.set_xlabel("Ensemble members")
        style.log_axis(top, sorted({int(size) for size in rows["ensemble_size"]}))
        bottom.set_xticks(range(len(arms)), [arm_style(arm).label for arm in arms])
        bottom.set_xlim(-0.6, len(arms) - 0.4)
        for axes in (top, bottom):
            axes.axhline(0.0, color="black", linewidth=0.8, zorder=1.5)
    grid[0, 0].set_ylabel(r"OSP, $\mathcal{L}^{\mathrm{sym}}$ minus arm")
    grid[1, 0].set_ylabel("floor of the squared gap\n/ slope, arm minus sym")
    handles = [
        Line2D([], [], color="#555555", linestyle="none", marker="o", markerfacecolor="#555555" if index else "white",
               markersize=4, label=f"filters {'5x5' if name.endswith('5x5') else '3x3'}")
        for index, name in enumerate(entry.experiments)
    ]  # fmt: skip
    handles += [Line2D([], [], color=arm_style(arm).color, linestyle=arm_style(arm).line, marker=arm_style(arm).marker,
                       markersize=3.5, label=arm_style(arm).label) for arm in arms]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "epoch": listed(list(dict.fromkeys(epochs))),
        "data": listed([style.data_name(data) for data in sets.values()]),
    }
    return Drawing(figure, stack(pd.concat([rows, pd.DataFrame(floors)], ignore_index=True), pd.DataFrame()), facts)


def _gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the pairs that hold ``sym``, turned so that ``difference`` is sym minus the arm in column ``arm``."""
    first = table[table["arm"] == REFERENCE]
    second = table[table["other"] == REFERENCE]
    parts = [first.assign(arm=first["other"], other=REFERENCE),
             second.assign(difference=-second["difference"], pool_z=-second["pool_z"])]  # fmt: skip
    turned = pd.concat(parts, ignore_index=True)
    turned = turned.drop_duplicates(["experiment", "arm", "data", "epoch", "metric", "ensemble_size"])
    return turned.assign(difference=lambda t: t["difference"].astype(np.float64))
