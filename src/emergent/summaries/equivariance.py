"""Summary of experiments of kind ``equivariance``: how far vector-valued predictions miss to turn with their inputs.

The orbit MSE of the mean of M members is, in expectation, exactly ``floor + slope / M``: an infinite ensemble keeps the
floor, and the slope is the noise of one member. The equivariance error is its root relative to the outputs' own size.
Where arms are augmented by different parts of the group, floors are compared among those that share one.

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
from emergent.config.subsets import subset_name
from emergent.errors import DataError
from emergent.metrics.orbit import equivariance_error, orbit_mse
from emergent.metrics.output_actions import Matrices, vectors
from emergent.point_groups import orbit_matrices
from emergent.statistics.estimate import Estimate, sample_std, sampling_error
from emergent.statistics.size_fits import disjoint_law, disjoint_law_by_sample
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities
from emergent.summaries.subsets import subset_columns

METRICS = {"orbit_mse": orbit_mse, "equivariance_error": equivariance_error}
Values = dict[tuple[str, int], np.ndarray]
WORDS = {"orbit_mse": "orbit MSE", "equivariance_error": "equivariance error"}
FIT_COLUMNS = [
    "arm", "width", "num_elements", "covering_angle", "data", "floor", "floor_stderr", "slope", "slope_stderr", "ratio",
    "ratio_stderr", "num_members",
]  # fmt: skip


@dataclass(frozen=True)
class Floor:
    """Orbit MSE of an infinite ensemble.

    Attributes:
        width: of its networks.
        augmentation: of their training.
        estimate: with the error of the members alone.
        by_sample: at each sample [N].
    """

    width: float
    augmentation: Augmentation
    estimate: Estimate
    by_sample: np.ndarray


def summarise_equivariance(settings: EquivarianceSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``orbit_error``, ``fit`` and ``quantities``, at the last checkpoint.

    ``orbit_error`` (arm, width, data, predictor, ensemble_size, metric, mean, std, num, sample_stderr): members, as
    ensembles of one, and disjoint ensembles, each averaged over samples first. ``fit`` (arm, width, num_elements,
    covering_angle, data, floor, slope, ratio with their errors): of the orbit MSE against ensemble size, where there
    are two sizes; elements of the augmentation in training, and the largest angle of a rotation to the nearest of them.

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
    for arm, orbit, augmentation in zip(settings.arms, settings.orbits, settings.augmentations, strict=True):
        subset = subset_columns(augmentation, settings.seed)
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
            fits.append(head | subset | law.columns() | {"num_members": settings.num_members})
            text = "orbit MSE of an infinite ensemble, fitted to floor + slope / M"
            quantities.add_on(data, (f"floor/{arm.name}/{{data}}", law.floor, text))
            text = "coefficient of 1 / M in the orbit MSE, fitted"
            quantities.add_on(data, (f"slope/{arm.name}/{{data}}", law.slope, text))
            kept = Floor(arm.width_in_tables, augmentation, of_these.floor, at_samples[0])
            floors.setdefault(data.name, []).append(kept)
    _add_floor_ratios(quantities, settings, floors)
    fit = pd.DataFrame(fits, columns=FIT_COLUMNS)
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
    """Adds the floor of the widest networks in units of that of the narrowest, where widths differ.

    Networks of one augmentation are compared; its name is left out where there is no other.
    """
    augmentations = list(dict.fromkeys(settings.augmentations))
    for data in settings.data:
        for augmentation in augmentations:
            alike = [floor for floor in floors.get(data.name, []) if floor.augmentation == augmentation]
            found = sorted(alike, key=lambda floor: floor.width)
            if not found or found[0].width >= found[-1].width:
                continue
            below, above = found[0], found[-1]
            ratio = above.estimate.over(below.estimate)
            # Both are floors on the same samples.
            changes = (above.by_sample - ratio.value * below.by_sample) / below.estimate.value
            part = f"{subset_name(augmentation)}/" if len(augmentations) > 1 else ""
            text = "orbit MSE of infinite ensembles: that of the widest networks over that of the narrowest"
            text += f", augmentation {subset_name(augmentation)}" if part else ""
            quantities.add_on(data, (f"floor_ratio/{part}{{data}}", ratio.over_samples(changes, data.whole), text))


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
