"""Summary of experiments of kind ``traffic``: errors of predicted speeds by clusters of sensors and by ensemble size.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on traffic.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.traffic import TrafficSummary
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import add_gains, quantity_name, read_runs, require_networks


def summarise_traffic(settings: TrafficSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``traffic`` and ``quantities``.

    ``traffic`` (arm, clusters, threshold, ensemble_size, mean, std, num, departure, parameters, edges): mean absolute
    errors over trials in miles an hour. Quantities are ``mae/<arm>``, ``ensemble_mae/<arm>/<M>``, ``departure/<arm>``
    of weights by clusters from their mean, ``gain/<arm>``, by how much the error is below that of the arm it is
    compared with, and ``ensemble_gain/<arm>``, by how much that of the largest ensembles is below that of single
    networks.

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
    errors: dict[str, np.ndarray] = {}
    for arm in (facts.name for facts in settings.arms):
        found = read_runs(arm, blocks[arm], settings.num_members, {"mae": 0, "departure": 0}, "trials")
        first = storage.read_arrays(min(blocks[arm]), ["num_parameters", "num_edges"], "train")
        mae = found["mae"].astype(np.float64)
        num = settings.networks[arm]
        require_networks(arm, mae.shape[1], num)
        quantities.add(f"departure/{arm}", Estimate.mean(found["departure"]), "of weights by clusters from their mean")
        for index in range(num):
            trials = mae[:, index]
            name = quantity_name("mae", arm, index + 1)
            quantities.add(name, Estimate.mean(trials), f"mean absolute error, mi/h, of {index + 1} networks")
            row = {"arm": arm, "clusters": settings.clusters[arm], "threshold": settings.thresholds[arm]}
            row |= {"ensemble_size": index + 1, "mean": trials.mean(), "std": sample_std(trials), "num": len(trials)}
            rows.append(row | {"departure": float(found["departure"].mean()), "edges": int(first["num_edges"][0]),
                               "parameters": int(first["num_parameters"][0])})  # fmt: skip
        if num > 1:
            text = f"error of one network minus that of ensembles of {num}, mi/h, trial by trial"
            quantities.add(f"ensemble_gain/{arm}", Estimate.mean(mae[:, 0] - mae[:, -1]), text)
        errors[arm] = mae[:, 0]
    add_gains(settings.arms, errors, quantities, "error", ", mi/h")
    return {"traffic": pd.DataFrame(rows), "quantities": quantities.table()}
