"""Accuracy, orbit same prediction and divergence of members and ensembles after training, by arm.

Input: summary tables ``ensembles`` and ``pool``. arXiv:2410.01452, image experiments; its own table is not known.
"""

import math

import pandas as pd

from emergent.config.figure_kinds import AccuracyTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import (
    References,
    Tabulation,
    nearest_epoch,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import WORDS, metric_look, primary_sets, scale_divergence
from emergent.figures.pool_by_epoch import COLUMNS as POOL_COLUMNS

METRICS = ("accuracy", "osp", "divergence")
ENSEMBLE_COLUMNS = ("arm", "group", "order", "data", "epoch", "ensemble_size", "metric", "mean", "std", "num")


def tabulate(inputs: Inputs, references: References, entry: AccuracyTable) -> Tabulation:
    """Returns a row per data set, metric and arm; columns are members, ensembles by size, and the whole pool.

    Args:
        inputs: holds ``ensembles`` and ``pool``.
        references: not used: no accuracy was published.
        entry: titles and options.

    Raises:
        DataError: a table or its rows are missing.
    """
    del references
    ensembles = require_table(inputs, "ensembles", ENSEMBLE_COLUMNS)
    pool = require_table(inputs, "pool", POOL_COLUMNS)
    epoch = nearest_epoch(ensembles, "last")
    ensembles = scale_divergence(require_rows(ensembles, "ensembles", epoch=epoch), entry.options.divergence)
    pool = scale_divergence(require_rows(pool, "pool", epoch=epoch), entry.options.divergence)
    members = require_rows(pool, "pool", predictor="members")
    sizes = sorted({int(size) for size in ensembles["ensemble_size"]})
    num_members = span([int(num) for num in members["num"]])
    columns = ["members", *(f"N = {size}" for size in sizes), "pool"]
    cells: dict[str, dict[str, str]] = {}
    sets, looks = primary_sets(ensembles), arm_looks(inputs)
    arms = [arm.name for arm in inputs.arms_in(ensembles)]
    for role, data in sets.items():
        for metric in METRICS:
            # Labels out of distribution are those of another problem.
            if metric == "accuracy" and role != "in":
                continue
            for arm in arms:
                singles, whole, rows = (
                    part[(part["data"] == data) & (part["metric"] == metric) & (part["arm"] == arm)]
                    for part in (members, pool[pool["predictor"] == "pool"], ensembles)
                )
                row = {f"N = {one.ensemble_size}": _cell(one.mean, one.std) for one in rows.itertuples()}
                for one in singles.itertuples():
                    row["members"] = _cell(one.mean, getattr(one, "std", math.nan))
                for one in whole.itertuples():
                    row["pool"] = _cell(one.mean, math.nan)
                label = f"{inputs.data_name(data)}, {metric_look(metric).word}, {looks[arm].word}"
                cells[label] = {column: row.get(column, "–") for column in columns}
    facts = {
        "data": inputs.data_names(list(sets.values())),
        "epoch": str(epoch),
        "num_members": num_members,
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
        "divergence": WORDS[entry.options.divergence],
    }
    kept = [part[part["data"].isin(list(sets.values())) & part["metric"].isin(METRICS)]
            for part in (pool, ensembles.assign(predictor="ensemble"))]  # fmt: skip
    table = pd.DataFrame.from_dict(cells, orient="index", columns=columns)
    return Tabulation(table, stack(pd.concat(kept, ignore_index=True), pd.DataFrame()), facts)


def _cell(mean: float, std: float) -> str:
    if not math.isfinite(std) or std <= 0:
        return f"{mean:.3g}" if abs(mean) < 1 else f"{mean:.3f}"
    decimals = max(0, 1 - math.floor(math.log10(std)))
    if decimals > 5:
        return f"{mean:.4g} ± {std:.1g}"
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"
