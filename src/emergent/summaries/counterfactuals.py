"""Summary of experiments of kind ``counterfactuals``: how far from the manifold samples end, and who else is convinced.

Distances of one trial scatter by orders of magnitude: typical is their median, and ratios are in decades. As published,
only samples that reach the target count; how many do is a number of its own.

References:
    Dombrowski, Gerken, Müller and Kessel, Diffeomorphic counterfactuals with generative models, arXiv:2206.05075.
"""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.counterfactuals import CounterfactualSummary
from emergent.errors import DataError
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

SPACES = ("x", "z")
MEASURES = {
    "distance": ("median", "distance from the manifold"),
    "likelihood": ("median", "negative log-likelihood by the flow"),
    "shift": ("median", "distance moved"),
    "steps": ("mean", "steps of the attack"),
    "transfer": ("mean", "part of judges that see the target class"),
    "reached": ("mean", "part of samples that reach the target"),
}
STARTS = ("distance", "likelihood", "transfer")
AXES = dict.fromkeys((*MEASURES, *(f"start_{name}" for name in STARTS), "round_trip", "accuracy"), 0)
TINY = 1e-12
"""Below every distance: rounding of samples in single precision is larger."""
PATH_POINTS, CURVE_POINTS = 60, 161


def summarise_counterfactuals(settings: CounterfactualSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``attacked``, ``attack_means``, ``attack_tests``, ``shown``, ``paths`` and ``quantities``.

    ``attacked`` (arm, networks, space, trial, sample, distance, reached): distances of all samples; networks are those
    of what is attacked, and 0 in rows of space ``start``, samples as they were.

    ``attack_means`` (arm, networks, space, metric, mean, stderr, num): medians or means over the samples of a trial
    that reach the target (of steps, over all), mean over trials.

    ``attack_tests`` (arm, networks, log_ratio, stderr, largest_p, num, pairs): decades between the median distances of
    X and Z; the p-value is that of Wilcoxon's signed-rank test that distances in X, sample by sample, are not larger
    than in Z, the largest over trials; pairs are the fewest samples of a trial that reach the target in both.

    ``shown`` (arm, networks, space, sample, coordinate, value): samples of the first trial; ``paths`` (arm, networks,
    space, sample, step, x, y, z) on the way there, of points, and the helix itself as space ``curve``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every trial once, or other sizes than configured; or in no trial a
            sample reaches the target in both spaces.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "trials of every arm")
    sizes = (1, settings.ensemble)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("attacked", "attack_means", "attack_tests")}
    pictures: dict[str, list[pd.DataFrame]] = {"shown": [], "paths": []}
    found: dict[str, dict[str, np.ndarray]] = {}
    for facts in settings.arms:
        arm = facts.name
        runs = read_runs(arm, blocks[arm], settings.num_members, AXES, "trials")
        if runs["distance"].shape[1:3] != (len(sizes), len(SPACES)):
            raise DataError(f"arm {arm}: attacks of {runs['distance'].shape[1]} sizes in {runs['distance'].shape[2]} "
                            f"spaces, expected {len(sizes)} in {len(SPACES)}; train again.")  # fmt: skip
        found[arm] = {name: _typical(runs, name) for name in MEASURES}
        tables["attacked"].append(_samples(arm, sizes, runs))
        tables["attack_means"].append(_means(arm, sizes, runs, found[arm], quantities))
        tables["attack_tests"].append(_tests(arm, sizes, runs, found[arm], quantities))
        _add_ensembles(arm, settings.ensemble, found[arm], quantities)
        error = Estimate.exact(float(runs["round_trip"].max()), "largest", runs["round_trip"].size)
        quantities.add(f"round_trip/{arm}", error, "largest error of the way to latent space and back")
        if facts.compare_to is None:
            accuracy = Estimate.mean(runs["accuracy"].mean(1))
            quantities.add(f"accuracy/{arm}", accuracy, "of single classifiers on test samples")
        for name, table in _pictures(arm, sizes, min(blocks[arm]), settings.reach).items():
            pictures[name].append(table)
    for facts in settings.arms:
        if facts.compare_to is not None:
            _add_control(facts.name, facts.compare_to, sizes, found, quantities)
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in (tables | pictures).items() if parts}
    return {**joined, "quantities": quantities.table()}


