"""Summary of experiments of kind ``equivariance``: how far vector-valued predictions miss to turn with their inputs.

The orbit MSE of the mean of M members is, in expectation, exactly ``floor + slope / M``: an infinite ensemble keeps the
floor, and the slope is the noise of one member. The equivariance error is its root relative to the outputs' own size.

References:
    arXiv 2403.03103, cross product: orbit MSE of members and ensembles, by width.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from emergent.config.groups import Augmentation
from emergent.config.questions import EquivarianceSummary
from emergent.config.stages import ArmFacts, DataFacts
from emergent.errors import DataError
from emergent.metrics.orbit import equivariance_error, orbit_mse
from emergent.metrics.output_actions import Matrices, vectors
from emergent.point_groups import orbit_matrices
from emergent.statistics.estimate import Estimate, sample_std, sampling_error
from emergent.statistics.size_fits import disjoint_law, disjoint_law_by_sample
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities

METRICS = {"orbit_mse": orbit_mse, "equivariance_error": equivariance_error}
Values = dict[tuple[str, int], np.ndarray]
WORDS = {"orbit_mse": "orbit MSE", "equivariance_error": "equivariance error"}


@dataclass(frozen=True)
class Floor:
    """Orbit MSE of an infinite ensemble.

    Attributes:
        width: of its networks.
        estimate: with the error of the members alone.
        by_sample: at each sample [N].
    """

    width: float
    estimate: Estimate
    by_sample: np.ndarray


def summarise_equivariance(settings: EquivarianceSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``orbit_error``, ``fit`` and ``quantities``, at the last checkpoint.

    ``orbit_error`` (arm, width, data, predictor, ensemble_size, metric, mean, std, num, sample_stderr): members, as
    ensembles of one, and disjoint ensembles, each averaged over samples first. ``fit`` (arm, width, data, floor, slope,
    ratio with their errors): of the orbit MSE against ensemble size, where there are two sizes.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.

    Raises:
        DataError: the outputs are no vectors that the orbits' matrices move.
    """
    del predictions
    pools = open_pools(settings, blocks)
    rows: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    quantities = Quantities()
    floors: dict[str, list[Floor]] = {}
    for arm, orbit in zip(settings.arms, settings.orbits, strict=True):
        for data in settings.data:
            values, samples = _values(settings, arm, orbit, data, pools[arm.name])
            head = {"arm": arm.name, "width": arm.width_in_tables, "data": data.name}
            for (metric, size), found in values.items():
                predictor = "members" if size == 0 else "ensemble"
                place = head | {"predictor": predictor, "ensemble_size": max(size, 1), "metric": metric}
                row = {"mean": float(found.mean()), "std": sample_std(found), "num": len(found)}
                rows.append(place | row | {"sample_stderr": sampling_error(samples[metric, size], data.whole)})
                _add(quantities, arm.name, data, metric, size, found, samples[metric, size])
            # Of squares only: a root of floor + slope / M, as the equivariance error is one, has no such law.
            by_size = {size: values["orbit_mse", size] for size in settings.ensemble_sizes}
            if len(by_size) < 2:
                continue
            of_these = disjoint_law(by_size)
            at_sizes = {size: samples["orbit_mse", size] for size in settings.ensemble_sizes}
            at_samples = disjoint_law_by_sample(by_size, at_sizes)
            law = of_these.over_samples(at_samples, data.whole)
            fits.append(head | law.columns() | {"num_members": settings.num_members})
            text = "orbit MSE of an infinite ensemble, fitted to floor + slope / M"
            quantities.add_on(data, (f"floor/{arm.name}/{{data}}", law.floor, text))
            text = "coefficient of 1 / M in the orbit MSE, fitted"
            quantities.add_on(data, (f"slope/{arm.name}/{{data}}", law.slope, text))
            floors.setdefault(data.name, []).append(Floor(arm.width_in_tables, of_these.floor, at_samples[0]))
    _add_floor_ratios(quantities, settings, floors)
    columns = ["arm", "width", "data", "floor", "floor_stderr", "slope", "slope_stderr", "ratio", "ratio_stderr"]
    fit = pd.DataFrame(fits, columns=[*columns, "num_members"])
    return {"orbit_error": pd.DataFrame(rows), "fit": fit, "quantities": quantities.table()}


def _values(
    settings: EquivarianceSummary, arm: ArmFacts, orbit: Augmentation, data: DataFacts, pool: MemberPool
) -> tuple[Values, Values]:
    """Returns metric and ensemble size, 0 for members, to the values of predictors, and of samples.

    The former are averaged over samples, the latter over predictors.
    """
    members = {(name, 0): pool.metric(data.name, name)[:, -1] for name in METRICS}
    values, samples = ({key: found.mean(axis, dtype=np.float64) for key, found in members.items()} for axis in (1, 0))
    matrices = orbit_matrices(orbit.group, settings.seed, orbit.elements, orbit.num_elements)
    for size in settings.ensemble_sizes:
        found: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
        for outputs in pool.ensembles(data.name, size, settings.max_ensembles):
            action = _action(matrices, outputs.shape, f"arm {arm.name}, {data.name}")
            for name, metric in METRICS.items():
                found[name].append(metric(outputs[-1], action))
        for name, parts in found.items():
            values[name, size], samples[name, size] = np.mean(parts, axis=1), np.mean(parts, axis=0)
    return values, samples


def _action(matrices: np.ndarray, shape: tuple[int, ...], where: str) -> Matrices:
    """Returns the action on outputs [E, N, G, K] that are vectors, one after another."""
    order, size = matrices.shape[:2]
    if shape[-2] != order or shape[-1] % size:
        raise DataError(
            f"{where}: expected outputs on orbits of {order} elements that are vectors of {size} numbers, "
            f"found shape {shape} (epochs, samples, elements, outputs); evaluate the blocks again."
        )
    return vectors(matrices, shape[-1] // size)


def _add_floor_ratios(quantities: Quantities, settings: EquivarianceSummary, floors: dict[str, list[Floor]]) -> None:
    """Adds the floor of the widest networks in units of that of the narrowest, where widths differ."""
    for data in settings.data:
        found = sorted(floors.get(data.name, []), key=lambda floor: floor.width)
        if found and found[0].width < found[-1].width:
            below, above = found[0], found[-1]
            ratio = above.estimate.over(below.estimate)
            # Both are floors on the same samples.
            changes = (above.by_sample - ratio.value * below.by_sample) / below.estimate.value
            text = "orbit MSE of infinite ensembles: that of the widest networks over that of the narrowest"
            quantities.add_on(data, ("floor_ratio/{data}", ratio.over_samples(changes, data.whole), text))


def _add(
    quantities: Quantities, arm: str, data: DataFacts, metric: str, size: int, found: np.ndarray, samples: np.ndarray
) -> None:
    """Adds the mean of one metric over members (size 0) or disjoint ensembles."""
    if size == 0:
        name, of, estimate = f"members_{metric}/{arm}/{{data}}", "members", Estimate.mean(found)
    else:
        name, of = f"{metric}/{arm}/{{data}}/{size}", f"ensembles of {size}"
        estimate = Estimate.mean(found, "disjoint ensembles")
    estimate = estimate.over_samples(samples, data.whole)
    quantities.add_on(data, (name, estimate, f"{WORDS[metric]} of {of}, mean over samples"))
