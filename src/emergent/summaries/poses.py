"""Summary of experiments of kind ``poses``: errors of predicted joints by group of permutations and by ensemble size.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on human pose.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.poses import PosesSummary
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.choices import choice, choices_table
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import add_gains, quantity_name, read_runs, require_networks

METRICS = {
    "mpjpe": "mean distance of predicted joints from true ones, mm",
    "p_mpjpe": "the same after the best shift, rotation and scale of every pose, mm",
    "reflection": "mean distance of predictions of reflected poses from reflected predictions, mm",
}


def summarise_poses(settings: PosesSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``joints``, ``choices`` and ``quantities``.

    ``joints`` (arm, ensemble_size, metric, mean, std, num, parameters): errors over trials in millimetres. ``choices``
    (``emergent.summaries.choices``): MPJPE and error of equivariance under reflections of bodies, of arms whose layers
    commute with no permutation of joints; a group of permutations does not hold the reflection. No arm has it built in
    or relaxed, so that nothing is compared at equal work.

    Quantities are ``<metric>/<arm>``, ``ensemble_<metric>/<arm>/<M>``, ``gain/<arm>``, by how much the MPJPE is below
    that of the arm it is compared with, ``ensemble_gain/<arm>``, by how much that of the largest ensembles is below
    that of single networks, and ``reflection_ratio/<arm>``, the error of reflection of the largest ensembles over that
    of single networks.

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
    rows, chosen = list[dict[str, Any]](), list[dict[str, Any]]()
    errors: dict[str, np.ndarray] = {}
    for facts in settings.arms:
        arm = facts.name
        axes = dict.fromkeys([*METRICS, "equivariance_error"], 0)
        found = read_runs(arm, blocks[arm], settings.num_members, axes, "trials")
        first = storage.read_arrays(min(blocks[arm]), ["num_parameters", "multiplications"], "train")
        num, parameters = settings.networks[arm], int(first["num_parameters"][0])
        for metric, text in METRICS.items():
            values = found[metric].astype(np.float64)
            require_networks(arm, values.shape[1], num)
            for index in range(num):
                trials = values[:, index]
                name = quantity_name(metric, arm, index + 1)
                quantities.add(name, Estimate.mean(trials), f"{text}, of {index + 1} networks")
                row = {"arm": arm, "ensemble_size": index + 1, "metric": metric, "mean": trials.mean()}
                rows.append(row | {"std": sample_std(trials), "num": len(trials), "parameters": parameters})
        if facts.symmetry is not None:
            work = float(first["multiplications"][0])
            error, asymmetry = (found[name].astype(np.float64) for name in ("mpjpe", "equivariance_error"))
            # Without a symmetry ensembles are no way to come by one.
            for index in range(num if facts.symmetry == "augmented" else 1):
                both = error[:, index], asymmetry[:, index]
                chosen.append(choice(arm, facts.symmetry, index + 1, work, *both))
        if num > 1:
            error, reflection = found["mpjpe"].astype(np.float64), found["reflection"].astype(np.float64)
            text = f"error of one network minus that of ensembles of {num}, mm, trial by trial"
            quantities.add(f"ensemble_gain/{arm}", Estimate.mean(error[:, 0] - error[:, -1]), text)
            text = f"error of reflection of ensembles of {num} over that of one network, trial by trial"
            quantities.add(f"reflection_ratio/{arm}", Estimate.mean(reflection[:, -1] / reflection[:, 0]), text)
        errors[arm] = found["mpjpe"][:, 0].astype(np.float64)
    add_gains(settings.arms, errors, quantities, "error", ", mm")
    return {"joints": pd.DataFrame(rows), "choices": choices_table(chosen), "quantities": quantities.table()}