def _typical(runs: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Returns medians or means over samples that arrive [trials, sizes, spaces]; NaN where none does."""
    values = runs[name].astype(np.float64)
    counts = np.ones(values.shape, bool) if name in ("reached", "steps") else runs["reached"].astype(bool)
    middle = np.median if MEASURES[name][0] == "median" else np.mean
    rows = zip(values.reshape(-1, values.shape[-1]), counts.reshape(-1, values.shape[-1]), strict=True)
    found = [float(middle(row[chosen])) if chosen.any() else math.nan for row, chosen in rows]
    return np.array(found).reshape(values.shape[:-1])


def _mean(values: np.ndarray, what: str) -> Estimate:
    """Returns the mean over trials, of those in which samples arrive.

    Raises:
        DataError: there is none.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        raise DataError(f"{what}: no sample of any trial reaches the target; raise attack.num_steps and train again.")
    return Estimate.mean(known)


def _samples(arm: str, sizes: tuple[int, ...], runs: dict[str, np.ndarray]) -> pd.DataFrame:
    trial, sample = (axis.reshape(-1) for axis in np.indices(runs["start_distance"].shape))
    parts = [pd.DataFrame({"networks": 0, "space": "start", "trial": trial, "sample": sample,
                           "distance": runs["start_distance"].reshape(-1), "reached": 1})]  # fmt: skip
    for (index, size), (place, space) in itertools.product(enumerate(sizes), enumerate(SPACES)):
        own = {name: runs[name][:, index, place].reshape(-1) for name in ("distance", "reached")}
        parts.append(pd.DataFrame({"networks": size, "space": space, "trial": trial, "sample": sample, **own}))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "arm", arm)
    return table


def _means(
    arm: str, sizes: tuple[int, ...], runs: dict[str, np.ndarray], typical: dict[str, np.ndarray],
    quantities: Quantities,
) -> pd.DataFrame:  # fmt: skip
    rows = []

    def add(size: int, space: str, metric: str, estimate: Estimate) -> None:
        rows.append({"arm": arm, "networks": size, "space": space, "metric": metric, "mean": estimate.value,
                     "stderr": estimate.stderr, "num": estimate.num})  # fmt: skip

    for name in STARTS:
        values = runs[f"start_{name}"].astype(np.float64)
        own = np.median(values, -1) if MEASURES[name][0] == "median" else values.mean(-1)
        add(0, "start", name, Estimate.mean(own))
        text = f"{MEASURES[name][1]}, {MEASURES[name][0]} of samples as they were"
        quantities.add(f"{name}/{arm}/start", Estimate.mean(own), text)
    for (index, size), (place, space) in itertools.product(enumerate(sizes), enumerate(SPACES)):
        for name, (what, words) in MEASURES.items():
            text = f"{words}, {what} of samples moved in {space.upper()}, {_attacked(size)} attacked"
            estimate = _mean(typical[name][:, index, place], f"arm {arm}, {text}")
            add(size, space, name, estimate)
            quantities.add(f"{name}/{arm}/{space}/{size}", estimate, text)
    return pd.DataFrame(rows)


def _attacked(size: int) -> str:
    return "one network" if size == 1 else f"an ensemble of {size}"


def decades(values: np.ndarray) -> np.ndarray:
    """Returns logarithms to base 10 of distances."""
    return np.log10(np.maximum(values, TINY))


def signed_rank(larger: np.ndarray, smaller: np.ndarray) -> float:
    """Returns the p-value of Wilcoxon's signed-rank test, one-sided: small if the first are larger, pair by pair."""
    # Only here: the import takes as long as a small summary.
    from scipy import stats

    return float(stats.wilcoxon(larger, smaller, alternative="greater").pvalue)


