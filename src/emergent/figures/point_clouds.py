"""Point clouds: orbit same prediction and divergence against ensemble size, as a figure and as a table.

Input: summary table ``ensembles``. arXiv:2410.01452, point-cloud experiment; its values are not known.
"""

import math

import pandas as pd
from matplotlib.ticker import MaxNLocator

from emergent.config.figures import PointCloudFigure, PointCloudTable
from emergent.figures import style
from emergent.figures.divergence import primary_sets
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    Tabulation,
    listed,
    nearest_epoch,
    require_rows,
    require_table,
    span,
    stack,
)

COLUMNS = ("arm", "data", "epoch", "ensemble_size", "metric", "mean", "std", "num")
METRICS = {"osp": "OSP [%]", "divergence": "KL-DIV"}
PLACES = {"in": "In distr. data", "ood": "Out of distr. data"}
ROWS = {"in": "In dist.", "ood": "Out of dist."}
_NAMES = {
    "modelnet10": "ModelNet10",
    "modelnet40": "ModelNet40",
    "generated_solids": "generated solids",
    "generated_solids_ood": "other generated solids",
}


def draw(tables: Tables, references: References, entry: PointCloudFigure) -> Drawing:
    """Returns both metrics (rows) in and out of distribution (columns), bars of one std over bootstraps.

    Args:
        tables: holds ``ensembles``.
        references: none are known.
        entry: titles and options.

    Raises:
        DataError: the table, or the rows of a metric, are missing.
    """
    del references
    chosen, sets, arms = _select(tables, entry.options.arms)
    colors = dict(zip(arms, (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE), strict=False))
    marks = style.markers(arms)
    figure = style.new_figure(entry.width, 4.3)
    grid = figure.subplots(2, len(sets), sharex=True, squeeze=False)
    for column, (role, data) in enumerate(sets.items()):
        for axes, metric in zip(grid[:, column], METRICS, strict=True):
            rows = require_rows(chosen, "ensembles", metric=metric, data=data)
            for arm in arms:
                own = rows[rows["arm"] == arm].sort_values("ensemble_size")
                label = arm.replace("_", " ")
                axes.errorbar(own["ensemble_size"], own["mean"], yerr=own["std"], color=colors[arm],
                              marker=marks[arm], markersize=2.8, elinewidth=0.9, label=label)  # fmt: skip
        grid[0, column].set_title(f"{PLACES[role]} ({_name(data)})")
        grid[0, column].yaxis.set_major_locator(MaxNLocator(6))
        style.log_decades(grid[1, column])
        grid[1, column].set_xlabel("Ensemble members")
    for axes, label in zip(grid[:, 0], METRICS.values(), strict=True):
        axes.set_ylabel(label)
    style.log_axis(grid[1, 0], sorted({int(size) for size in chosen["ensemble_size"]}))
    real = any(data.startswith("modelnet") for data in sets.values())
    figure.suptitle("ModelNet" if real else "Stand-in for ModelNet", fontsize=9.0)
    if len(arms) > 1:
        figure.legend(handles=grid[0, 0].get_legend_handles_labels()[0], loc="outside lower center", ncols=len(arms))
    return Drawing(figure, stack(chosen, pd.DataFrame()), _facts(chosen, sets, arms))


def tabulate(tables: Tables, references: References, entry: PointCloudTable) -> Tabulation:
    """Returns OSP and the decimal logarithm of the divergence, in and out of distribution, a column per ensemble size.

    Args:
        tables: holds ``ensembles``.
        references: none are known.
        entry: titles and options.

    Raises:
        DataError: the table, or the rows of a metric, are missing.
    """
    del references
    chosen, sets, arms = _select(tables, entry.options.arms)
    sizes = sorted({int(size) for size in chosen["ensemble_size"]})
    cells: dict[str, dict[str, str]] = {}
    for arm in arms:
        prefix = f"{arm.replace('_', ' ')}, " if len(arms) > 1 else ""
        for role, data in sets.items():
            for metric, label in (("osp", "OSP"), ("divergence", "log(KL-DIV)")):
                rows = require_rows(chosen, "ensembles", arm=arm, data=data, metric=metric)
                means = rows.set_index("ensemble_size")["mean"]
                cells[f"{prefix}{ROWS[role]}, {label}"] = {
                    str(size): _cell(metric, float(means[size])) if size in means.index else "–" for size in sizes
                }
    columns = [str(size) for size in sizes]
    table = pd.DataFrame.from_dict(cells, orient="index", columns=columns)
    return Tabulation(table, stack(chosen, pd.DataFrame()), _facts(chosen, sets, arms))


def _select(tables: Tables, wanted: tuple[str, ...]) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Returns the rows at the last epoch of both metrics, role to primary data set, and the arms shown."""
    table = require_table(tables, "ensembles", COLUMNS)
    table = require_rows(table, "ensembles", epoch=nearest_epoch(table, "last"))
    sets = primary_sets(table)
    arms = list(wanted) or list(dict.fromkeys(str(arm) for arm in table["arm"]))
    for arm in arms:
        require_rows(table, "ensembles", arm=arm)
    kept = table["data"].isin(list(sets.values())) & table["metric"].isin(list(METRICS)) & table["arm"].isin(arms)
    return table[kept], sets, arms


def _facts(chosen: pd.DataFrame, sets: dict[str, str], arms: list[str]) -> dict[str, str]:
    return {
        "epoch": str(int(chosen["epoch"].iloc[0])),
        "data": listed([_name(data) for data in sets.values()]),
        "arms": listed([arm.replace("_", " ") for arm in arms]),
        "ensemble_sizes": listed(sorted({int(size) for size in chosen["ensemble_size"]})),
        "num_ensembles": span([int(num) for num in chosen["num"]]),
    }


def _name(data: str) -> str:
    return _NAMES.get(data, style.data_name(data))


def _cell(metric: str, mean: float) -> str:
    if metric == "osp":
        return f"{mean:.2f}"
    return f"{math.log10(mean):.2f}" if mean > 0 else "–"
