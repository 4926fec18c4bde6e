"""Summary of experiments of kind ``orbit_divergence``: symmetry of resampled ensembles against their size.

Divergences are on the code's scale: both directions of the Kullback-Leibler divergence summed, the identity counted.

References:
    arXiv 2410.01452: orbit same prediction and divergence against ensemble size and epoch, significance tests.
"""

from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from emergent.config.questions import DivergenceSummary
from emergent.statistics.computing import current
from emergent.statistics.estimate import sample_std, sampling_error, standard_error
from emergent.statistics.resampling import ENSEMBLE_METRICS, Resampled, metric_values, resample
from emergent.statistics.splits import NUM_SPLITS, split_error, split_weights
from emergent.summaries.divergence_quantities import divergence_quantities, significance
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools

MEMBER_METRIC = {
    "osp": "orbit_same_predictions",
    "divergence": "symmetric_kl",
    "accuracy": "correct",
    "loss": "cross_entropy",
}
LABELLED = ("accuracy", "loss")
# Halves and quarters of fewer blocks than this do not tell what the ensemble of all members scatters by.
FEWEST_BLOCKS = 5
Rows = list[dict[str, Any]]


def summarise_divergence(settings: DivergenceSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns ``ensembles``, ``pool``, ``disjoint``, ``law_points``, ``law``, ``significance`` and ``quantities``.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.
    """
    del predictions
    pools = open_pools(settings, blocks)
    rows: dict[str, Rows] = {name: [] for name in ("ensembles", "pool", "disjoint", "law_points", "law")}
    results: dict[tuple[str, str, int], Resampled] = {}
    for arm in settings.arms:
        pool = pools[arm.name]
        for data in settings.data:
            key = {"arm": arm.name, "group": arm.group, "order": arm.order, "data": data.name}
            # Labels of an out-of-distribution set mean nothing to these networks.
            labelled = data.role != "ood" and pool.has_metric(data.name, "correct")
            labels = pool.labels(data.name) if labelled else None
            rows["pool"] += _pool_rows(key, pool, labels, data.whole)
            rows["disjoint"] += _disjoint_rows(key, pool, labels, settings, data.whole)
            for epoch in settings.bootstrap.epochs:
                # The same draws on every data set of an arm; in the released code they are new ones at every call.
                # By the arm's name: its place changes with the arms that are chosen beside it.
                generator = np.random.default_rng([settings.seed, crc32(arm.name.encode()), epoch])
                reader, num_samples = pool.reader(data.name, epoch)
                result = resample(
                    reader, num_samples, pool.num_members, labels, settings.bootstrap, generator, data.whole
                )
                results[arm.name, data.name, epoch] = result
                for name, values in _resampled_rows(key | {"epoch": epoch}, result, pool.num_members).items():
                    rows[name] += values
    tables = {name: pd.DataFrame(values) for name, values in rows.items()}
    tables["significance"] = significance(settings, results)
    tables["quantities"] = divergence_quantities(settings, tables["pool"], results, pools)
    return tables


def _resampled_rows(key: dict[str, Any], result: Resampled, num_members: int) -> dict[str, Rows]:
    """Returns rows of ``ensembles``, ``law_points`` and ``law`` for one arm, data set and epoch."""
    ensembles = [
        key
        | {
            "ensemble_size": size,
            "metric": metric,
            "mean": values.mean(),
            "std": sample_std(values),
            "num": len(values),
        }
        for (metric, size), values in result.drawn.items()
    ]
    points = [key | {"ensemble_size": size, "mean": mean, "stderr": error} for size, mean, error in result.law_points]
    laws = [
        key | {"quantity": quantity} | law.columns() | {"num_members": num_members}
        for quantity, law in (("divergence", result.divergence), ("squared_gap", result.squared_gap))
    ]
    return {"ensembles": ensembles, "law_points": points, "law": laws}


def _metrics(outputs: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Returns the metrics [E, N] of one predictor from its outputs [E, N, G, K]."""
    computing = current()
    found = computing.compiled(metric_values)(computing.place(outputs), labels)
    return {name: np.asarray(found[name], np.float64) for name in ENSEMBLE_METRICS if name in found}


def _image_errors(values: np.ndarray, whole: bool) -> list[float]:
    """Returns, at each checkpoint, the error of a mean over samples that are a part of a set, from values [E, N]."""
    return [sampling_error(row, whole) for row in values]


def _pool_rows(key: dict[str, Any], pool: MemberPool, labels: np.ndarray | None, all_samples: bool) -> Rows:
    """Returns members (mean and 95 % range) and the ensemble of all of them, at every checkpoint.

    The errors are those of the members and of the samples; the latter also stand alone, and for the difference of the
    ensemble and its members.
    """
    rows: Rows = []
    whole = _metrics(pool.mean(key["data"]), labels)
    errors = _block_errors(key["data"], pool, labels)
    for metric, stored in MEMBER_METRIC.items():
        if metric in LABELLED and labels is None:
            continue
        by_sample = pool.metric(key["data"], stored)
        members = by_sample.mean(2, dtype=np.float64)
        of_members = _image_errors(by_sample.mean(0, dtype=np.float64), all_samples)
        of_pool = _image_errors(whole[metric], all_samples)
        of_gain = _image_errors(whole[metric] - by_sample.mean(0, dtype=np.float64), all_samples)
        for index, epoch in enumerate(pool.epochs):
            # As in the published bands, but for the one on CIFAR-10 that starts at 25 % by a slip of its script.
            low, high = np.quantile(members[:, index], [0.025, 0.975])
            head = key | {"epoch": int(epoch), "metric": metric, "num": pool.num_members}
            own = members[:, index]
            row = {"mean": own.mean(), "std": sample_std(own), "low": low, "high": high}
            row |= {"stderr": np.hypot(standard_error(own), of_members[index]), "image_stderr": of_members[index]}
            row |= {"gain_image_stderr": np.nan}
            rows.append(head | {"predictor": "members"} | row)
            row = {"mean": whole[metric][index].mean(), "std": np.nan, "low": np.nan, "high": np.nan}
            error = errors[metric][index] if errors else np.nan
            row |= {"stderr": np.hypot(error, of_pool[index]), "image_stderr": of_pool[index]}
            row |= {"gain_image_stderr": of_gain[index]}
            rows.append(head | {"predictor": "pool"} | row)
    return rows


def _block_errors(data: str, pool: MemberPool, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Returns the errors [E] of the metrics of all members together, from halves and quarters of their blocks.

    There are none from few blocks.
    """
    num = pool.num_blocks
    if num < FEWEST_BLOCKS:
        return {}
    # The same partitions everywhere, so that arms do not differ by the choice of them.
    weights = split_weights(num, np.random.default_rng(num))
    errors: dict[str, list[float]] = {}
    for index in range(len(pool.epochs)):
        # A partition at a time: the outputs of all of them would not fit into memory.
        means = pool.means_of_blocks(data, index, np.split(weights, NUM_SPLITS))
        found = [_metrics(mean, labels) for mean in means]
        for metric in found[0]:
            values = np.concatenate([part[metric].mean(-1) for part in found])
            errors.setdefault(metric, []).append(split_error(values, num, num)[0])
    return {metric: np.array(values) for metric, values in errors.items()}


def _disjoint_rows(
    key: dict[str, Any], pool: MemberPool, labels: np.ndarray | None, settings: DivergenceSummary, all_samples: bool
) -> Rows:
    """Returns disjoint ensembles, which are independent repetitions on the same samples, at every checkpoint."""
    rows: Rows = []
    for size in settings.ensemble_sizes:
        values: dict[str, list[np.ndarray]] = {}
        total: dict[str, np.ndarray] = {}
        for ensemble in pool.ensembles(key["data"], size, settings.max_ensembles):
            for metric, found in _metrics(ensemble, labels).items():
                values.setdefault(metric, []).append(found.mean(-1))
                total[metric] = total.get(metric, 0.0) + found
        for metric, parts in values.items():
            stacked = np.stack(parts)
            errors = _image_errors(total[metric] / len(parts), all_samples)
            for index, epoch in enumerate(pool.epochs):
                column = stacked[:, index]
                row = {"mean": column.mean(), "std": sample_std(column), "num": len(column)}
                head = key | {"epoch": int(epoch), "ensemble_size": size, "metric": metric}
                rows.append(head | row | {"image_stderr": errors[index]})
    return rows
