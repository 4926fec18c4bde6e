"""Summary of experiments of kind ``orbit_same_prediction``: members' bands, ensemble curves, gains.

References:
    arXiv 2403.03103, orbit same prediction out of distribution during training, and its table of methods.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from emergent.metrics.classification import correct
from emergent.metrics.orbit import orbit_same_predictions
from emergent.point_groups import group_from_name
from emergent.statistics.ensembles import Run, disjoint_ensembles, mean_and_error
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import Quantities, aliases


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
    gains: dict[tuple[str, str], np.ndarray] = {}
    smallest = min(settings["ensemble_sizes"])
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
                if size == smallest:
                    own = [members[start:stop].mean(0) for start, stop in _ensembles(settings, pool, size)]
                    gains[arm, data] = (np.stack(values) - np.stack(own))[:, pool.epochs > 0]
                for index, epoch in enumerate(pool.epochs):
                    key = {**head, "data": data, "epoch": int(epoch), "predictor": "ensemble", "ensemble_size": size}
                    osp_rows.append(key | _statistics(np.stack(values)[:, index]))
                    if labelled:
                        accuracy_rows.append(_accuracy_row(key, np.stack(accuracies)[:, index]))
    osp = pd.DataFrame(osp_rows)
    return {
        "osp": osp,
        "accuracy": pd.DataFrame(accuracy_rows),
        "quantities": _quantities(settings, osp, gains),
    }


def _ensembles(settings: dict[str, Any], pool: MemberPool, size: int) -> list[Run]:
    return disjoint_ensembles(size, pool.num_members, settings["max_ensembles"])


def _accuracy_row(key: dict[str, Any], values: np.ndarray) -> dict[str, Any]:
    keep = ("arm", "data", "epoch", "predictor", "ensemble_size")
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {name: key[name] for name in keep} | {"mean": float(values.mean()), "std": std, "num": len(values)}


def _quantities(settings: dict[str, Any], osp: pd.DataFrame, gains: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Returns the scalars that claims refer to.

    Levels are those of ensembles of the reference size. Gains are paired, each ensemble of the smallest size minus the
    mean of its own members [R, E], because the spread over ensembles is then free of the members' common part, and
    small ensembles are the most numerous and gain the least.
    """
    quantities = Quantities()
    levels = osp[(osp.predictor == "members") | (osp.ensemble_size == settings["reference_ensemble_size"])]
    for row in levels.itertuples():
        pattern = f"{'ensemble' if row.predictor == 'ensemble' else 'members'}_osp/{row.arm}/{{data}}/{row.epoch}"
        values = (row.mean, row.std / np.sqrt(row.num), row.num)
        text = "mean orbit same prediction"
        quantities.add_with_alias(pattern, row.data, aliases(settings, row.data), *values, description=text)
    ranked = sorted(settings["arm_order"], key=lambda arm: group_from_name(settings["arms"][arm]).order)
    for data in settings["data_order"]:
        alias = aliases(settings, data)
        for arm in settings["arm_order"]:
            by_epoch = gains[arm, data]
            worst = by_epoch[:, by_epoch.mean(0).argmin()]
            text = "smallest ensemble minus members' mean OSP over epochs >= 1"
            quantities.add_with_alias(f"min_gain/{arm}/{{data}}", data, alias, *mean_and_error(worst), description=text)
            text = "ensemble minus members' mean OSP, averaged over epochs >= 1"
            average = mean_and_error(by_epoch.mean(1))
            quantities.add_with_alias(f"gain/{arm}/{{data}}", data, alias, *average, description=text)
        if len(ranked) > 1:
            # Arms that share their initialisation are compared ensemble by ensemble.
            steps = [
                mean_and_error(gains[larger, data].mean(1) - gains[smaller, data].mean(1))
                for smaller, larger in pairwise(ranked)
            ]
            text = "smallest increase of the gain from one group to the next larger one"
            quantities.add_with_alias("gain_growth/{data}", data, alias, *min(steps), description=text)
    return quantities.table()
