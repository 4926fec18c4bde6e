"""Summary of experiments of kind ``orbit_same_prediction``: members' bands, ensemble curves, gains.

References:
    arXiv 2403.03103, orbit same prediction out of distribution during training, and its table of methods.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent.config.questions import EnsembleSummary
from emergent.config.stages import DataFacts
from emergent.metrics.classification import correct
from emergent.metrics.orbit import element_errors, orbit_same_predictions
from emergent.statistics.estimate import Estimate, Estimator, sample_std
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.gains import ALL, Gains, errors, gains_of, statistics
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities
from emergent.summaries.rotation_fraction import FRACTION, add_fractions


def summarise_osp(settings: EnsembleSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``osp``, ``accuracy``, ``element_errors``, ``quantities``, ``costs`` and ``osp_fraction``.

    Errors under single group elements are those of ensembles of the smallest size. The last two exist where costs were
    stored, and where evaluation sets have rotations of their own.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.
    """
    del predictions
    pools = open_pools(settings, blocks)
    orbits = [data for data in settings.data if data.rotations is None]
    osp_rows: list[dict[str, Any]] = []
    accuracy_rows: list[dict[str, Any]] = []
    error_rows: list[dict[str, Any]] = []
    gains: dict[tuple[str, str], Gains] = {}
    smallest = min(settings.ensemble_sizes)
    for arm in settings.arms:
        pool = pools[arm.name]
        head = {"arm": arm.name, "group": arm.group, "order": arm.order}
        for data in orbits:
            by_member = pool.metric(data.name, "orbit_same_predictions")
            members, member_images = (by_member.mean(axis, dtype=np.float64) for axis in (2, 0))
            # Out-of-distribution sets have labels of their own, which mean nothing to these networks.
            labelled = data.role != "ood" and pool.has_metric(data.name, "correct")
            labels = pool.labels(data.name) if labelled else None
            right = pool.metric(data.name, "correct") if labelled else None
            for index, epoch in enumerate(pool.epochs):
                key = {**head, "data": data.name, "epoch": int(epoch), "predictor": "members", "ensemble_size": 1}
                row = statistics(members[:, index]) | errors(members[:, index], member_images[index], data.whole)
                osp_rows.append(key | row | {"gain_stderr": np.nan})
                if right is not None:
                    accuracy_rows.append(_accuracy_row(key, right[:, index], data.whole))
            for size in settings.ensemble_sizes:
                values, images, accuracies, by_element = [], np.zeros(member_images.shape), [], []
                for outputs in pool.ensembles(data.name, size, settings.max_ensembles):
                    found = orbit_same_predictions(outputs)
                    values.append(found.mean(1))
                    images += found
                    if size == smallest:
                        by_element.append(element_errors(outputs))
                    if labels is not None:
                        accuracies.append(correct(outputs, labels))
                images /= len(values)
                gain = gains_of(np.stack(values), images, by_member, size, data.whole)
                if size == smallest:
                    later = pool.epochs > 0
                    gains[arm.name, data.name] = Gains(gain.values[:, later], gain.by_image[later], data.whole)
                    error_rows += _error_rows(arm.name, data.name, pool.epochs, np.stack(by_element), size)
                for index, epoch in enumerate(pool.epochs):
                    place = {"data": data.name, "epoch": int(epoch), "predictor": "ensemble", "ensemble_size": size}
                    own = np.stack(values)[:, index]
                    row = statistics(own) | errors(own, images[index], data.whole)
                    osp_rows.append(head | place | row | {"gain_stderr": gain.mean(index).stderr})
                    if labels is not None:
                        found = np.stack([part[index] for part in accuracies])
                        accuracy_rows.append(_accuracy_row(head | place, found, data.whole))
    osp = pd.DataFrame(osp_rows)
    quantities = _quantities(settings, orbits, osp, gains, pools)
    _add_accuracies(quantities, orbits, pd.DataFrame(accuracy_rows))
    fractions = add_fractions(settings, pools, quantities)
    tables = {
        "osp": osp,
        "accuracy": pd.DataFrame(accuracy_rows),
        "element_errors": pd.DataFrame(error_rows),
        "quantities": quantities.table(),
    }
    costs = [
        {"arm": name, "num_parameters": pool.num_parameters, **own}
        for name, pool in pools.items()
        if (own := pool.costs())
    ]
    further = {FRACTION: fractions, "costs": pd.DataFrame(costs)}
    return tables | {name: table for name, table in further.items() if not table.empty}


