"""Summary of experiments of kind ``wilson_loops``: errors by lattice, errors of symmetries by the size of ensembles.

Networks of one kind scatter by orders of magnitude: everything is in decades, and typical is the median.

References:
    arXiv:2012.12901, Wilson loops of SU(2) in 1+1 dimensions.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.wilson_loops import LoopSummary
from emergent.errors import DataError
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

AXES: dict[str, int] = dict.fromkeys(("mse", "turned", "gauged"), 0)
METRICS = {
    "mse": "mean squared error",
    "rotation": "mean squared change under the point group",
    "gauge": "mean squared change under gauge transformations",
}
TINY = 1e-30
"""Below every error that single precision can have; a network may be invariant to the last bit."""


def summarise_wilson_loops(settings: LoopSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``lattices``, ``ensembles`` and ``quantities``.

    ``lattices`` (arm, lattice, median, low, high, num): mean squared test error of networks; low and high are the
    smallest and the largest.

    ``ensembles`` (arm, ensemble_size, metric, median, low, high, num): the same of disjoint ensembles on the samples
    that were also moved, and how much their outputs change, mean squared, when links are moved by the other elements of
    D4, and outputs moved back, or are gauge transformed.

    Quantities are logarithms to base 10: ``log_mse/<arm>/<lattice>`` (median of networks), ``largest_log_mse``,
    ``growth/<arm>/<lattice>`` (from the first lattice on, network by network), ``log_<metric>/<arm>/<M>`` (median of
    ensembles), ``ensemble_gain/<metric>/<arm>/<M>`` (mean of the members of an ensemble minus it) and
    ``log_ratio/<arm>/<lattice>`` to the arm that it is compared with.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every network once, or other lattices than configured.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "networks of every arm")
    lattices, ensembles, typical = [], [], dict[str, list[Estimate]]()
    for arm in (facts.name for facts in settings.arms):
        runs = read_runs(arm, blocks[arm], settings.num_members, AXES, "networks")
        targets = _targets(blocks[arm][0], settings)
        logs = np.log10(np.maximum(runs["mse"], TINY))
        typical[arm] = []
        for index, size in enumerate(settings.sizes):
            lattices.append({"arm": arm, "lattice": size, **_range(logs[:, index])})
            median = Estimate.median(logs[:, index])
            typical[arm].append(median)
            text = f"log10 of the mean squared error on lattices of {size} x {size}"
            quantities.add(f"log_mse/{arm}/{size}", median, f"{text}, median of networks")
            largest = Estimate.exact(float(logs[:, index].max()), "largest", len(logs))
            quantities.add(f"largest_log_mse/{arm}/{size}", largest, f"{text}, largest")
            if index:
                growth = Estimate.mean(logs[:, index] - logs[:, 0])
                quantities.add(f"growth/{arm}/{size}", growth, f"{text}, minus that on the smallest")
        ensembles += _ensembles(arm, settings, runs, targets, quantities)
    for facts in settings.arms:
        if facts.compare_to is not None:
            for index, size in enumerate(settings.sizes):
                ratio = typical[facts.name][index].minus(typical[facts.compare_to][index])
                text = f"decades between medians of the error on {size} x {size} and that of {facts.compare_to}"
                quantities.add(f"log_ratio/{facts.name}/{size}", ratio, text)
    return {
        "lattices": pd.DataFrame(lattices),
        "ensembles": pd.DataFrame(ensembles),
        "quantities": quantities.table(),
    }


def _targets(path: Path, settings: LoopSummary) -> np.ndarray:
    read = storage.read_arrays(path, ["sizes", "targets"], "train")
    sizes = [int(size) for size in read["sizes"]]
    if sizes != list(settings.sizes):
        raise DataError(f"{path}: lattices of {sizes} sites a side, expected {list(settings.sizes)}; train again.")
    return read["targets"]


def _range(logs: np.ndarray) -> dict[str, object]:
    low, middle, high = (float(10 ** function(logs)) for function in (np.min, np.median, np.max))
    return {"median": middle, "low": low, "high": high, "num": len(logs)}


def errors_of(turned: np.ndarray, gauged: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Returns the three errors, mean squares, of outputs in double precision.

    Args:
        turned: on links moved by elements of D4, moved back [G, N, L, L]; element 0 is the identity.
        gauged: on gauge transformed links [N, L, L].
        targets: the same.
    """
    return {
        "mse": float(np.square(turned[0] - targets).mean()),
        "rotation": float(np.square(turned[1:] - turned[:1]).mean()),
        "gauge": float(np.square(gauged - turned[0]).mean()),
    }


def _ensembles(
    arm: str, settings: LoopSummary, runs: dict[str, np.ndarray], targets: np.ndarray, quantities: Quantities
) -> list[dict[str, object]]:
    turned, gauged = (runs[name].astype(np.float64) for name in ("turned", "gauged"))
    logs: dict[int, pd.DataFrame] = {}
    rows: list[dict[str, object]] = []
    for size in settings.ensemble_sizes:
        found = pd.DataFrame([
            errors_of(turned[first:stop].mean(0), gauged[first:stop].mean(0), targets)
            for first, stop in disjoint_ensembles(size, settings.num_members)
        ])  # fmt: skip
        logs[size] = np.log10(found.clip(lower=TINY))
        for metric, words in METRICS.items():
            own = logs[size][metric].to_numpy()
            rows.append({"arm": arm, "ensemble_size": size, "metric": metric, **_range(own)})
            text = f"log10 of the {words}, ensembles of {size}"
            # Of single networks the error is there already, by lattice.
            if size > 1 or metric != "mse":
                quantities.add(f"log_{metric}/{arm}/{size}" if metric != "mse" else f"log_ensemble_mse/{arm}/{size}",
                               Estimate.median(own), f"{text}, median")  # fmt: skip
            if size > 1:
                members = logs[1][metric].to_numpy()[: size * len(own)].reshape(-1, size).mean(1)
                name = f"ensemble_gain/{metric}/{arm}/{size}"
                quantities.add(name, Estimate.mean(members - own), f"decades, members minus ensemble: {text}")
    return rows
