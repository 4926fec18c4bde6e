"""Infinite-width spread under several readings of unpublished settings, beside the published members.

Input: summary table ``readings``. The published members are those of arXiv:2403.03103.
"""

import numpy as np
import pandas as pd

from emergent.config.figure_kinds import InfiniteWidthReadings
from emergent.figures import style
from emergent.figures.drawing import References, Tabulation, published_table, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = ("dataset", "rule", "data", "members_orbit_std")
RULES = {"mean_absolute": "mean |E|", "absolute_mean": "|mean E|", "per_sample": "|E| of each sample"}
SPLITS = ("train", "test", "ood")
# The spread on training data depends on the training time, which is not published either.
JUDGED = ("test", "ood")


def tabulate(inputs: Inputs, references: References, entry: InfiniteWidthReadings) -> Tabulation:
    """Returns a row per reading, the published members, and how far each reading is off.

    Args:
        inputs: holds ``readings``.
        references: published values; members' series of quantity ``orbit_std``.
        entry: titles.

    Raises:
        DataError: the table or a column is missing.
    """
    del entry
    ours = require_table(inputs, "readings", COLUMNS)
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
        cells[f"{style.data_name(str(dataset))}, over {RULES[str(rule)]}"] = row
    for width, values in theirs.items():
        row = {split: f"{values[split]:.2g}" for split in SPLITS}
        cells[f"published, width {width}"] = row | {"mismatch": "–"}
    columns = [*SPLITS, *(["mismatch"] if theirs else [])]
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index", columns=columns), stack(ours, published), {})
