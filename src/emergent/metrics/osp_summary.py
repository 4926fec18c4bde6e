"""Summary of experiments of kind ``orbit_same_prediction``: members' bands, ensemble curves, gains.

References:
    arXiv 2403.03103, orbit same prediction out of distribution during training, and its table of methods.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from emergent.groups.finite import group_from_name
from emergent.metrics.orbit import correct, orbit_same_predictions
from emergent.metrics.pool import MemberPool
from emergent.metrics.quantities import Quantities, aliases


def _statistics(values: np.ndarray) -> dict[str, float | int]:
    """Returns the statistics of one value per member or per ensemble."""
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
        "low": float(np.quantile(values, 0.25)),
        "high": float(np.quantile(values, 0.75)),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "num": len(values),
    }


def summarise_osp(
    settings: dict[str, Any], pools: dict[str, MemberPool], kernel: None = None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``osp``, ``accuracy`` and ``quantities``.

    Args:
        settings: configuration of the summary stage.
        pools: arm to its evaluated members.
        kernel: not used by this kind.
    """
    del kernel
    osp_rows: list[dict[str, Any]] = []
    accuracy_rows: list[dict[str, Any]] = []
    for arm in settings["arm_order"]:
        pool, group = pools[arm], settings["arms"][arm]
        head = {"arm": arm, "group": group, "order": group_from_name(group).order}
        for data in settings["data_order"]:
            members = pool.metric(data, "orbit_same_predictions").mean(2, dtype=np.float64)
            # Out-of-distribution sets have labels of their own, which mean nothing to these networks.
            labelled = settings["data"][data]["role"] != "ood" and pool.has_metric(data, "correct")
            member_accuracy = pool.metric(data, "correct").mean(2, dtype=np.float64) if labelled else None
            for index, epoch in enumerate(pool.epochs):
                key = {**head, "data": data, "epoch": int(epoch), "predictor": "members", "ensemble_size": 1}
                osp_rows.append(key | _statistics(members[:, index]))
                if member_accuracy is not None:
                    accuracy_rows.append(_accuracy_row(key, member_accuracy[:, index]))
            for size in settings["ensemble_sizes"]:
                values, accuracies = [], []
                for outputs in pool.ensembles(data, size, settings["max_ensembles"]):
                    values.append(orbit_same_predictions(outputs).mean(1))
                    if labelled:
                        accuracies.append(correct(outputs, pool.labels(data)).mean(1))
                for index, epoch in enumerate(pool.epochs):
                    key = {**head, "data": data, "epoch": int(epoch), "predictor": "ensemble", "ensemble_size": size}
                    osp_rows.append(key | _statistics(np.stack(values)[:, index]))
                    if labelled:
                        accuracy_rows.append(_accuracy_row(key, np.stack(accuracies)[:, index]))
    osp = pd.DataFrame(osp_rows)
    return {
        "osp": osp,
        "accuracy": pd.DataFrame(accuracy_rows),
        "quantities": _quantities(settings, osp),
    }


def _accuracy_row(key: dict[str, Any], values: np.ndarray) -> dict[str, Any]:
    keep = ("arm", "data", "epoch", "predictor", "ensemble_size")
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {name: key[name] for name in keep} | {"mean": float(values.mean()), "std": std, "num": len(values)}


def _quantities(settings: dict[str, Any], osp: pd.DataFrame) -> pd.DataFrame:
    """Returns the scalars that claims refer to, for the ensemble size of the table of methods."""
    quantities = Quantities()
    size = settings["reference_ensemble_size"]
    ensemble = osp[(osp.predictor == "ensemble") & (osp.ensemble_size == size)].set_index(["arm", "data", "epoch"])
    members = osp[osp.predictor == "members"].set_index(["arm", "data", "epoch"])
    epochs = [epoch for epoch in sorted(osp.epoch.unique()) if epoch > 0]
    order = {arm: group_from_name(settings["arms"][arm]).order for arm in settings["arm_order"]}
    for data in settings["data_order"]:
        alias = aliases(settings, data)
        average: dict[str, tuple[float, float]] = {}
        for arm in settings["arm_order"]:
            gains, errors = [], []
            for epoch in [0, *epochs] if 0 in osp.epoch.values else epochs:
                e, m = ensemble.loc[(arm, data, epoch)], members.loc[(arm, data, epoch)]
                e_error, m_error = (float(row["std"] / np.sqrt(row["num"])) for row in (e, m))
                for name, row, error in (("ensemble_osp", e, e_error), ("members_osp", m, m_error)):
                    pattern = f"{name}/{arm}/{{data}}/{epoch}"
                    text = "mean orbit same prediction"
                    quantities.add_with_alias(pattern, data, alias, row["mean"], error, row["num"], description=text)
                if epoch > 0:
                    gains.append(e["mean"] - m["mean"])
                    errors.append(np.hypot(e_error, m_error))
            worst = int(np.argmin(gains))
            text = "smallest ensemble minus members' mean OSP over epochs >= 1"
            pattern = f"min_gain/{arm}/{{data}}"
            quantities.add_with_alias(pattern, data, alias, gains[worst], errors[worst], len(gains), description=text)
            # Epochs of one run are correlated, so the error of their mean is taken as the mean error.
            average[arm] = (float(np.mean(gains)), float(np.mean(errors)))
            text = "ensemble minus members' mean OSP, averaged over epochs >= 1"
            pattern = f"gain/{arm}/{{data}}"
            quantities.add_with_alias(pattern, data, alias, *average[arm], len(gains), description=text)
        ranked = sorted(average, key=lambda arm: order[arm])
        if len(ranked) > 1:
            steps = [
                (average[b][0] - average[a][0], float(np.hypot(average[a][1], average[b][1])))
                for a, b in pairwise(ranked)
            ]
            smallest = min(steps)
            text = "smallest increase of the gain from one group to the next larger one"
            quantities.add_with_alias("gain_growth/{data}", data, alias, *smallest, len(steps), description=text)
    return quantities.table()
