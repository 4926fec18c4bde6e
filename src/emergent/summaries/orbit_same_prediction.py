"""Summary of experiments of kind ``orbit_same_prediction``: members' bands, ensemble curves, gains.

References:
    arXiv 2403.03103, orbit same prediction out of distribution during training, and its table of methods.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from emergent.config.questions import EnsembleSummary
from emergent.metrics.classification import correct
from emergent.metrics.orbit import orbit_same_predictions
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import open_pools
from emergent.summaries.quantities import Quantities

Gains = dict[tuple[str, str], np.ndarray]
"""Arm and data set to ensembles minus their own members' mean [R, E], at the epochs after the start."""


def _statistics(values: np.ndarray) -> dict[str, float | int]:
    """Returns the statistics of one value per member or per ensemble."""
    return {
        "mean": float(values.mean()),
        "std": sample_std(values),
        # arXiv 2403.03103 does not say what its bands are; quartiles and extremes are both possible, and both are kept.
        "low": float(np.quantile(values, 0.25)),
        "high": float(np.quantile(values, 0.75)),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "num": len(values),
    }


def summarise_osp(settings: EnsembleSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``osp``, ``accuracy`` and ``quantities``.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.
    """
    del predictions
    pools = open_pools(settings, blocks)
    osp_rows: list[dict[str, Any]] = []
    accuracy_rows: list[dict[str, Any]] = []
    gains: Gains = {}
    smallest = min(settings.ensemble_sizes)
    for arm in settings.arms:
        pool = pools[arm.name]
        head = {"arm": arm.name, "group": arm.group, "order": arm.order}
        for data in settings.data:
            members = pool.metric(data.name, "orbit_same_predictions").mean(2, dtype=np.float64)
            # Out-of-distribution sets have labels of their own, which mean nothing to these networks.
            labelled = data.role != "ood" and pool.has_metric(data.name, "correct")
            labels = pool.labels(data.name) if labelled else None
            member_accuracy = pool.metric(data.name, "correct").mean(2, dtype=np.float64) if labelled else None
            for index, epoch in enumerate(pool.epochs):
                key = {**head, "data": data.name, "epoch": int(epoch), "predictor": "members", "ensemble_size": 1}
                osp_rows.append(key | _statistics(members[:, index]))
                if member_accuracy is not None:
                    accuracy_rows.append(_accuracy_row(key, member_accuracy[:, index]))
            for size in settings.ensemble_sizes:
                values, accuracies = [], []
                for outputs in pool.ensembles(data.name, size, settings.max_ensembles):
                    values.append(orbit_same_predictions(outputs).mean(1))
                    if labels is not None:
                        accuracies.append(correct(outputs, labels).mean(1))
                if size == smallest:
                    ensembles = disjoint_ensembles(size, pool.num_members, settings.max_ensembles)
                    own = [members[start:stop].mean(0) for start, stop in ensembles]
                    gains[arm.name, data.name] = (np.stack(values) - np.stack(own))[:, pool.epochs > 0]
                for index, epoch in enumerate(pool.epochs):
                    place = {"data": data.name, "epoch": int(epoch), "predictor": "ensemble", "ensemble_size": size}
                    osp_rows.append(head | place | _statistics(np.stack(values)[:, index]))
                    if labels is not None:
                        accuracy_rows.append(_accuracy_row(head | place, np.stack(accuracies)[:, index]))
    osp = pd.DataFrame(osp_rows)
    return {
        "osp": osp,
        "accuracy": pd.DataFrame(accuracy_rows),
        "quantities": _quantities(settings, osp, gains),
    }


def _accuracy_row(key: dict[str, Any], values: np.ndarray) -> dict[str, Any]:
    keep = ("arm", "data", "epoch", "predictor", "ensemble_size")
    numbers = {"mean": float(values.mean()), "std": sample_std(values), "num": len(values)}
    return {name: key[name] for name in keep} | numbers


def _quantities(settings: EnsembleSummary, osp: pd.DataFrame, gains: Gains) -> pd.DataFrame:
    """Returns the scalars that claims refer to.

    Levels are those of ensembles of the reference size. Gains are paired, each ensemble of the smallest size minus the
    mean of its own members [R, E], because the spread over ensembles is then free of the members' common part, and
    small ensembles are the most numerous and gain the least.
    """
    quantities = Quantities()
    by_name = {data.name: data for data in settings.data}
    levels = osp[(osp.predictor == "members") | (osp.ensemble_size == settings.reference_ensemble_size)]
    for row in levels.itertuples():
        is_ensemble = row.predictor == "ensemble"
        pattern = f"{'ensemble' if is_ensemble else 'members'}_osp/{row.arm}/{{data}}/{row.epoch}"
        error = float(row.std / np.sqrt(row.num))
        level = Estimate(float(row.mean), error, int(row.num), "disjoint ensembles" if is_ensemble else "mean")
        quantities.add_on(by_name[str(row.data)], (pattern, level, "mean orbit same prediction"))
    # A count of elements grows with the group whatever the networks do; the identity counts always.
    ranked = sorted((arm for arm in settings.arms if arm.order > 1), key=lambda arm: arm.order)
    for data in settings.data:
        per_element: dict[str, np.ndarray] = {}
        for arm in settings.arms:
            by_epoch = gains[arm.name, data.name]
            # To pick the worst epoch biases the gain downwards, against the claim that it is positive.
            worst = Estimate.mean(by_epoch[:, by_epoch.mean(0).argmin()], "disjoint ensembles")
            text = "smallest ensemble minus members' mean OSP over epochs >= 1"
            quantities.add_on(data, (f"min_gain/{arm.name}/{{data}}", worst, text))
            average = Estimate.mean(by_epoch.mean(1), "disjoint ensembles")
            text = "ensemble minus members' mean OSP, averaged over epochs >= 1"
            quantities.add_on(data, (f"gain/{arm.name}/{{data}}", average, text))
            if arm.order > 1:
                per_element[arm.name] = by_epoch.mean(1) / (arm.order - 1)
                average = Estimate.mean(per_element[arm.name], "disjoint ensembles")
                text = "gain, averaged over epochs >= 1, per element of the group but the identity"
                quantities.add_on(data, (f"gain_per_element/{arm.name}/{{data}}", average, text))
        # Arms that share their initialisation are compared ensemble by ensemble.
        for smaller, larger in pairwise(ranked):
            if smaller.order == larger.order:
                continue
            text = f"increase of the gain per element from {smaller.group} to {larger.group}"
            growth = Estimate.mean(per_element[larger.name] - per_element[smaller.name], "disjoint ensembles")
            quantities.add_on(data, (f"gain_growth/{larger.name}/{{data}}", growth, text))
    return quantities.table()
