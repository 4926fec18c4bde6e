"""Infinite-width spread under several readings of unpublished settings, beside the published members.

Input: summary table ``readings``. The published members are those of arXiv:2403.03103.
"""

import numpy as np
import pandas as pd

from emergent.config.infinite_width_figures import InfiniteWidthReadings
from emergent.figures import style
from emergent.figures.drawing import References, Tabulation, published_table, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = ("dataset", "time", "rule", "data", "members_orbit_std", "difference")
RULES = {"mean_absolute": "mean |E|", "absolute_mean": "|mean E|", "per_sample": "|E| of each sample"}
SPLITS = ("train", "test", "ood")
# The spread on training data depends on the training time, which is not published either.
JUDGED = ("test", "ood")
LATER = "to infinite time"


def tabulate(inputs: Inputs, references: References, entry: InfiniteWidthReadings) -> Tabulation:
    """Returns a row per reading, the published members, and how far each reading is off.

    The last columns lay the distance of the ensemble to that of infinite time beside the published one to the kernel.

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
    published = published[published["predictor"] == "members"] if len(published) else published
    offsets = published_table(references, "ntk_difference")
    theirs, theirs_to_kernel = _by_width(published), _by_width(offsets)
    cells: dict[str, dict[str, str]] = {}
    for (dataset, rule, time), rows in ours.groupby(["dataset", "rule", "time"], sort=False):
        spread, later = (rows.set_index("data")[name] for name in ("members_orbit_std", "difference"))
        row = {split: f"{spread[split]:.2g}" for split in SPLITS}
        if theirs:
            widest = theirs[max(theirs)]
            factors = [np.exp(abs(np.log(spread[split] / widest[split]))) for split in JUDGED]
            row["mismatch"] = f"{max(factors):.1f}x"
        row |= {f"{LATER}, {split}": f"{later[split]:.2g}" for split in JUDGED}
        cells[f"{style.data_name(str(dataset))}, over {RULES[str(rule)]}{_time(float(time))}"] = row
    for width, values in theirs.items():
        row = {split: f"{values[split]:.2g}" for split in SPLITS} | {"mismatch": "–"}
        # Published is the distance of the ensemble to the kernel's prediction, at whatever time that was taken.
        own = theirs_to_kernel.get(width, {})
        cells[f"published, width {width}"] = row | {f"{LATER}, {k}": f"{own[k]:.2g}" for k in JUDGED if k in own}
    columns = [*SPLITS, *(["mismatch"] if theirs else []), *(f"{LATER}, {split}" for split in JUDGED)]
    table = pd.DataFrame.from_dict(cells, orient="index", columns=columns).fillna("–")
    return Tabulation(table, stack(ours, published), {})


def _by_width(published: pd.DataFrame) -> dict[int, dict[str, float]]:
    """Returns the published values of each width by data set, as means over ensemble sizes, in which they are flat."""
    if not len(published):
        return {}
    return {
        int(width): {str(data): float(part["mean"].mean()) for data, part in rows.groupby("data")}
        for width, rows in published.groupby("width")
    }


def _time(multiple: float) -> str:
    if multiple == 1:
        return ""
    return ", infinite time" if np.isinf(multiple) else f", {multiple:g} times as long"
