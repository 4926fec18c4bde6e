"""Which arm is the more invariant one, at which ensemble size, and whether another pool would say the same.

Input: summary table ``significance``. arXiv:2410.01452 tests over bootstraps of one pool; the pool's own noise is added
here.
"""

import math

import pandas as pd

from emergent.config.figure_kinds import Significance
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import (
    References,
    Tabulation,
    nearest_epoch,
    require_rows,
    require_table,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import SYMMETRY, WORDS, metric_look, primary_sets, scale_divergence

COLUMNS = ("data", "epoch", "metric", "ensemble_size", "arm", "other", "difference", "p", "pool_stderr", "pool_z")
PUBLISHED_LEVEL = 0.001


def tabulate(inputs: Inputs, references: References, entry: Significance) -> Tabulation:
    """Returns a row per data set, metric and pair of arms, a column per ensemble size.

    Args:
        inputs: holds ``significance``.
        references: not used: the published verdicts are words.
        entry: titles and options.

    Raises:
        DataError: the table or its rows are missing.
    """
    del references
    table = require_table(inputs, "significance", COLUMNS)
    epoch = nearest_epoch(table, "last")
    table = scale_divergence(require_rows(table, "significance", epoch=epoch), entry.options.divergence)
    sets, looks = primary_sets(table), arm_looks(inputs)
    table = table[table["data"].isin(list(sets.values())) & table["metric"].isin(SYMMETRY)]
    columns = [f"N = {size}" for size in sorted({int(size) for size in table["ensemble_size"]})]
    cells: dict[str, dict[str, str]] = {}
    for data in sets.values():
        for metric in SYMMETRY:
            rows = table[(table["data"] == data) & (table["metric"] == metric)]
            for (arm, other), pair in rows.groupby(["arm", "other"], sort=False):
                pair_words = f"{looks[str(arm)].word} minus {looks[str(other)].word}"
                label = f"{inputs.data_name(data)}, {metric_look(metric).word}, {pair_words}"
                found = {f"N = {row['ensemble_size']}": _cell(row) for row in pair.to_dict("records")}
                cells[label] = {column: found.get(column, "–") for column in columns}
    facts = {
        "data": inputs.data_names(list(sets.values())),
        "epoch": str(epoch),
        "divergence": WORDS[entry.options.divergence],
    }
    ours = table.assign(published_rule=table["p"] < PUBLISHED_LEVEL)
    return Tabulation(
        pd.DataFrame.from_dict(cells, orient="index", columns=columns), stack(ours, pd.DataFrame()), facts
    )


def _cell(row: dict[str, float]) -> str:
    """Returns the difference, a star if the published rule calls it significant, and z with pool noise."""
    star = "*" if row["p"] < PUBLISHED_LEVEL else ""
    noise = f"{row['pool_z']:+.1f}" if math.isfinite(row["pool_z"]) else "–"
    return f"{row['difference']:+.2g}{star} ({noise})"
