"""Summary of experiments of kind ``cloud_distance``: distances of point clouds, learnt from features or coordinates.

References:
    arXiv 2405.08097, experiment on distances of point clouds.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.cloud_distance import CloudDistanceSummary
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.choices import add_equal_work, choice, choices_table
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import add_gains, quantity_name, read_runs, require_networks

METRICS = {
    "mse": "mean squared error on test pairs",
    "mse_turned": "mean squared error on test pairs of turned clouds",
    "mse_train": "mean squared error on training pairs",
    "spearman": "rank correlation on test pairs",
    "spearman_train": "rank correlation on training pairs",
    "asymmetry": "error of invariance under rotations",
}
RATIOS = ("mse", "asymmetry")


def summarise_cloud_distance(settings: CloudDistanceSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``distances``, ``pairs``, ``choices`` (``emergent.summaries.choices``) and ``quantities``.

    ``distances`` (arm, ensemble_size, metric, mean, std, num, parameters, start): over trials; start is the error of
    invariance before training. ``pairs`` (arm, ensemble_size, pair, true, predicted): test pairs of the first trial,
    by one network and by the ensemble of all. Quantities are ``<metric>/<arm>`` of single networks,
    ``ensemble_<metric>/<arm>/<M>`` of ensembles, ``ensemble_<metric>_ratio/<arm>`` of the largest ensembles over
    single networks, trial by trial, and ``gain/<arm>``, by how much the test error is below that of the arm it is
    compared with; and ``equal_work/<arm>``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every trial once, or other ensembles than configured.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "trials of every arm")
    rows: list[dict[str, Any]] = []
    pairs, errors, chosen = [], {}, []
    for facts in settings.arms:
        arm = facts.name
        found = read_runs(arm, blocks[arm], settings.num_members, dict.fromkeys(METRICS, 0), "trials")
        first = storage.read_arrays(min(blocks[arm]), ["num_parameters", "multiplications"], "train")
        starts = [storage.read_arrays(path, ["initial_asymmetry"], "train") for path in blocks[arm]]
        own = {
            "parameters": int(first["num_parameters"][0]),
            "start": float(max(found["initial_asymmetry"].max() for found in starts)),
        }
        num = settings.networks[arm]
        require_networks(arm, found["mse"].shape[1], num)
        quantities.add(f"parameters/{arm}", Estimate.exact(own["parameters"]), "parameters of one network")
        for metric, words in METRICS.items():
            for index in range(num):
                trials = found[metric][:, index].astype(np.float64)
                rows.append({"arm": arm, "ensemble_size": index + 1, "metric": metric, "mean": trials.mean(),
                             "std": sample_std(trials), "num": len(trials), **own})  # fmt: skip
                name = quantity_name(metric, arm, index + 1)
                text = words if index == 0 else f"{words}, ensembles of {index + 1}"
                quantities.add(name, Estimate.mean(trials), text)
        for metric in RATIOS if num > 1 else ():
            ratio = found[metric][:, -1] / found[metric][:, 0]
            text = f"{METRICS[metric]} of ensembles of {num} networks over that of one"
            quantities.add(f"ensemble_{metric}_ratio/{arm}", Estimate.mean(ratio), text)
        errors[arm] = found["mse"][:, 0].astype(np.float64)
        # Without a symmetry ensembles are no way to come by one.
        for index in range(num if facts.symmetry == "augmented" else 1):
            both = (found[name][:, index].astype(np.float64) for name in RATIOS)
            row = choice(arm, facts.symmetry, index + 1, float(first["multiplications"][0]), *both)
            chosen.append((row, found["mse"][:, index]))
        pairs.append(_pairs(arm, min(blocks[arm]), num))
    add_gains(settings.arms, errors, quantities, "test error")
    add_equal_work(chosen, quantities)
    return {
        "choices": choices_table([row for row, _ in chosen]),
        "distances": pd.DataFrame(rows),
        "pairs": pd.concat(pairs, ignore_index=True),
        "quantities": quantities.table(),
    }


def _pairs(arm: str, path: Path, num: int) -> pd.DataFrame:
    arrays = storage.read_arrays(path, ["predictions", "bounds"], "train")
    true = arrays["bounds"].reshape(-1)
    parts = [
        pd.DataFrame({"arm": arm, "ensemble_size": size, "pair": np.arange(len(true)), "true": true,
                      "predicted": arrays["predictions"][0, index].reshape(-1)})
        for size, index in ((1, 0), (num, 1))[: 2 if num > 1 else 1]
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)
