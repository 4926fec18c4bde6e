"""Supplementary table: infinite-width spread under several readings of the unpublished Ising settings.

Input: summary table ``readings``. arXiv:2403.03103, Ising experiment.
"""

import numpy as np
import pandas as pd

from emergent.config.figures import ReadingsTable
from emergent.figures.drawing import References, Tables, Tabulation, published_table, require_table, stack

COLUMNS = ("dataset", "rule", "data", "members_orbit_std")
RULES = {"mean_absolute": "mean |E|", "absolute_mean": "|mean E|", "per_sample": "|E| of each sample"}
SPLITS = ("train", "test", "ood")
# The spread on training data depends on the training time, which is not published either.
JUDGED = ("test", "ood")


def tabulate(tables: Tables, references: References, entry: ReadingsTable) -> Tabulation:
    """Returns a row per reading, the published members, and how far each reading is off.

    Args:
        tables: holds ``readings``.
        references: published values; members' series of quantity ``orbit_std``.
        entry: titles.

    Raises:
        DataError: the table or a column is missing.
    """
    del entry
    ours = require_table(tables, "readings", COLUMNS)
    published = published_table(references, "orbit_std")
    published = published[published["predictor"] == "members"]
    theirs = {
        int(width): {data: float(part["mean"].mean()) for data, part in rows.groupby("data")}
        for width, rows in published.groupby("width")
    }
    cells: dict[str, dict[str, str]] = {}
    for (dataset, rule), rows in ours.groupby(["dataset", "rule"], sort=False):
        values = rows.set_index("data")["members_orbit_std"]
        row = {split: f"{values[split]:.2g}" for split in SPLITS}
        if theirs:
            widest = theirs[max(theirs)]
            factors = [np.exp(abs(np.log(values[split] / widest[split]))) for split in JUDGED]
            row["mismatch"] = f"{max(factors):.1f}x"
        cells[f"{str(dataset).removeprefix('ising_')}, over {RULES[str(rule)]}"] = row
    for width, values in theirs.items():
        row = {split: f"{values[split]:.2g}" for split in SPLITS}
        cells[f"published, width {width}"] = row | {"mismatch": "–"}
    columns = [*SPLITS, *(["mismatch"] if theirs else [])]
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index", columns=columns), stack(ours, published), {})
