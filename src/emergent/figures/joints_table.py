"""Errors of joints by group of permutations, for networks and ensembles, a row each.

Input: summary table ``joints``.
"""

import math

import pandas as pd

from emergent.config.symmetry_figures import JointsTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, Tabulation, measured, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("experiment", "arm", "ensemble_size", "metric", "mean", "std", "num", "parameters")
HEADS = {"mpjpe": "MPJPE", "p_mpjpe": "P-MPJPE", "reflection": "error of reflection"}


def tabulate(inputs: Inputs, references: References, entry: JointsTable) -> Tabulation:
    """Returns means over trials with standard errors; the largest ensembles have their own rows.

    Args:
        inputs: holds ``joints``.
        references: not used; no number is published for these poses.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del references, entry
    table = require_table(inputs, "joints", COLUMNS)
    looks, cells = arm_looks(inputs), {}
    for arm in inputs.arms_in(table):
        own, word = table[table["arm"] == arm.name], looks[arm.name].word
        for size in dict.fromkeys((1, int(own["ensemble_size"].max()))):
            rows = own[own["ensemble_size"] == size].set_index("metric")
            name = word if size == 1 else f"{word}, ensembles of {size}"
            cells[name] = {head: _cell(rows.loc[metric]) for metric, head in HEADS.items()}
            cells[name]["parameters"] = f"{size * int(rows['parameters'].iloc[0])}"
    facts = {"num_members": span([int(num) for num in table["num"]])}
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), stack(table, pd.DataFrame()), facts)


def _cell(row: pd.Series) -> str:
    return measured(float(row["mean"]), float(row["std"]) / math.sqrt(float(row["num"])))
