"""Summary of experiments of kind ``point_clouds``: ensembles drawn with replacement, the whole pool, and its members.

Orbit same prediction is in percent of the rotations, divergence in nats (KL divergence summed over both directions);
the unrotated cloud is what rotated ones are compared with and does not count itself.

References:
    arXiv 2410.01452, point-cloud experiment.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zlib import crc32

import h5py
import numpy as np
import pandas as pd
from scipy.stats import ttest_ind_from_stats

from emergent import storage
from emergent.errors import DataError
from emergent.metrics.classification import correct
from emergent.metrics.orbit import orbit_same_predictions, symmetric_kl
from emergent.statistics.ensembles import bootstrap_counts
from emergent.statistics.laws import jackknife_error
from emergent.summaries.quantities import Quantities, aliases

METRICS = ("osp", "divergence", "accuracy")
# Logits held at a time, in bytes; predictors whose metrics are computed at a time.
_CHUNK_BYTES = 2**28
_ROWS = 32
_MAX_GROUPS = 20


def summarise_point_clouds(
    settings: dict[str, Any], paths: Mapping[str, Sequence[Path]], kernel: None = None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``ensembles``, ``pool``, ``significance`` and ``quantities``.

    Args:
        settings: configuration of the summary stage.
        paths: arm to its evaluated blocks.
        kernel: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every member once.
    """
    del kernel
    ensembles: list[dict[str, Any]] = []
    pools: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    quantities = Quantities()
    for arm in settings["arm_order"]:
        with ExitStack() as stack:
            files = [stack.enter_context(storage.open_file(path, "evaluate")) for path in paths[arm]]
            files, epoch = _ordered(arm, files, settings["num_members"])
            for data in settings["data_order"]:
                # Out-of-distribution labels mean nothing to the networks.
                labelled = settings["data"][data]["role"] == "in"
                weights, draws = _predictors(settings, arm, data)
                members, combined, num_rotations = _measure(files, data, weights, labelled)
                head = {"arm": arm, "group": "SO3", "order": num_rotations, "data": data, "epoch": epoch}
                for metric in members:
                    boots = {size: combined[metric][rows] for size, rows in draws.items()}
                    for size, values in boots.items():
                        ensembles.append(head | {"ensemble_size": size, "metric": metric, "mean": values.mean(),
                                                 "std": values.std(), "num": len(values)})  # fmt: skip
                    pool, left_out = (
                        combined[metric][-1],
                        combined[metric][len(boots) * settings["num_bootstraps"] : -1],
                    )
                    pools += _pool_rows(head | {"metric": metric}, members[metric], pool)
                    if metric != "accuracy":
                        tests += _tests(head | {"metric": metric}, boots)
                    names = [data, *aliases(settings, data)]
                    _add(quantities, f"{arm}/{{}}", names, metric, boots, members[metric], pool, left_out)
    return {
        "ensembles": pd.DataFrame(ensembles),
        "pool": pd.DataFrame(pools),
        "significance": pd.DataFrame(tests),
        "quantities": quantities.table(),
    }


def _ordered(arm: str, files: list[h5py.File], num_members: int) -> tuple[list[h5py.File], int]:
    """Returns the files in the order of their members, and the epoch."""
    files = sorted(files, key=lambda file: int(storage.read_array(file, "members")[0]))
    members = np.concatenate([storage.read_array(file, "members") for file in files]) if files else np.zeros(0, int)
    if members.tolist() != list(range(num_members)):
        raise DataError(
            f"arm {arm}: expected members 0..{num_members - 1} once each, found {members.tolist()[:20]} ..."
        )
    return files, int(storage.read_array(files[0], "epochs")[-1])


def _groups(num_members: int) -> list[np.ndarray]:
    """Returns the groups of members that the jackknife leaves out in turn."""
    return np.array_split(np.arange(num_members), min(num_members, _MAX_GROUPS))


def _predictors(settings: dict[str, Any], arm: str, data: str) -> tuple[np.ndarray, dict[int, slice]]:
    """Returns weights [R, M] of the members in every combined predictor, and the rows of each ensemble size.

    First come the ensembles drawn with replacement, then the pool without each group of members, last the whole pool.
    """
    num, repeats = settings["num_members"], settings["num_bootstraps"]
    rows, draws = [], {}
    for index, size in enumerate(settings["ensemble_sizes"]):
        generator = np.random.default_rng([settings["seed"], crc32(arm.encode()), crc32(data.encode()), size])
        rows.append(bootstrap_counts(repeats, size, num, generator) / size)
        draws[size] = slice(index * repeats, (index + 1) * repeats)
    for group in _groups(num) if num > 1 else ():
        keep = np.ones(num)
        keep[group] = 0
        rows.append(keep[None] / keep.sum())
    rows.append(np.full((1, num), 1 / num))
    return np.concatenate(rows).astype(np.float32), draws


