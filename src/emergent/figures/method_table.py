"""Orbit same prediction at one epoch, ensembles and members, ours beside the published values, by group.

Input: summary table ``osp``. arXiv:2403.03103 has a table of this form.
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

ROWS = {"ensemble": "DeepEns+DA", "members": "only DA"}


def tabulate(inputs: Inputs, references: References, entry: MethodTable) -> Tabulation:
    """Returns a row per method for ours and for the published values, a column per group.

    Args:
        inputs: holds ``osp``.
        references: published values; series of quantity ``osp_table``.
        entry: titles and options.

    Raises:
        DataError: the table or a row is missing.
    """
    table = require_table(inputs, "osp", COLUMNS)
    data = select_data(table, entry.options.data, "osp")
    epoch = nearest_epoch(table, entry.options.epoch)
    rows = require_rows(table, "osp", data=data, epoch=epoch).sort_values("order", kind="stable")
    ensembles = require_rows(rows, "osp", predictor="ensemble")
    size = nearest_size(ensembles, entry.options.ensemble_size)
    chosen = {
        "ensemble": require_rows(ensembles, "osp", ensemble_size=size),
        "members": require_rows(rows, "osp", predictor="members"),
    }
    published = published_table(references, "osp_table")
    groups = [str(group) for group in dict.fromkeys(rows["group"])]
    cells: dict[str, dict[str, str]] = {}
    for predictor, label in ROWS.items():
        ours = chosen[predictor].set_index("group")
        cells[f"{label}, ours"] = {
            group: _cell(ours.at[group, "mean"], ours.at[group, "std"]) if group in ours.index else "–"
            for group in groups
        }
        if len(published):
            theirs = published[published["predictor"] == predictor].set_index("group")
            cells[f"{label}, {style.PUBLISHED_LABEL}"] = {
                group: _cell(theirs.at[group, "mean"], theirs.at[group, "spread"]) if group in theirs.index else "–"
                for group in groups
            }
    facts = {
        "data": inputs.data_name(data),
        "epoch": str(epoch),
        "ensemble_size": str(size),
        "groups": listed(groups),
        "num_members": span([int(num) for num in chosen["members"]["num"]]),
        "num_ensembles": span([int(num) for num in chosen["ensemble"]["num"]]),
    }
    ours = pd.concat([chosen[predictor] for predictor in ROWS], ignore_index=True)
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index", columns=groups), stack(ours, published), facts)


def _cell(mean: float, spread: float) -> str:
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"
