"""Orbit same prediction at one epoch, method by method, ours beside the published values, by group.

Input: summary table ``osp`` of one or several experiments. arXiv:2403.03103 has a table of this form.
"""

import math

import pandas as pd

from emergent.config.figure_kinds import MethodTable
from emergent.figures import style
from emergent.figures.drawing import (
    References,
    Tabulation,
    listed,
    nearest_epoch,
    nearest_size,
    published_table,
    require_rows,
    require_table,
    select_data,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_epoch import COLUMNS


def tabulate(inputs: Inputs, references: References, entry: MethodTable) -> Tabulation:
    """Returns a row per method for ours and for the published values, a column per group.

    Args:
        inputs: holds ``osp``.
        references: published values; series of quantity ``osp_table``.
        entry: titles and options.

    Raises:
        DataError: the table is missing, or none of the methods has a row.
    """
    table = require_table(inputs, "osp", COLUMNS)
    data = select_data(table, entry.options.data, "osp")
    epoch = nearest_epoch(table, entry.options.epoch)
    rows = require_rows(table, "osp", data=data, epoch=epoch).sort_values("order", kind="stable")
    published = published_table(references, "osp_table")
    groups = [str(group) for group in dict.fromkeys(rows["group"])]
    cells: dict[str, dict[str, str]] = {}
    shown: dict[str, list[pd.DataFrame]] = {"ensemble": [], "members": []}
    for method in entry.options.methods:
        ours = predictor_rows(rows[rows["arm"].isin(method.arms)], method.predictor, entry.options.ensemble_size)
        if len(ours):
            shown[method.predictor].append(ours.assign(method=method.label))
            cells[f"{method.label}, ours"] = _cells(ours, "std", groups)
        theirs = published[published["predictor"] == method.published] if len(published) else published
        if len(theirs):
            cells[f"{method.label}, {style.PUBLISHED_LABEL}"] = _cells(theirs, "spread", groups)
    ensembles, members = (
        require_rows(pd.concat([rows.iloc[:0], *parts]), "osp", predictor=name) for name, parts in shown.items()
    )
    facts = {
        "data": inputs.data_name(data),
        "epoch": str(epoch),
        "ensemble_size": span([int(size) for size in ensembles["ensemble_size"]]),
        "groups": listed(groups),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
    }
    ours = pd.concat([ensembles, members], ignore_index=True)
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index", columns=groups), stack(ours, published), facts)


def predictor_rows(table: pd.DataFrame, predictor: str, ensemble_size: int) -> pd.DataFrame:
    """Returns the rows of single networks, or of ensembles of a size or the nearest smaller one; or no rows.

    Args:
        table: rows of some arms.
        predictor: ``members`` or ``ensemble``.
        ensemble_size: wanted.
    """
    rows = table[table["predictor"] == predictor]
    if predictor == "members" or rows.empty:
        return rows
    return rows[rows["ensemble_size"] == nearest_size(rows, ensemble_size)]


def _cells(rows: pd.DataFrame, spread: str, groups: list[str]) -> dict[str, str]:
    """Returns the text of every group, from one row each."""
    by_group = rows.set_index("group")
    return {
        group: _cell(by_group.at[group, "mean"], by_group.at[group, spread]) if group in by_group.index else "–"
        for group in groups
    }


def _cell(mean: float, spread: float) -> str:
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"