def _measure(
    files: list[h5py.File], data: str, weights: np.ndarray, labelled: bool
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Returns each metric of the members [M] and of the combined predictors [R], and the number of rotations.

    Networks never run again: a combined predictor's logits are a row of weights times the members' logits.
    """
    labels = storage.read_array(files[0], f"{data}/labels") if labelled else None
    shape = files[0][f"{data}/logits"].shape[1:]
    num_members = weights.shape[1]
    step = max(1, _CHUNK_BYTES // (4 * num_members * int(np.prod(shape[1:]))))
    members: dict[str, np.ndarray] = {}
    combined: dict[str, np.ndarray] = {}
    for start in range(0, shape[0], step):
        part = slice(start, min(start + step, shape[0]))
        logits = np.concatenate([file[f"{data}/logits"][:, part] for file in files])
        own = None if labels is None else labels[part]
        mixed = (weights @ logits.reshape(num_members, -1)).reshape(-1, *logits.shape[1:])
        for sums, outputs in ((members, logits), (combined, mixed)):
            for metric, values in _sums(outputs, own).items():
                sums[metric] = sums.get(metric, 0) + values
    for sums in (members, combined):
        for metric in sums:
            sums[metric] = sums[metric] / shape[0]
    return members, combined, int(shape[1]) - 1


def _sums(outputs: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Returns the sums over clouds of the metrics of predictors with outputs [R, N, 1 + rotations, K]."""
    num = outputs.shape[2] - 1
    parts = []
    for start in range(0, len(outputs), _ROWS):
        rows = outputs[start : start + _ROWS]
        part = {
            "osp": 100 * (orbit_same_predictions(rows) - 1).sum(-1) / num,
            "divergence": (num + 1) / num * symmetric_kl(rows).sum(-1),
        }
        if labels is not None:
            part["accuracy"] = correct(rows, labels).sum(-1, dtype=np.float64)
        parts.append(part)
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in parts[0]}


def _pool_rows(head: dict[str, Any], members: np.ndarray, pool: float) -> list[dict[str, Any]]:
    low, high = np.quantile(members, (0.025, 0.975))
    return [
        head | {"predictor": "members", "mean": members.mean(), "low": low, "high": high, "num": len(members)},
        head | {"predictor": "pool", "mean": pool, "low": np.nan, "high": np.nan, "num": len(members)},
    ]


def _tests(head: dict[str, Any], boots: dict[int, np.ndarray]) -> list[dict[str, Any]]:
    """Returns Welch's one-sided tests of the largest ensembles against each smaller size, as published.

    Bootstraps of one pool are not replicates of the experiment, so the p-values leave out the noise of the pool.
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
    where: str,
    names: list[str],
    metric: str,
    boots: dict[int, np.ndarray],
    members: np.ndarray,
    pool: float,
    left_out: np.ndarray,
) -> None:
    """Adds the scalars of one metric under the data set's name and its aliases."""
    num = len(members)
    error = members.std(ddof=1) / np.sqrt(num) if num > 1 else np.nan
    gains = (
        [left - np.delete(members, group).mean() for left, group in zip(left_out, _groups(num), strict=True)]
        if num > 1
        else []
    )
    for name in dict.fromkeys(names):
        place = where.format(name)
        quantities.add(f"members_{metric}/{place}", members.mean(), error, num, f"mean {metric} of single members")
        quantities.add(f"pool_{metric}/{place}", pool, _jackknife(left_out), num, f"{metric} of the whole pool")
        text = f"{metric} of the whole pool minus the mean of its members"
        quantities.add(f"pool_gain_{metric}/{place}", pool - members.mean(), _jackknife(np.array(gains)), num, text)
        if metric == "accuracy":
            continue
        for size, values in boots.items():
            text = f"mean {metric} of ensembles drawn with replacement; the error leaves out the noise of the pool"
            spread = values.std(ddof=1) / np.sqrt(len(values))
            quantities.add(f"{metric}/{place}/{size}", values.mean(), spread, len(values), text)


def _jackknife(left_out: np.ndarray) -> float:
    """Returns the standard error from values without one group each; NaN if there are fewer than two groups."""
    num = len(left_out)
    return float(jackknife_error(left_out)) if num > 1 else float("nan")