def _tests(
    arm: str, sizes: tuple[int, ...], runs: dict[str, np.ndarray], typical: dict[str, np.ndarray],
    quantities: Quantities,
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for index, size in enumerate(sizes):
        words, where = f"{_attacked(size)} attacked", f"arm {arm}, {_attacked(size)} attacked"
        logs, transfer = decades(typical["distance"][:, index]), typical["transfer"][:, index]
        ratio = _mean(logs[:, 0] - logs[:, 1], where)
        text = f"decades between median distances in X and in Z, {words}"
        quantities.add(f"log_ratio/{arm}/{size}", ratio, text)
        both: Any = np.all(runs["reached"][:, index] == 1, axis=1)
        pairs = [own[:, chosen] for own, chosen in zip(runs["distance"][:, index].astype(float), both, strict=True)]
        # Without a pair nothing is told.
        largest = max(signed_rank(*pair) if pair.size else 1.0 for pair in pairs)
        log_p = Estimate.exact(float(np.log10(max(largest, 1e-300))), "largest", len(both))
        text = f"log10 of the p-value of Wilcoxon's test that distances in X are larger, the largest of trials, {words}"
        quantities.add(f"log_p/{arm}/{size}", log_p, text)
        text = f"part of judges that see the target, in Z minus in X, {words}"
        quantities.add(f"transfer_gap/{arm}/{size}", _mean(transfer[:, 1] - transfer[:, 0], where), text)
        rows.append({"arm": arm, "networks": size, "log_ratio": ratio.value, "stderr": ratio.stderr,
                     "largest_p": largest, "num": len(both), "pairs": int(both.sum(-1).min())})  # fmt: skip
    return pd.DataFrame(rows)


def _add_ensembles(arm: str, size: int, typical: dict[str, np.ndarray], quantities: Quantities) -> None:
    """Adds what an attack on an ensemble gains over one on its first network, trial by trial."""
    for place, space in enumerate(SPACES):
        logs = decades(typical["distance"][:, :, place])
        text = f"decades between median distances, one network and an ensemble of {size} attacked in {space.upper()}"
        quantities.add(f"ensemble_distance_gain/{arm}/{space}/{size}", _mean(logs[:, 0] - logs[:, 1], text), text)
        gain = typical["transfer"][:, 1, place] - typical["transfer"][:, 0, place]
        text = (
            f"part of judges that see the target, an ensemble of {size} minus one network attacked in {space.upper()}"
        )
        quantities.add(f"ensemble_transfer_gain/{arm}/{space}/{size}", _mean(gain, text), text)


def _add_control(
    arm: str, other: str, sizes: tuple[int, ...], found: dict[str, dict[str, np.ndarray]], quantities: Quantities
) -> None:
    """Adds how much nearer samples end in another latent space, trial by trial: starts and classifiers are the same."""
    for index, size in enumerate(sizes):
        own, theirs = (decades(found[name]["distance"][:, index, 1]) for name in (arm, other))
        text = f"decades between median distances in Z of {arm} and of {other}, {_attacked(size)} attacked"
        quantities.add(f"log_control/{arm}/{size}", _mean(own - theirs, text), text)


def _pictures(arm: str, sizes: tuple[int, ...], path: Path, reach: float | None) -> dict[str, pd.DataFrame]:
    names = ["originals", "moved", *(["paths"] if reach else [])]
    arrays = storage.read_arrays(path, names, "train")
    shown, ways = [], []
    if reach:
        parameter = np.linspace(-reach, reach, CURVE_POINTS)
        ways.append(pd.DataFrame({"arm": arm, "networks": 0, "space": "curve", "sample": 0,
                                  "step": range(CURVE_POINTS), "x": np.sin(parameter), "y": np.cos(parameter),
                                  "z": parameter}))  # fmt: skip

    def add(size: int, space: str, values: np.ndarray) -> None:
        sample, coordinate = (axis.reshape(-1) for axis in np.indices(values.shape))
        shown.append(pd.DataFrame({"arm": arm, "networks": size, "space": space, "sample": sample,
                                   "coordinate": coordinate, "value": values.reshape(-1)}))  # fmt: skip

    add(0, "start", arrays["originals"][0])
    for (index, size), (place, space) in itertools.product(enumerate(sizes), enumerate(SPACES)):
        add(size, space, arrays["moved"][0, index, place])
        if reach:
            ways.append(_thinned(arrays["paths"][0, index, place], arm=arm, networks=size, space=space))
    return {"shown": pd.concat(shown, ignore_index=True), **({"paths": pd.concat(ways)} if ways else {})}


def _thinned(path: np.ndarray, **keys: object) -> pd.DataFrame:
    """Returns points of paths [T, samples, 3] up to the last step at which one moves, evenly by step."""
    still = np.flatnonzero(np.any(path != path[-1:], axis=(1, 2)))
    last = int(still[-1]) + 1 if len(still) else 0
    steps = np.unique(np.linspace(0, last, min(PATH_POINTS, last + 1)).round().astype(int))
    step, sample = (axis.reshape(-1) for axis in np.meshgrid(steps, np.arange(path.shape[1]), indexing="ij"))
    values = path[steps].reshape(-1, 3)
    return pd.DataFrame({**keys, "sample": sample, "step": step, "x": values[:, 0], "y": values[:, 1],
                         "z": values[:, 2]})  # fmt: skip
