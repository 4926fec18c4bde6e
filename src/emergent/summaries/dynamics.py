"""Summary of experiments of kind ``dynamics``: errors of rollouts, by time and as a whole, and what they keep.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on a double pendulum of springs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.dynamics import DynamicsSummary
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.choices import add_equal_work, choice, choices_table
from emergent.summaries.files import Blocks, Predictions, Tables, in_order
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

METRICS = {
    "score": "relative error of rollouts, geometric mean",
    "momentum_error": "relative change of angular momentum, geometric mean",
    "equivariance_error": "equivariance error of velocities under O(2) about z",
    "lost": "fraction of rollouts that left the range of numbers",
}
AXES = dict.fromkeys(["error_by_time", *METRICS], 0)
COORDINATES = ("x", "y", "z")
STATES = tuple(f"{vector}_{axis}" for vector in ("q1", "q2", "p1", "p2") for axis in COORDINATES)
"""Columns of ``portraits``."""


def summarise_dynamics(settings: DynamicsSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``rollouts``, ``errors_by_time``, ``portraits``, ``choices`` and ``quantities``.

    ``rollouts`` (arm, family, method, ensemble_size, metric, mean, std, median, num): over trials. ``errors_by_time``
    (arm, family, method, ensemble_size, time, mean, low, high): geometric means over trials, smallest and largest.
    ``portraits`` (arm, trajectory, time, coordinates): a rollout of each arm's first network, and the ``truth``.
    ``choices`` (``emergent.summaries.choices``): of networks of energies that have the whole symmetry, or none.

    Quantities are ``<metric>/<arm>`` of single networks, ``median_score/<arm>``, ``ensemble_<metric>/<arm>/<M>`` of
    ensembles of M, ``ensemble_gain/<arm>/<M>`` the logarithm to base 10 of the equivariance error of single networks
    over that of ensembles, trial by trial, and ``log_ratio/<arm>/<other>`` that of the error of an arm over that of the
    one it is compared with, which has the same trajectories in every trial. ``equal_work/<arm>`` is that of
    ``emergent.summaries.choices``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every trial once.
    """
    del predictions
    rows, times, portraits = list[dict[str, Any]](), list[pd.DataFrame](), list[pd.DataFrame]()
    quantities, logarithms, chosen = Quantities(), dict[str, np.ndarray](), list[tuple[dict[str, Any], np.ndarray]]()
    for arm in settings.arms:
        found = read_runs(arm.name, blocks[arm.name], settings.num_members, AXES, "trials")
        head = {"arm": arm.name, "family": settings.families[arm.name], "method": settings.methods[arm.name]}
        sizes = settings.ensemble_sizes[: found["score"].shape[1]]
        for index, size in enumerate(sizes):
            own = {metric: found[metric][:, index].astype(np.float64) for metric in METRICS}
            for metric, trials in own.items():
                over = {"mean": trials.mean(), "std": sample_std(trials), "median": np.median(trials)}
                rows.append(head | {"ensemble_size": size, "metric": metric, **over, "num": len(trials)})
            _add(quantities, arm.name, size, own)
            times.append(_by_time(head | {"ensemble_size": size}, found["error_by_time"][:, index], settings.interval))
            if arm.symmetry is not None:
                work = storage.read_arrays(blocks[arm.name][0], ["multiplications"], "train")["multiplications"]
                both = own["score"], own["equivariance_error"]
                chosen.append((choice(arm.name, arm.symmetry, size, float(work[0]), *both), own["score"]))
            if size > 1:
                single = np.log10(found["equivariance_error"][:, 0].astype(np.float64))
                gain = single - np.log10(own["equivariance_error"])
                text = f"decades by which velocities of ensembles of {size} are more equivariant"
                quantities.add(f"ensemble_gain/{arm.name}/{size}", Estimate.mean(gain), text)
        logarithms[arm.name] = np.log10(found["score"][:, 0].astype(np.float64))
        portraits += _portraits(arm.name, blocks[arm.name], settings, with_truth=not portraits)
    for arm in settings.arms:
        if arm.compare_to is not None:
            ratio = Estimate.mean(logarithms[arm.name] - logarithms[arm.compare_to])
            text = f"log10 of the error of rollouts over that of {arm.compare_to}, trial by trial"
            quantities.add(f"log_ratio/{arm.name}/{arm.compare_to}", ratio, text)
    add_equal_work(chosen, quantities)
    return {
        "rollouts": pd.DataFrame(rows),
        "errors_by_time": pd.concat(times, ignore_index=True),
        "portraits": pd.concat(portraits, ignore_index=True),
        "choices": choices_table([row for row, _ in chosen]),
        "quantities": quantities.table(),
    }


def _add(quantities: Quantities, arm: str, size: int, own: dict[str, np.ndarray]) -> None:
    for metric, trials in own.items():
        words = METRICS[metric]
        if size == 1:
            quantities.add(f"{metric}/{arm}", Estimate.mean(trials), words)
        else:
            quantities.add(
                f"ensemble_{metric}/{arm}/{size}", Estimate.mean(trials), f"{words}, ensembles of {size} networks"
            )
    if size == 1:
        quantities.add(f"median_score/{arm}", Estimate.median(own["score"]), f"{METRICS['score']}, median of trials")


def _by_time(head: dict[str, Any], errors: np.ndarray, interval: float) -> pd.DataFrame:
    """Returns the errors [R, T] of trials by time."""
    errors = errors.astype(np.float64)
    columns = {"mean": np.exp(np.log(errors).mean(0)), "low": errors.min(0), "high": errors.max(0)}
    return pd.DataFrame({**head, "time": interval * np.arange(errors.shape[1]), **columns})


def _portraits(arm: str, paths: Sequence[Path], settings: DynamicsSummary, with_truth: bool) -> list[pd.DataFrame]:
    """Returns the rollouts that the arm's first block keeps, and the true ones if asked for."""
    first = in_order(arm, paths, "train", settings.num_members, "trials")[0][0]
    arrays = storage.read_arrays(first, ["rollouts", "true_rollouts"], "train")
    parts = []
    for name, key in ((arm, "rollouts"), *([("truth", "true_rollouts")] if with_truth else [])):
        for trajectory, states in enumerate(arrays[key]):
            columns = dict(zip(STATES, states.T.astype(np.float64), strict=True))
            time = settings.interval * np.arange(len(states))
            parts.append(pd.DataFrame({"arm": name, "trajectory": trajectory, "time": time, **columns}))
    return parts
