"""Errors of predicted speeds by graph and clusters, with what weights by clusters and ensembles gain.

Input: summary table ``traffic``. Huang, Levie and Villar (NeurIPS 2023) have a table of these errors.
"""

import math

import pandas as pd

from emergent.config.symmetry_figures import ClustersTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, Tabulation, measured, published_table, require_table, span, stack
from emergent.figures.error_by_clusters import COLUMNS as SHARED
from emergent.figures.error_by_clusters import QUANTITY
from emergent.figures.facts import Inputs

COLUMNS = (*SHARED, "departure", "parameters")


def tabulate(inputs: Inputs, references: References, entry: ClustersTable) -> Tabulation:
    """Returns a row per arm: error of one network and of the largest ensembles, and the published one.

    Args:
        inputs: holds ``traffic``.
        references: published values of the whole series.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del entry
    table = require_table(inputs, "traffic", COLUMNS)
    published = published_table(references, QUANTITY)
    looks, cells = arm_looks(inputs), {}
    largest = int(table["ensemble_size"].max())
    for arm in inputs.arms_in(table):
        own = table[table["arm"] == arm.name].sort_values("ensemble_size")
        words = [measured(float(row["mean"]), float(row["std"]) / math.sqrt(int(row["num"])))
                 for row in own.to_dict("records")]  # fmt: skip
        theirs = published[published["arm"] == arm.name].dropna(subset="mean") if len(published) else published
        cells[looks[arm.name].word] = {
            "one network": words[0],
            f"ensemble of {largest}": words[-1] if len(words) > 1 else "–",
            "weights apart": f"{float(own['departure'].iloc[0]):.2g}",
            "ways": f"{int(own['edges'].iloc[0])}",
            "parameters": f"{int(own['parameters'].iloc[0])}",
            "published, four months": "–" if theirs.empty else f"{theirs['mean'].iloc[0]:.3f}",
        }
    facts = {"num_members": span([int(num) for num in table["num"]])}
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), stack(table, published), facts)
