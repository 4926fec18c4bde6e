"""Summary of experiments of kind ``risk_gap``: risks by size, estimator and group, beside what theory says of them.

References:
    S. Villar's talk "Exact and approximate symmetries in machine learning models": risk gap, linear regression.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.risk_gap import ESTIMATORS, GapSummary, LinearTask
from emergent.statistics.estimate import Estimate, standard_error
from emergent.statistics.jackknife import jackknifed
from emergent.statistics.linear_risks import Theory, crossing, fitted_crossing
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

AUGMENTATION = ("asymmetry", "from_tied", "apart", "apart_invariant")
RUNS = ("excess", "median", "trial", *AUGMENTATION)


class _Arm(NamedTuple):
    """What is known of one arm; risks [M, sizes, estimators, groups], augmentation [M, sizes, groups]."""

    name: str
    task: LinearTask
    sizes: Float[np.ndarray, " S"]
    runs: dict[str, np.ndarray]
    theory: dict[str, Theory]
    characters: dict[str, float]

    def risks(self, what: str, estimator: str, group: str) -> Float[np.ndarray, "M S"]:
        """Returns what was found with one estimator under one group."""
        names: list[str] = [*ESTIMATORS[self.task.outputs]]
        return self.runs[what][:, :, names.index(estimator), list(self.theory).index(group)]


def summarise_risk_gap(settings: GapSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``risks``, ``gaps``, ``crossings`` and ``quantities``.

    ``risks`` (arm, size, estimator, group, symbol, clusters, noise, mean, stderr, median, theory, trial, trial_stderr,
    num): mean risk above the noise and what theory says (NaN where no closed form is known); ``trial`` is the mean
    test error of the first training sets, noise included. Gradient descent diverges on some training sets, and only its
    median means anything.

    ``gaps`` (arm, group, symbol, clusters, dimension, characters, size, gap, stderr, theory, score, asymmetry,
    from_tied, apart, apart_invariant, num): risk of least squares minus that of its projection, and augmentation
    beside projection.

    ``crossings`` (arm, estimator, smaller, larger, size, stderr, theory).

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every repetition once.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "repetitions, each of many training sets")
    risks, gaps, crossings = [], [], []
    for name, task in ((arm.name, settings.tasks[arm.name]) for arm in settings.arms):
        runs = read_runs(name, blocks[name], settings.num_members, dict.fromkeys(RUNS, 0), "repetitions")
        facts = storage.read_arrays(blocks[name][0], ["dimension", "bias", "characters"], "train")
        theory = {
            group: Theory(task.dimension, task.num_outputs, int(dimension), float(bias), task.noise_std**2)
            for group, dimension, bias in zip(task.groups, facts["dimension"], facts["bias"], strict=True)
        }
        characters = dict(zip(task.groups, map(float, facts["characters"]), strict=True))
        arm = _Arm(name, task, np.asarray(settings.sizes, float), runs, theory, characters)
        risks += _risk_rows(arm)
        gaps += _gap_rows(arm, quantities)
        if name in settings.crossings:
            crossings += _crossing_rows(arm, settings.crossings[name], quantities)
    columns = ["arm", "estimator", "smaller", "larger", "size", "stderr", "theory"]
    return {
        "risks": pd.DataFrame(risks),
        "gaps": pd.DataFrame(gaps),
        "crossings": pd.DataFrame(crossings, columns=columns),
        "quantities": quantities.table(),
    }


def _risk_rows(arm: _Arm) -> list[dict[str, object]]:
    rows = []
    for estimator in ESTIMATORS[arm.task.outputs]:
        for group, theory in arm.theory.items():
            expected = theory.excess(arm.sizes, estimator)
            excess, median, trial = (arm.risks(what, estimator, group) for what in ("excess", "median", "trial"))
            symbol, clusters = arm.task.groups[group].symbol, len(arm.task.groups[group].clusters)
            for index, size in enumerate(arm.sizes):
                own, one = excess[:, index], trial[:, index]
                rows.append({"arm": arm.name, "size": int(size), "estimator": estimator, "group": group,
                             "symbol": symbol, "clusters": clusters, "noise": theory.noise * theory.outputs,
                             "mean": own.mean(), "stderr": standard_error(own), "median": median[:, index].mean(),
                             "theory": expected[index], "trial": one.mean(), "trial_stderr": standard_error(one),
                             "num": len(own)})  # fmt: skip
    return rows


def _gap_rows(arm: _Arm, quantities: Quantities) -> list[dict[str, object]]:
    rows = []
    trivial = next(name for name, group in arm.task.groups.items() if set(group.clusters) == {1})
    plain = arm.risks("excess", "projected", trivial)
    for index, (group, theory) in enumerate(arm.theory.items()):
        name, clusters = f"{arm.name}/{group}", arm.task.groups[group].clusters
        mismatch = max(abs(theory.dimension - arm.characters[group]), abs(theory.dimension - _counted(arm, group)))
        quantities.add(f"dimension_mismatch/{name}", Estimate.exact(mismatch),
                       "dimension by orbits against that by characters and by the sizes of the clusters")  # fmt: skip
        if group == trivial:
            continue
        found, expected = plain - arm.risks("excess", "projected", group), theory.gap(arm.sizes)
        # What projection misses of the truth is no matter of chance: the rest is.
        _add_ratio(quantities, f"gap_ratio/{name}", found + theory.bias, expected + theory.bias,
                   "noise that projection removes over its theory")  # fmt: skip
        if np.isfinite(theory.excess(arm.sizes, "tied")).all():
            tied = arm.risks("excess", "tied", group) - theory.bias
            _add_ratio(quantities, f"tied_ratio/{name}", tied, theory.excess(arm.sizes, "tied") - theory.bias,
                       "noise that tied least squares keeps over its theory")  # fmt: skip
        augmentation = {what: arm.runs[what][:, :, index] for what in AUGMENTATION}
        _add_augmentation(quantities, name, arm, group, augmentation)
        for step, size in enumerate(arm.sizes):
            estimate = Estimate.mean(found[:, step])
            quantities.add(f"gap/{name}/{int(size)}", estimate, "risk of least squares minus that of its projection")
            rows.append({"arm": arm.name, "group": group, "symbol": arm.task.groups[group].symbol,
                         "clusters": "+".join(map(str, clusters)), "dimension": theory.dimension,
                         "characters": arm.characters[group], "size": int(size), "gap": estimate.value,
                         "stderr": estimate.stderr, "theory": expected[step],
                         "score": (estimate.value - expected[step]) / estimate.stderr, "num": estimate.num,
                         "asymmetry": augmentation["asymmetry"][:, step].max(),
                         "from_tied": augmentation["from_tied"][:, step].max(),
                         "apart": augmentation["apart"][:, step].mean(),
                         "apart_invariant": augmentation["apart_invariant"][:, step].max()})  # fmt: skip
    return rows


def _counted(arm: _Arm, group: str) -> int:
    """Returns the dimension by the sizes of the clusters: k, or k^2 and one more for each cluster of two or more."""
    clusters = arm.task.groups[group].clusters
    return len(clusters) if arm.task.outputs == "scalar" else len(clusters) ** 2 + sum(size > 1 for size in clusters)


def _add_ratio(
    quantities: Quantities, name: str, found: Float[np.ndarray, "M S"], expected: Float[np.ndarray, " S"], words: str
) -> None:
    """Adds the mean over sizes of what was found over theory; not weighted by errors, which are small where it is."""
    estimate = Estimate.mean((found / expected).mean(1))
    quantities.add(name, estimate, f"{words}, mean over all sizes; 1 where theory is right")


def _add_augmentation(
    quantities: Quantities, name: str, arm: _Arm, group: str, found: dict[str, Float[np.ndarray, "M S"]]
) -> None:
    words = {
        "asymmetry": "distance of least squares on all permuted copies from its own projection, largest",
        "from_tied": "distance of least squares on all permuted copies from that among equivariant maps, largest",
        "apart_invariant": "the same from the projection of plain least squares, inputs of invariant second moment",
    }
    for what, text in words.items():
        quantities.add(f"augmented_{what}/{name}", Estimate.exact(float(found[what].max()), "largest"), text)
    text = "distance of least squares on all permuted copies from projected least squares, smallest training sets"
    quantities.add(f"augmented_apart/{name}", Estimate.mean(found["apart"][:, 0]), text)
    both = np.stack([arm.risks("excess", estimator, group)[:, 0] for estimator in ("augmented", "projected")], 1)
    text = "risk above the noise, augmented over projected least squares, smallest training sets"
    quantities.add(f"augmented_over_projected/{name}", jackknifed(ratio_of_means, both, "ratio"), text)


def ratio_of_means(pairs: Float[np.ndarray, "M 2"]) -> float:
    """Returns the mean of the first over that of the second, which come from the same samples and share their noise."""
    first, second = pairs.mean(0)
    return float(first / second)


def _crossing_rows(arm: _Arm, pair: tuple[str, str], quantities: Quantities) -> list[dict[str, object]]:
    smaller, larger = pair
    rows = []
    for estimator in ("projected", "tied"):
        found = arm.risks("excess", estimator, larger) - arm.risks("excess", estimator, smaller)
        estimate = jackknifed(
            lambda some: fitted_crossing(arm.sizes, some.mean(0), arm.task.dimension).size, found, "fit"
        )
        text = f"size at which {larger} stops to be better than {smaller}, {estimator}"
        quantities.add(f"crossing/{arm.name}/{estimator}", estimate, text)
        theory = crossing(arm.theory[smaller], arm.theory[larger]) if estimator == "projected" else float("nan")
        rows.append({"arm": arm.name, "estimator": estimator, "smaller": smaller, "larger": larger,
                     "size": estimate.value, "stderr": estimate.stderr, "theory": theory})  # fmt: skip
    return rows
