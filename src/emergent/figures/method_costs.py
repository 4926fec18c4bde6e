"""What methods reach in and out of distribution, and what they cost: a row for every method and group.

Input: summary tables ``osp``, ``accuracy`` and ``costs``. Our own table.
"""

import math

import pandas as pd

from emergent.config.figure_kinds import MethodCosts
from emergent.figures.drawing import (
    References,
    Tabulation,
    data_roles,
    nearest_size,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.method_table import predictor_rows
from emergent.figures.metric_by_epoch import COLUMNS

COST_COLUMNS = ("arm", "num_parameters", "inference", "training")
ACCURACY_COLUMNS = ("arm", "data", "epoch", "predictor", "ensemble_size", "mean", "std", "num")


def tabulate(inputs: Inputs, references: References, entry: MethodCosts) -> Tabulation:
    """Returns accuracy in distribution, OSP on the first set of each role, parameters and multiplications.

    Args:
        inputs: holds the tables.
        references: not used.
        entry: titles and options.

    Raises:
        DataError: a table or a column is missing.
    """
    del references
    osp = require_table(inputs, "osp", COLUMNS)
    accuracy = require_table(inputs, "accuracy", ACCURACY_COLUMNS)
    costs = require_table(inputs, "costs", COST_COLUMNS).set_index("arm")
    firsts: dict[str, str] = {}
    for data, role in data_roles(osp).items():
        firsts.setdefault(role, data)
    cells: dict[str, dict[str, str]] = {}
    drawn: list[pd.DataFrame] = []
    members: list[int] = []
    size = nearest_size(require_rows(osp, "osp", predictor="ensemble"), entry.options.ensemble_size)
    for method in entry.options.methods:
        for arm in (name for name in method.arms if name in set(osp["arm"]) & set(costs.index)):
            known = osp[osp["arm"] == arm]
            num_members = 1
            row: dict[str, str] = {}
            for title, table, role in (
                ("accuracy in distribution", accuracy, "in"),
                ("OSP in distribution", osp, "in"),
                ("OSP out of distribution", osp, "ood"),
            ):
                own = table[(table["arm"] == arm) & (table["data"] == firsts.get(role))]
                found = predictor_rows(own, method.predictor, entry.options.ensemble_size)
                found = found[found["epoch"] == found["epoch"].max()]
                if found.empty:
                    row[title] = "–"
                    continue
                mean, std = float(found["mean"].iloc[0]), float(found["std"].iloc[0])
                digits = 3 if table is accuracy else 2
                row[title] = f"{mean:.{digits}f}" + ("" if math.isnan(std) else f" ± {std:.{digits}f}")
                num_members = int(found["ensemble_size"].iloc[0])
                if method.predictor == "members":
                    members.append(int(found["num"].iloc[0]))
                drawn.append(found.assign(method=method.label, quantity=title))
            own = costs.loc[arm]
            row["parameters"] = f"{num_members * int(own['num_parameters']):,}".replace(",", " ")
            for title, name in (("inference / M", "inference"), ("training / M", "training")):
                row[title] = f"{num_members * float(own[name]) / 1e6:.1f}"
            cells[f"{method.label}, {known['group'].iloc[0]}"] = row
    facts = {"ensemble_size": str(size), "num_members": span(members or [0])}
    data = stack(pd.concat([*drawn, costs.reset_index()], ignore_index=True), pd.DataFrame())
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), data, facts)
