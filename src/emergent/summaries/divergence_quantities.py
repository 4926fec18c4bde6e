"""Significance tests and named scalars of experiments of kind ``orbit_divergence``.

References:
    arXiv 2410.01452: Welch tests over 30 bootstraps, thresholds .005 and .001.
"""

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from emergent.statistics.resampling import Resampled
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import Quantities, aliases

PUBLISHED_POOL = 1000
"""Members in the published pools. In a smaller one, ensembles with replacement are noisier by slope / M, so that the
numbers are then those of ensembles without replacement."""
TESTED = ("osp", "divergence")
Results = dict[tuple[str, str, int], Resampled]


def significance(settings: dict[str, Any], results: Results) -> pd.DataFrame:
    """Returns Welch's one-sided test over bootstraps, as published, and differences with the noise of the pool.

    Bootstraps of one pool are not repetitions of the experiment: the p-values ignore that another pool would differ,
    which ``pool_stderr`` and ``pool_z`` do not. These belong to ``difference``; ``t`` and ``p``, as published, to
    ``drawn_difference``.
    """
    rows = []
    bootstrap, replaced = settings["bootstrap"], _with_replacement(settings)
    for data in settings["data_order"]:
        for epoch in bootstrap["epochs"]:
            for key in ((metric, size) for metric in TESTED for size in bootstrap["sizes"]):
                for arm, other in permutations(settings["arm_order"], 2):
                    ours, theirs = results[arm, data, epoch], results[other, data, epoch]
                    side = "greater" if key[0] == "osp" else "less"
                    test = stats.ttest_ind(ours.drawn[key], theirs.drawn[key], equal_var=False, alternative=side)
                    value = _value(ours, key, replaced) - _value(theirs, key, replaced)
                    error = float(np.hypot(_error(ours, key, replaced), _error(theirs, key, replaced)))
                    rows.append(
                        {"data": data, "epoch": epoch, "metric": key[0], "ensemble_size": key[1]}
                        | {"arm": arm, "other": other, "difference": value, "pool_stderr": error}
                        | {"pool_z": value / error if error > 0 else float("nan")}
                        | {"drawn_difference": float(ours.drawn[key].mean() - theirs.drawn[key].mean())}
                        | {"t": float(test.statistic), "p": float(test.pvalue)}
                    )
    return pd.DataFrame(rows)


def _with_replacement(settings: dict[str, Any]) -> bool:
    return settings["num_members"] >= PUBLISHED_POOL


def _value(result: Resampled, key: tuple[str, int], replaced: bool) -> float:
    """Returns the mean of a metric over ensembles of one size, drawn with replacement or disjoint."""
    return float((result.drawn if replaced else result.disjoint)[key].mean())


def _error(result: Resampled, key: tuple[str, int], replaced: bool) -> float:
    """Returns its standard error: the noise of the pool and, of ensembles that are drawn, that of the draws."""
    drawn = result.drawn[key]
    draws = drawn.std(ddof=1) / np.sqrt(len(drawn)) if replaced else 0.0
    return float(np.hypot(result.pool_error(*key), draws))


def divergence_quantities(
    settings: dict[str, Any], pool: pd.DataFrame, results: Results, pools: dict[str, MemberPool]
) -> pd.DataFrame:
    """Returns the scalars that claims refer to; those of resampled ensembles belong to the last resampled epoch."""
    quantities = Quantities()
    quantities.add("num_members", settings["num_members"], 0.0, 1, "members in the pool of every arm")
    epoch = max(settings["bootstrap"]["epochs"])
    quantities.add("num_epochs", epoch, 0.0, 1, "epoch to which the quantities of ensembles belong")
    for data in settings["data_order"]:
        names = aliases(settings, data)

        def add(
            pattern: str, value: float, error: float, num: int, text: str, data: str = data, names: list[str] = names
        ) -> None:
            quantities.add_with_alias(pattern, data, names, value, error, num, description=text)

        for arm in settings["arm_order"]:
            _add_laws(add, arm, results[arm, data, epoch], results.get(("sym", data, epoch)), settings["num_members"])
            _add_sizes(add, arm, results[arm, data, epoch], results.get(("sym", data, epoch)), settings)
            _add_epochs(add, arm, pool[(pool.arm == arm) & (pool.data == data)], pools[arm], data)
    return quantities.table()


def _add_laws(add: Any, arm: str, result: Resampled, sym: Resampled | None, num: int) -> None:
    law, gap = result.divergence, result.squared_gap
    add(f"floor/{arm}/{{data}}", law.floor, law.floor_stderr, num, "divergence of an infinite ensemble, fitted")
    add(f"slope/{arm}/{{data}}", law.slope, law.slope_stderr, num, "coefficient of 1/N in the divergence, fitted")
    text = "squared gap of an infinite ensemble over the noise of one member, unbiased"
    add(f"gap_floor/{arm}/{{data}}", gap.ratio, gap.ratio_stderr, num, text)
    if sym is not None and arm != "sym":
        error = float(np.hypot(gap.ratio_stderr, sym.squared_gap.ratio_stderr))
        text = "gap_floor minus that of sym"
        add(f"floor_difference/{arm}/{{data}}", gap.ratio - sym.squared_gap.ratio, error, num, text)


def _add_sizes(add: Any, arm: str, result: Resampled, sym: Resampled | None, settings: dict[str, Any]) -> None:
    replaced = _with_replacement(settings)
    for key in ((metric, size) for metric in TESTED for size in settings["bootstrap"]["sizes"]):
        metric, size = key
        num = len((result.drawn if replaced else result.disjoint)[key])
        value, error = _value(result, key, replaced), _error(result, key, replaced)
        text = f"{metric} of ensembles of {size}, {'with' if replaced else 'without'} replacement"
        add(f"{metric}/{arm}/{{data}}/{size}", value, error, num, text)
        if sym is not None and arm != "sym":
            error = float(np.hypot(error, _error(sym, key, replaced)))
            name = f"{metric}_difference/{arm}/{{data}}/{size}"
            add(name, value - _value(sym, key, replaced), error, num, f"{text}: minus that of sym")


def _add_epochs(add: Any, arm: str, table: pd.DataFrame, pool: MemberPool, data: str) -> None:
    members = pool.metric(data, "orbit_same_predictions").mean(2, dtype=np.float64)
    gains: dict[int, tuple[float, float]] = {}
    for row in table.itertuples():
        metric, error = str(row.metric), float(row.stderr)
        if row.predictor == "members":
            add(f"members_{metric}/{arm}/{{data}}/{row.epoch}", row.mean, error, row.num, f"mean {metric} of members")
        else:
            text = f"{metric} of all members together; error by leaving out blocks, where there are enough"
            add(f"pool_{metric}/{arm}/{{data}}/{row.epoch}", row.mean, error, 1, text)
            if metric == "osp" and row.epoch >= 1:
                own = members[:, list(pool.epochs).index(row.epoch)]
                noise = np.hypot(own.std(ddof=1) / np.sqrt(len(own)), error if np.isfinite(error) else 0.0)
                gains[int(row.epoch)] = float(row.mean - own.mean()), float(noise)
    value, error = min(gains.values())
    text = (
        "OSP of all members together minus their own mean, smallest over epochs >= 1; error: spread of members, "
        "and that of the ensemble where it is known"
    )
    add(f"pool_gain/{arm}/{{data}}", value, error, pool.num_members, text)
