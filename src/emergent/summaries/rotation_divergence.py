"""Summary of experiments of kind ``rotation_divergence``: ensembles drawn with replacement, the pool, and its members.

Orbit same prediction is in percent of the rotations, divergence in nats (KL divergence summed over both directions);
the unrotated cloud is what rotated ones are compared with and does not count itself.

References:
    arXiv 2410.01452, point-cloud experiment.
"""

from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from scipy.stats import ttest_ind_from_stats

from emergent.config.questions import RotationSummary
from emergent.config.stages import DataFacts
from emergent.metrics.classification import correct
from emergent.metrics.orbit import orbit_same_predictions, symmetric_kl
from emergent.statistics.ensembles import bootstrap_counts
from emergent.statistics.estimate import Estimate, sample_std, sampling_error
from emergent.statistics.splits import FEWEST_TO_SPLIT, split_error, split_weights
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities

# Logits held at a time, in bytes; predictors whose metrics are computed at a time.
_CHUNK_BYTES = 2**28
_ROWS = 32


def summarise_rotation_divergence(settings: RotationSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``ensembles``, ``pool``, ``significance`` and ``quantities``.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every member once, or not their outputs at the resampled epoch.
    """
    del predictions
    pools = open_pools(settings, blocks)
    ensembles: list[dict[str, Any]] = []
    pool_rows: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    quantities = Quantities()
    # Only the last one: the configuration allows no other.
    (epoch,) = settings.bootstrap.epochs
    for arm in settings.arms:
        for data in settings.data:
            weights, draws = _predictors(settings, arm.name, data.name)
            # Out-of-distribution labels mean nothing to the networks.
            members, combined, num_rotations = _measure(pools[arm.name], data, epoch, weights)
            head = {"arm": arm.name, "group": arm.group, "order": num_rotations, "data": data.name, "epoch": epoch}
            for metric in members:
                boots = {size: combined[metric][rows] for size, rows in draws.items()}
                for size, values in boots.items():
                    ensembles.append(head | {"ensemble_size": size, "metric": metric} | _statistics(values, data.whole))
                pool, parts = combined[metric][-1], combined[metric][len(boots) * settings.bootstrap.num : -1]
                pool_rows += _pool_rows(head | {"metric": metric}, members[metric], pool, data.whole)
                if metric != "accuracy":
                    means = {size: values.mean(1) for size, values in boots.items()}
                    tests += _tests(head | {"metric": metric}, means)
                _add(quantities, arm.name, data, metric, boots, members[metric], pool, parts)
    return {
        "ensembles": pd.DataFrame(ensembles),
        "pool": pd.DataFrame(pool_rows),
        "significance": pd.DataFrame(tests),
        "quantities": quantities.table(),
    }


def _predictors(settings: RotationSummary, arm: str, data: str) -> tuple[np.ndarray, dict[int, slice]]:
    """Returns weights [R, M] of the members in every combined predictor, and the rows of each ensemble size.

    First come the ensembles drawn with replacement, then halves and quarters of the pool, last the whole pool.
    """
    num, repeats = settings.num_members, settings.bootstrap.num
    rows, draws = [], {}
    for index, size in enumerate(settings.bootstrap.sizes):
        # By names and not by positions: an arm or a set more changes no draws of the others.
        generator = np.random.default_rng([settings.seed, crc32(arm.encode()), crc32(data.encode()), size])
        rows.append(bootstrap_counts(repeats, size, num, generator) / size)
        draws[size] = slice(index * repeats, (index + 1) * repeats)
    rows.append(_splits(num))
    rows.append(np.full((1, num), 1 / num))
    return np.concatenate(rows).astype(np.float32), draws


def _splits(num_members: int) -> np.ndarray:
    """Returns weights [A, M] of the parts of the pool that tell its error; none where it is too small for quarters."""
    if num_members < FEWEST_TO_SPLIT:
        return np.zeros((0, num_members))
    # The same partitions everywhere, so that arms do not differ by the choice of them.
    return split_weights(num_members, np.random.default_rng(num_members))


def _measure(
    pool: MemberPool, data: DataFacts, epoch: int, weights: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Returns each metric of the members [M, N] and of the combined predictors [R, N], and the number of rotations.

    Networks never run again: a combined predictor's logits are a row of weights times the members' logits.
    """
    labels = pool.labels(data.name) if data.role == "in" else None
    read, num_samples = pool.reader(data.name, epoch)
    shape = read(0, 1).shape
    step = max(1, _CHUNK_BYTES // (4 * int(np.prod(shape))))
    members: dict[str, list[np.ndarray]] = {}
    combined: dict[str, list[np.ndarray]] = {}
    for start in range(0, num_samples, step):
        part = slice(start, min(start + step, num_samples))
        logits = read(part.start, part.stop)
        own = None if labels is None else labels[part]
        mixed = (weights @ logits.reshape(len(logits), -1)).reshape(-1, *logits.shape[1:])
        for found, outputs in ((members, logits), (combined, mixed)):
            for metric, values in _metrics(outputs, own).items():
                found.setdefault(metric, []).append(values)
    of_members, of_combined = (
        {metric: np.concatenate(pieces, 1) for metric, pieces in found.items()} for found in (members, combined)
    )
    return of_members, of_combined, shape[2] - 1


def _metrics(outputs: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Returns the metrics [R, N] of predictors with outputs [R, N, 1 + rotations, K]."""
    num = outputs.shape[2] - 1
    parts = []
    for start in range(0, len(outputs), _ROWS):
        rows = outputs[start : start + _ROWS]
        part = {
            "osp": 100 * (orbit_same_predictions(rows) - 1) / num,
            # From the mean over all elements to that over rotations: the identity adds 0.
            "divergence": (num + 1) / num * symmetric_kl(rows),
        }
        if labels is not None:
            part["accuracy"] = correct(rows, labels).astype(np.float64)
        parts.append(part)
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}


def _statistics(values: np.ndarray, whole: bool) -> dict[str, float]:
    """Returns mean and spread of predictors with values [R, N], and the error of the clouds."""
    own = values.mean(1)
    error = sampling_error(values.mean(0), whole)
    return {"mean": own.mean(), "std": sample_std(own), "num": len(own), "sample_stderr": error}


def _pool_rows(head: dict[str, Any], members: np.ndarray, pool: np.ndarray, whole: bool) -> list[dict[str, Any]]:
    """Returns rows of the members [M, N] and of the pool [N]."""
    low, high = np.quantile(members.mean(1), (0.025, 0.975))
    rows = []
    for predictor, samples, ends in (("members", members.mean(0), (low, high)), ("pool", pool, (np.nan, np.nan))):
        row = {"predictor": predictor, "mean": samples.mean(), "low": ends[0], "high": ends[1], "num": len(members)}
        rows.append(head | row | {"sample_stderr": sampling_error(samples, whole)})
    return rows


def _tests(head: dict[str, Any], boots: dict[int, np.ndarray]) -> list[dict[str, Any]]:
    """Returns Welch's one-sided tests of the largest ensembles against each smaller size, as published.

    Bootstraps of one pool are not replicates of the experiment, so the p-values leave out the noise of the pool, and
    that of the clouds.
    """
    largest = max(boots)
    side = "greater" if head["metric"] == "osp" else "less"
    rows = []
    for size in sorted(set(boots) - {largest}):
        difference = boots[largest].mean() - boots[size].mean()
        statistic = p = np.nan
        moments = [(v.mean(), v.std(ddof=1), len(v)) for v in (boots[largest], boots[size])]
        # Without any spread there is nothing to test.
        if any(std > 1e-12 * abs(mean) for mean, std, _ in moments):
            result: Any = ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False, alternative=side)
            statistic, p = float(result.statistic), float(result.pvalue)
        rows.append(
            head | {"ensemble_size": size, "largest": largest, "difference": difference, "t": statistic, "p": p}
        )
    return rows


def _add(
    quantities: Quantities,
    arm: str,
    data: DataFacts,
    metric: str,
    boots: dict[int, np.ndarray],
    members: np.ndarray,
    pool: np.ndarray,
    parts: np.ndarray,
) -> None:
    """Adds the estimates of one metric of an arm on an evaluation set, from values at each cloud [..., N]."""
    num, own = len(members), members.mean(1)
    mean = Estimate.mean(own).over_samples(members.mean(0), data.whole)
    whole = _of_pool(pool, parts.mean(1), num, data.whole)
    gain = _of_pool(pool - members.mean(0), parts.mean(1) - _splits(num) @ own, num, data.whole)
    place = f"{arm}/{{data}}"
    rows = [
        (f"members_{metric}/{place}", mean, f"mean {metric} of single members"),
        (f"pool_{metric}/{place}", whole, f"{metric} of the whole pool"),
        (f"pool_gain_{metric}/{place}", gain, f"{metric} of the whole pool minus the mean of its members"),
    ]
    if metric != "accuracy":
        text = f"mean {metric} of ensembles drawn with replacement; the error leaves out the noise of the pool"
        for size, values in boots.items():
            found = Estimate.mean(values.mean(1), "drawn ensembles").over_samples(values.mean(0), data.whole)
            rows.append((f"{metric}/{place}/{size}", found, text))
    quantities.add_on(data, *rows)


def _of_pool(samples: np.ndarray, parts: np.ndarray, num: int, whole: bool) -> Estimate:
    """Returns the mean [N] of the whole pool with the error that its halves and quarters tell, and of the clouds."""
    error, dof = split_error(parts, num, num) if len(parts) else (np.nan, np.inf)
    return Estimate(float(samples.mean()), error, num, "pool", dof).over_samples(samples, whole)
