"""Summary of experiments of kind ``data_efficiency``: test and equivariance errors by size of the training set.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on learning with few samples.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.data_efficiency import DataEfficiencySummary
from emergent.errors import DataError
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.choices import add_equal_work, choice, choices_table
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

METRICS = {"mse": "mean squared test error", "equivariance_error": "equivariance error"}
AXES = dict.fromkeys(METRICS, 1)


def summarise_data_efficiency(settings: DataEfficiencySummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``efficiency``, ``choices`` (``emergent.summaries.choices``) and ``quantities``.

    ``efficiency`` (arm, size, ensemble_size, metric, mean, std, num): over trials. Quantities are
    ``<metric>/<arm>/<n>`` of single networks, ``ensemble_<metric>/<arm>/<M>/<n>`` of ensembles of M,
    ``ensemble_gain/<arm>/<M>/<n>`` the
    logarithm to base 10 of the equivariance error of single networks over that of ensembles, trial by trial, and
    ``log_ratio/<arm>/<other>/<n>`` that of the test error of an arm over that of the one it is compared with, which has
    the same samples in every trial.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every trial once, or other sizes than configured.
    """
    del predictions
    rows: list[dict[str, Any]] = []
    chosen: list[tuple[dict[str, Any], np.ndarray]] = []
    quantities, logarithms = Quantities(), dict[str, np.ndarray]()
    for arm in settings.arms:
        found = read_runs(arm.name, blocks[arm.name], settings.num_members, AXES, "trials")
        sizes, ensembles = _axes(arm.name, settings, blocks)
        work = storage.read_arrays(blocks[arm.name][0], ["multiplications"], "train")["multiplications"]
        mse, asymmetry = (found[metric].astype(np.float64) for metric in METRICS)
        # From the largest training set: what is left then is not for want of samples.
        chosen += [
            (choice(arm.name, arm.symmetry, number, work[-1], mse[-1, :, j], asymmetry[-1, :, j]), mse[-1, :, j])
            for j, number in enumerate(ensembles)
        ]
        for metric, words in METRICS.items():
            values = found[metric].astype(np.float64)
            for i, size in enumerate(sizes):
                for j, number in enumerate(ensembles):
                    trials = values[i, :, j]
                    head = {"arm": arm.name, "size": size, "ensemble_size": number, "metric": metric}
                    rows.append(head | {"mean": trials.mean(), "std": sample_std(trials), "num": len(trials)})
                    if number == 1:
                        quantities.add(f"{metric}/{arm.name}/{size}", Estimate.mean(trials), f"{words}, {size} samples")
                        continue
                    text = f"{words} of ensembles of {number}, {size} samples"
                    quantities.add(f"ensemble_{metric}/{arm.name}/{number}/{size}", Estimate.mean(trials), text)
                    if metric == "equivariance_error":
                        gain = Estimate.mean(np.log10(values[i, :, 0]) - np.log10(trials))
                        text = f"decades by which ensembles of {number} are more equivariant, {size} samples"
                        quantities.add(f"ensemble_gain/{arm.name}/{number}/{size}", gain, text)
        logarithms[arm.name] = np.log10(found["mse"][:, :, 0].astype(np.float64))
    for arm in settings.arms:
        if arm.compare_to is not None:
            ratios = logarithms[arm.name] - logarithms[arm.compare_to]
            for size, values in zip(settings.sizes, ratios, strict=True):
                name = f"log_ratio/{arm.name}/{arm.compare_to}/{size}"
                text = f"log10 of the test error over that of {arm.compare_to}, trial by trial, {size} samples"
                quantities.add(name, Estimate.mean(values), text)
    add_equal_work(chosen, quantities)
    return {
        "efficiency": pd.DataFrame(rows),
        "choices": choices_table([row for row, _ in chosen]),
        "quantities": quantities.table(),
    }


def _axes(arm: str, settings: DataEfficiencySummary, blocks: Blocks) -> tuple[list[int], list[int]]:
    path = blocks[arm][0]
    read = storage.read_arrays(path, ["sizes", "ensemble_sizes"], "train")
    sizes, ensembles = ([int(value) for value in read[name]] for name in ("sizes", "ensemble_sizes"))
    if sizes != list(settings.sizes):
        raise DataError(f"{path}: training sets of {sizes} samples, expected {list(settings.sizes)}; train again.")
    return sizes, ensembles
