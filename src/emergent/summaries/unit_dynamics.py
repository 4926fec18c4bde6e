"""Summary of experiments of kind ``unit_dynamics``: errors of rollouts in the units of training, in others, and beyond.

References:
    arXiv 2204.00887, experiment on a double pendulum of springs.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.unit_dynamics import UnitSummary
from emergent.config.unit_dynamics_training import TESTS
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.choices import add_equal_work, choice, choices_table
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

WORDS = {
    "same_law": "pendulums as in training",
    "new_unit": "these in another unit of mass",
    "returned": "these in another unit of mass, compared in that of training",
    "wide": "pendulums of a wider range",
}
AXES = {"score": 0, "lost": 0, "unit_error": 0, "error_by_time": 0, "left_out": 0}


def summarise_unit_dynamics(settings: UnitSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``followed``, ``unit_errors``, ``errors_by_time``, ``choices`` and ``quantities``.

    ``followed`` (arm, test, ensemble_size, mean, std, median, lost, num): errors of rollouts over trials, and the
    fraction that left the range of numbers. ``unit_errors`` (arm, ensemble_size, mean, std, num): of velocities under
    changes of the unit of mass. ``errors_by_time`` (arm, test, ensemble_size, time, mean, low, high): geometric means
    over trials, smallest and largest. ``choices`` (``emergent.summaries.choices``): its test errors are those of
    rollouts of pendulums as in training, its errors of equivariance those of ``unit_errors``.

    Quantities are ``score/<arm>/<test>`` and ``unit_error/<arm>`` of single networks,
    ``ensemble_score/<arm>/<test>/<M>`` and ``ensemble_unit_error/<arm>/<M>`` of ensembles of M, ``left_out/<arm>``
    the fraction of steps of training whose gradient was not finite; as logarithms to base 10, trial by trial:
    ``ensemble_gain/<arm>/<M>``, the unit error of single networks over that of ensembles, ``growth/<arm>/<test>``,
    the error in a test over that on pendulums as in training, and ``log_ratio/<arm>/<other>/<test>``, the error of an
    arm over that of the one it is compared with. ``equal_work/<arm>`` is that of ``emergent.summaries.choices``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every trial once.
    """
    del predictions
    rows, units, times = list[dict[str, Any]](), list[dict[str, Any]](), list[pd.DataFrame]()
    quantities, logarithms, chosen = Quantities(), dict[str, np.ndarray](), list[tuple[dict[str, Any], np.ndarray]]()
    for arm in settings.arms:
        found = read_runs(arm.name, blocks[arm.name], settings.num_members, AXES, "trials")
        scores = found["score"].astype(np.float64)
        work = storage.read_arrays(blocks[arm.name][0], ["multiplications"], "train")["multiplications"]
        for index, size in enumerate(settings.ensemble_sizes[: scores.shape[2]]):
            head = {"arm": arm.name, "ensemble_size": size}
            own = found["unit_error"][:, index].astype(np.float64)
            units.append({**head, **_over_trials(own)})
            _add(quantities, "unit_error", arm.name, size, own, "error of velocities under changes of the unit of mass")
            usual = scores[:, TESTS.index("same_law"), index]
            # Without augmentation ensembles are no way to come by a symmetry.
            if size == 1 or arm.symmetry == "augmented":
                chosen.append((choice(arm.name, arm.symmetry, size, float(work[0]), usual, own), usual))
            for place, test in enumerate(TESTS):
                trials = scores[:, place, index]
                lost = float(found["lost"][:, place, index].mean())
                over = {**_over_trials(trials), "median": float(np.median(trials)), "lost": lost}
                rows.append({**head, "test": test, **over})
                words = f"relative error of rollouts, {WORDS[test]}"
                _add(quantities, "score", f"{arm.name}/{test}", size, trials, words)
                errors = found["error_by_time"][:, place, index].astype(np.float64)
                columns = {"mean": np.exp(np.log(errors).mean(0)), "low": errors.min(0), "high": errors.max(0)}
                time = settings.interval * np.arange(errors.shape[1])
                times.append(pd.DataFrame({**head, "test": test, "time": time, **columns}))
            if size > 1:
                gain = np.log10(found["unit_error"][:, 0].astype(np.float64) / own)
                text = f"decades by which velocities of ensembles of {size} miss changes of units less"
                quantities.add(f"ensemble_gain/{arm.name}/{size}", Estimate.mean(gain), text)
        text = "fraction of steps of training whose gradient was not finite"
        quantities.add(f"left_out/{arm.name}", Estimate.mean(found["left_out"].astype(np.float64)), text)
        logarithms[arm.name] = np.log10(scores[:, :, 0])
        for place, test in enumerate(TESTS[1:], 1):
            growth = Estimate.mean(logarithms[arm.name][:, place] - logarithms[arm.name][:, 0])
            text = f"log10 of the error of rollouts over that on pendulums as in training, {WORDS[test]}"
            quantities.add(f"growth/{arm.name}/{test}", growth, text)
    for arm in settings.arms:
        if arm.compare_to is not None:
            ratio = logarithms[arm.name] - logarithms[arm.compare_to]
            for place, test in enumerate(TESTS):
                text = f"log10 of the error of rollouts over that of {arm.compare_to}, {WORDS[test]}"
                quantities.add(f"log_ratio/{arm.name}/{arm.compare_to}/{test}", Estimate.mean(ratio[:, place]), text)
    add_equal_work(chosen, quantities)
    return {
        "followed": pd.DataFrame(rows),
        "unit_errors": pd.DataFrame(units),
        "errors_by_time": pd.concat(times, ignore_index=True),
        "choices": choices_table([row for row, _ in chosen]),
        "quantities": quantities.table(),
    }


def _over_trials(values: np.ndarray) -> dict[str, float]:
    return {"mean": float(values.mean()), "std": sample_std(values), "num": len(values)}


def _add(quantities: Quantities, name: str, of: str, size: int, trials: np.ndarray, words: str) -> None:
    if size == 1:
        quantities.add(f"{name}/{of}", Estimate.mean(trials), words)
    else:
        quantities.add(f"ensemble_{name}/{of}/{size}", Estimate.mean(trials), f"{words}, ensembles of {size} networks")
