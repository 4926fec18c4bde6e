"""Learnt distances of point clouds: errors, rank correlations, errors of invariance and parameters, a row per arm.

Input: summary table ``distances``. arXiv 2405.08097 has a table of this form.
"""

import math

import pandas as pd

from emergent.config.symmetry_figures import CloudTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, Tabulation, measured, published_table, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("experiment", "arm", "ensemble_size", "metric", "mean", "std", "num", "parameters")
HEADS = {
    "mse": "test MSE",
    "mse_turned": "test MSE, turned",
    "spearman_train": "rank correlation, training",
    "spearman": "rank correlation, test",
    "asymmetry": "error of invariance",
}


def tabulate(inputs: Inputs, references: References, entry: CloudTable) -> Tabulation:
    """Returns means over trials with standard errors; the largest ensembles, and published values, have their own rows.

    Args:
        inputs: holds ``distances``.
        references: published values; series of the metrics.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del entry
    table = require_table(inputs, "distances", COLUMNS)
    published = pd.concat(
        [part.assign(metric=metric) for metric in HEADS if len(part := published_table(references, metric))]
        or [pd.DataFrame()]
    )
    looks, cells = arm_looks(inputs), {}
    for arm in inputs.arms_in(table):
        own, word = table[table["arm"] == arm.name], looks[arm.name].word
        largest = int(own["ensemble_size"].max())
        for size in dict.fromkeys((1, largest)):
            rows = own[own["ensemble_size"] == size].set_index("metric")
            name = word if size == 1 else f"{word}, ensembles of {size}"
            cells[name] = {head: _cell(rows.loc[metric]) for metric, head in HEADS.items()}
            cells[name]["parameters"] = f"{size * int(rows['parameters'].iloc[0])}"
        theirs = published[published["arm"] == arm.name] if len(published) else published
        if len(theirs):
            cells[f"{word}, published"] = {HEADS[str(row["metric"])]: f"{row['mean']:g}"
                                           for row in theirs.to_dict("records")}  # fmt: skip
    shown = pd.DataFrame.from_dict(cells, orient="index", columns=[*HEADS.values(), "parameters"]).fillna("–")
    facts = {"num_members": span([int(num) for num in table["num"]])}
    return Tabulation(shown, stack(table, published), facts)


def _cell(row: pd.Series) -> str:
    error = float(row["std"]) / math.sqrt(float(row["num"]))
    # What rounding leaves of an invariance has no digits worth printing.
    return measured(float(row["mean"]), error) if float(row["mean"]) > 1e-4 or row.name != "asymmetry" else "< 1e-4"
