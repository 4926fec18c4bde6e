"""Training time and conditions of testing: which of both meets each published point, in combined standard errors.

Input: summary table ``disjoint`` of some experiments. arXiv:2410.01452, points under C16.
"""

import math
from typing import Any

import pandas as pd

from emergent.config.figure_kinds import ConditionsTable
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.conditions import disjoint_of_size, mean_errors, published_of_size, tested_sets, trained_with
from emergent.figures.drawing import (
    References,
    Tabulation,
    measured,
    require_rows,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import WORDS, metric_look


def tabulate(inputs: Inputs, references: References, entry: ConditionsTable) -> Tabulation:
    """Returns a row per published point; columns are the conditions, with the epoch that meets the point best.

    Args:
        inputs: holds ``disjoint`` with a column ``experiment``.
        references: published values by experiment; series of quantities ``osp`` and ``divergence``.
        entry: titles and options.

    Raises:
        DataError: the table, an experiment, a test set under another condition, or published points are missing.
    """
    options = entry.options
    table, size = disjoint_of_size(inputs, options)
    table = table[table["epoch"] > 0].assign(stderr=mean_errors)
    published = published_of_size(references, entry.experiments, options.divergence, size)
    # A scale may leave out arms.
    published = (
        published[published["arm"].isin([arm.name for arm in inputs.arms_in(table)])] if len(published) else published
    )
    if published.empty:
        raise DataError(
            f"table {entry.name} compares with published points of ensembles of {size} members; name files that have "
            f"some under references, and a size that is published and evaluated as ensemble_size."
        )
    looks = arm_looks(inputs)
    cells: dict[str, dict[str, str]] = {}
    compared: list[dict[str, Any]] = []
    for point in published.to_dict("records"):
        label = (f"{point['figure']}, {style.data_name(point['data'])}, {metric_look(point['metric']).word}, "
                 f"{looks[str(point['arm'])].word}")  # fmt: skip
        cells[label] = {"published": measured(point["mean"], point["uncertainty"])}
        for facts in map(inputs.experiment, entry.experiments):
            own = require_rows(table, "disjoint", experiment=facts.experiment)
            for condition, name in tested_sets(table, str(point["role"]), facts).items():
                rows = own[(own["data"] == name) & (own["metric"] == point["metric"]) & (own["arm"] == point["arm"])]
                found = [_compared(row, point) for row in rows.sort_values("epoch").to_dict("records")]
                cells[label][f"{trained_with(facts)}, {condition}"] = _best_and_last(found)
                compared += found
    drawn = pd.DataFrame(compared)
    words = {
        "ensemble_size": str(size),
        "num_ensembles": span([int(num) for num in table["num"]]),
        "divergence": WORDS[options.divergence],
    }
    columns = list(dict.fromkeys(name for row in cells.values() for name in row))
    # Not every condition is tested on every data set.
    text = pd.DataFrame.from_dict(cells, orient="index", columns=columns).fillna("–")
    return Tabulation(text, stack(drawn, published), words)


def _compared(row: dict[Any, Any], point: dict[Any, Any]) -> dict[str, Any]:
    """Returns our value at one epoch with its difference from a published point in combined standard errors."""
    return {
        **{name: row[name] for name in ("experiment", "arm", "data", "epoch", "ensemble_size", "metric", "mean")},
        "stderr": row["stderr"],
        "figure": point["figure"],
        "score": (row["mean"] - point["mean"]) / math.hypot(row["stderr"], point["uncertainty"]),
    }


def _best_and_last(found: list[dict[str, Any]]) -> str:
    """Returns the difference at the epoch at which it is smallest, and that after the last epoch."""
    known = [row for row in found if math.isfinite(row["score"])]
    if not known:
        return "–"
    words = [
        f"{row['score']:+.1f} ({int(row['epoch'])})" for row in (min(known, key=lambda r: abs(r["score"])), known[-1])
    ]
    return "; ".join(dict.fromkeys(words))
