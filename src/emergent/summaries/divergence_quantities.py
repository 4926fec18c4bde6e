"""Significance tests and named scalars of experiments of kind ``orbit_divergence``.

References:
    arXiv 2410.01452: Welch tests over 30 bootstraps, thresholds .005 and .001.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
from scipy import stats

from emergent.config.questions import DivergenceSummary
from emergent.config.stages import ArmFacts, DataFacts
from emergent.statistics.estimate import Estimate
from emergent.statistics.resampling import Resampled
from emergent.statistics.splits import MOST_DOF
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import Quantities

TESTED = ("osp", "divergence")
Results = dict[tuple[str, str, int], Resampled]
Add = Callable[[str, Estimate, str], None]
"""Pattern of a name with ``{data}`` in it, estimate, description."""


def significance(settings: DivergenceSummary, results: Results) -> pd.DataFrame:
    """Returns Welch's one-sided test over bootstraps, as published, and differences with the noise of the pool.

    Bootstraps of one pool are not repetitions of the experiment: the p-values ignore that another pool would differ,
    which ``pool_stderr`` and ``pool_z`` do not. These belong to ``difference``; ``t`` and ``p``, as published, to
    ``drawn_difference``.
    """
    rows = []
    bootstrap, published = settings.bootstrap, settings.bootstrap.published_pool
    names = [arm.name for arm in settings.arms]
    for data in (facts.name for facts in settings.data):
        for epoch in bootstrap.epochs:
            for key in ((metric, size) for metric in TESTED for size in bootstrap.sizes):
                for arm, other in permutations(names, 2):
                    ours, theirs = results[arm, data, epoch], results[other, data, epoch]
                    side = "greater" if key[0] == "osp" else "less"
                    test = stats.ttest_ind(ours.drawn[key], theirs.drawn[key], equal_var=False, alternative=side)
                    found = ours.difference(theirs, *key, published)
                    rows.append(
                        {"data": data, "epoch": epoch, "metric": key[0], "ensemble_size": key[1]}
                        | {"arm": arm, "other": other, "difference": found.value, "pool_stderr": found.stderr}
                        | {"pool_z": found.value / found.stderr if found.stderr > 0 else float("nan")}
                        | {"drawn_difference": float(ours.drawn[key].mean() - theirs.drawn[key].mean())}
                        | {"t": float(test.statistic), "p": float(test.pvalue)}
                    )
    return pd.DataFrame(rows)


def divergence_quantities(
    settings: DivergenceSummary, pool: pd.DataFrame, results: Results, pools: dict[str, MemberPool]
) -> pd.DataFrame:
    """Returns the scalars that claims refer to; those of resampled ensembles belong to the last resampled epoch."""
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "members in the pool of every arm")
    epoch = max(settings.bootstrap.epochs)
    quantities.add("num_epochs", Estimate.exact(epoch), "epoch to which the quantities of ensembles belong")
    for data in settings.data:

        def add(pattern: str, estimate: Estimate, text: str, data: DataFacts = data) -> None:
            quantities.add_on(data, (pattern, estimate, text))

        for arm in settings.arms:
            own = results[arm.name, data.name, epoch]
            base = results[arm.compare_to, data.name, epoch] if arm.compare_to else None
            _add_laws(add, arm, own, base)
            _add_sizes(add, arm, own, base, settings)
            rows = pool[(pool.arm == arm.name) & (pool.data == data.name)]
            _add_epochs(add, arm.name, rows, pools[arm.name], data.name)
    return quantities.table()


def _add_laws(add: Add, arm: ArmFacts, result: Resampled, base: Resampled | None) -> None:
    law, gap = result.divergence, result.squared_gap
    add(f"floor/{arm.name}/{{data}}", law.floor, "divergence of an infinite ensemble, fitted")
    add(f"slope/{arm.name}/{{data}}", law.slope, "coefficient of 1/N in the divergence, fitted")
    text = "squared gap of an infinite ensemble over the noise of one member, unbiased"
    add(f"gap_floor/{arm.name}/{{data}}", gap.ratio, text)
    if base is not None:
        difference = result.gap_ratio_minus(base)
        add(f"floor_difference/{arm.name}/{{data}}", difference, f"gap_floor minus that of {arm.compare_to}")


def _add_sizes(add: Add, arm: ArmFacts, result: Resampled, base: Resampled | None, settings: DivergenceSummary) -> None:
    published = settings.bootstrap.published_pool
    pool = max(published, settings.num_members)
    for metric, size in ((metric, size) for metric in TESTED for size in settings.bootstrap.sizes):
        found = result.estimate(metric, size, published)
        text = f"{metric} of ensembles of {size} drawn with replacement from a pool of {pool}"
        add(f"{metric}/{arm.name}/{{data}}/{size}", found, text)
        if base is not None:
            difference = result.difference(base, metric, size, published)
            name = f"{metric}_difference/{arm.name}/{{data}}/{size}"
            add(name, difference, f"{text}: minus that of {arm.compare_to}")


def _add_epochs(add: Add, arm: str, table: pd.DataFrame, pool: MemberPool, data: str) -> None:
    members = pool.metric(data, "orbit_same_predictions").mean(2, dtype=np.float64)
    gains: list[Estimate] = []
    for row in table.itertuples():
        metric, value, error = str(row.metric), float(row.mean), float(row.stderr)
        if row.predictor == "members":
            estimate = Estimate.of_spread(value, float(row.std), int(row.num)).blurred(float(row.image_stderr))
            add(f"members_{metric}/{arm}/{{data}}/{row.epoch}", estimate, f"mean {metric} of members")
            continue
        # Only the part of the members is known from few blocks.
        images = float(row.image_stderr)
        of_members = math.sqrt(max(error**2 - images**2, 0.0)) if math.isfinite(error) else math.nan
        text = f"{metric} of all members together; error from halves and quarters of the blocks, where there are enough"
        estimate = Estimate(value, of_members, 1, "pool", MOST_DOF).blurred(images)
        add(f"pool_{metric}/{arm}/{{data}}/{row.epoch}", estimate, text)
        if metric == "osp" and row.epoch >= 1:
            own = members[:, list(pool.epochs).index(row.epoch)]
            gain = replace(Estimate.mean(own), value=float(value - own.mean()), estimator="pool")
            if math.isfinite(of_members):
                gain = gain.blurred(of_members, MOST_DOF)
            gains.append(gain.blurred(float(row.gain_image_stderr)))
    text = (
        "OSP of all members together minus their own mean, smallest over epochs >= 1; error: spread of members, "
        "and that of the ensemble where it is known"
    )
    add(f"pool_gain/{arm}/{{data}}", min(gains, key=lambda gain: gain.value), text)