def _error_rows(
    arm: str, data: str, epochs: np.ndarray, errors: Float[np.ndarray, "R E G"], size: int
) -> list[dict[str, Any]]:
    """Returns the rows of the errors of R ensembles under each group element."""
    mean = errors.mean(0)
    return [
        {"arm": arm, "data": data, "epoch": int(epochs[e]), "element": g, "ensemble_size": size, "mean": mean[e, g]}
        for e, g in np.ndindex(mean.shape)
    ]


def _accuracy_row(key: dict[str, Any], right: np.ndarray, whole: bool) -> dict[str, Any]:
    """Returns a row of the accuracy of members or ensembles that are right or not on each image [R, N]."""
    keep = ("arm", "data", "epoch", "predictor", "ensemble_size")
    values = right.mean(1, dtype=np.float64)
    numbers = {"mean": float(values.mean()), "std": sample_std(values), "num": len(values)}
    return {name: key[name] for name in keep} | numbers | errors(values, right.mean(0, dtype=np.float64), whole)


def _add_accuracies(quantities: Quantities, orbits: Sequence[DataFacts], table: pd.DataFrame) -> None:
    """Adds the accuracy of ensembles of every size after the last epoch, on sets whose classes are learnt."""
    if table.empty:
        return
    by_name = {data.name: data for data in orbits if data.role != "ood"}
    last = table[(table["epoch"] == table["epoch"].max()) & (table["predictor"] == "ensemble")]
    for row in last[last["data"].isin(by_name)].itertuples():
        found = Estimate.of_spread(float(row.mean), float(row.std), int(row.num), "disjoint ensembles")
        found = found.blurred(float(row.image_stderr))
        name = f"accuracy/{row.arm}/{{data}}/{row.ensemble_size}"
        quantities.add_on(by_name[str(row.data)], (name, found, "accuracy of ensembles after the last epoch"))


def _quantities(
    settings: EnsembleSummary,
    orbits: Sequence[DataFacts],
    osp: pd.DataFrame,
    gains: dict[tuple[str, str], Gains],
    pools: dict[str, MemberPool],
) -> Quantities:
    """Returns the scalars that claims refer to.

    Levels are those of ensembles of the reference size. Gains are paired, each ensemble of the smallest size minus the
    mean of its own members on the same images, because the spread over ensembles and images is then free of what is
    common to both, and small ensembles are the most numerous and gain the least.
    """
    quantities = Quantities()
    for arm, pool in pools.items():
        quantities.add(f"num_parameters/{arm}", Estimate.exact(pool.num_parameters), "parameters of one member")
    by_name = {data.name: data for data in orbits}
    levels = osp[(osp.predictor == "members") | (osp.ensemble_size == settings.reference_ensemble_size)]
    for row in levels.itertuples():
        is_ensemble = row.predictor == "ensemble"
        pattern = f"{'ensemble' if is_ensemble else 'members'}_osp/{row.arm}/{{data}}/{row.epoch}"
        kind: Estimator = "disjoint ensembles" if is_ensemble else "mean"
        level = Estimate.of_spread(float(row.mean), float(row.std), int(row.num), kind)
        level = level.blurred(float(row.image_stderr))
        quantities.add_on(by_name[str(row.data)], (pattern, level, "mean orbit same prediction"))
    # A count of elements grows with the group whatever the networks do; the identity counts always.
    ranked = sorted((arm for arm in settings.arms if arm.order > 1), key=lambda arm: arm.order)
    for data in orbits:
        for arm in settings.arms:
            own = gains[arm.name, data.name]
            # To pick the worst epoch biases the gain downwards, against the claim that it is positive.
            worst = own.mean(int(own.values.mean(0).argmin()))
            text = "smallest ensemble minus members' mean OSP over epochs >= 1"
            quantities.add_on(data, (f"min_gain/{arm.name}/{{data}}", worst, text))
            average = own.mean(ALL)
            text = "ensemble minus members' mean OSP, averaged over epochs >= 1"
            quantities.add_on(data, (f"gain/{arm.name}/{{data}}", average, text))
            if arm.order > 1:
                average = own.mean(ALL, 1 / (arm.order - 1))
                text = "gain, averaged over epochs >= 1, per element of the group but the identity"
                quantities.add_on(data, (f"gain_per_element/{arm.name}/{{data}}", average, text))
        # Arms that share their initialisation are compared ensemble by ensemble.
        for smaller, larger in pairwise(ranked):
            if smaller.order == larger.order:
                continue
            text = f"increase of the gain per element from {smaller.group} to {larger.group}"
            of_larger, of_smaller = (gains[arm.name, data.name] for arm in (larger, smaller))
            growth = of_larger.minus(of_smaller, 1 / (larger.order - 1), 1 / (smaller.order - 1)).mean(ALL)
            quantities.add_on(data, (f"gain_growth/{larger.name}/{{data}}", growth, text))
    return quantities
