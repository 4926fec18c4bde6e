"""Summary of experiments of kind ``ensemble_distance``: distance between the mean logits of two ensembles.

The L2 distance is the mean over samples of the Euclidean norm of the difference of the mean logits. It is compared
with ``d^2 = floor^2 + noise / M``: Monte-Carlo noise that falls with the ensemble size M on a floor that belongs to
finite width. For mean squared norms that law is exact, and floor^2 and noise are estimated without bias from the
products of the differences of single members: floor^2 may come out negative where it is small.

References:
    arXiv 2406.06504, convergence of augmented CNNs to GCNNs.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from emergent.config.questions import EnsembleSummary
from emergent.config.stages import DataFacts
from emergent.metrics.classification import correct
from emergent.statistics.distance_ratio import distance_ratio
from emergent.statistics.estimate import Estimate, sample_std, sampling_error
from emergent.statistics.laws import squared_gap_law, squared_norm_of_mean
from emergent.summaries.distances import differences, gap_products
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities


@dataclass(frozen=True)
class BySample:
    """What is averaged over samples, at each of them.

    Attributes:
        distances: ensemble size to the mean distance [N].
        law: floor and slope [2, N] of the squared distance.
    """

    distances: dict[int, np.ndarray]
    law: np.ndarray


def summarise_ensemble_distance(settings: EnsembleSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``distance``, ``fit``, ``accuracy`` and ``quantities``.

    Args:
        settings: of the summary stage; one of two arms is compared with the other.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.
    """
    del predictions
    pools = open_pools(settings, blocks)
    compared = next(arm for arm in settings.arms if arm.compare_to is not None)
    pair = (pools[compared.name], pools[str(compared.compare_to)])
    epochs = pair[0].epochs
    rows: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    quantities = Quantities()
    for data in settings.data:
        distances: dict[int, np.ndarray] = {}
        samples: dict[int, np.ndarray] = {}
        for size in settings.ensemble_sizes:
            # The published norm is not stated; here it is the mean of 2-norms over samples.
            gaps = differences(*pair, data.name, size, settings.max_ensembles)
            parts = [np.linalg.norm(part, axis=-1) for part in gaps]
            distances[size], samples[size] = np.mean(parts, axis=2), np.mean(parts, axis=0)
            for index, epoch in enumerate(epochs):
                values = distances[size][:, index]
                head = {"data": data.name, "epoch": int(epoch), "ensemble_size": size}
                row = {"mean": float(values.mean()), "std": sample_std(values), "num": len(values)}
                rows.append(head | row | {"sample_stderr": sampling_error(samples[size][index], data.whole)})
        unit, products, laws = gap_products(settings, *pair, data)
        for index, epoch in enumerate(epochs):
            law = squared_gap_law(products[index]).over_samples(laws[:, index], data.whole)
            found = {"floor_squared": law.floor, "floor": law.floor.root(), "noise": law.slope.times(unit)}
            columns = {key: value for name, one in found.items() for key, value in _columns(name, one).items()}
            fits.append({"data": data.name, "epoch": int(epoch)} | columns)
        # The published curves begin after the first epoch. The law is linear in the products, so that it holds for
        # their mean over epochs too.
        averages = {size: values[:, epochs > 0].mean(1) for size, values in distances.items()}
        by_sample = {size: values[epochs > 0].mean(0) for size, values in samples.items()}
        at_samples = BySample(by_sample, laws[:, epochs > 0].mean(1))
        _add_quantities(quantities, data, averages, products[epochs > 0].mean(0), unit, at_samples)
    reference = settings.arm(str(compared.compare_to))
    errors = [_invariance_error(pair[1], data.name, min(settings.ensemble_sizes)) for data in settings.data]
    text = f"largest change of the logits of the {reference.label} over an orbit, relative to the logits' std"
    quantities.add(f"invariance_error/{reference.name}", Estimate.exact(max(errors), "largest"), text)
    return {
        "distance": pd.DataFrame(rows),
        "fit": pd.DataFrame(fits),
        "accuracy": _accuracy(settings, pools),
        "quantities": quantities.table(),
    }


def _columns(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.value, f"{name}_stderr": found.stderr}


def _add_quantities(
    quantities: Quantities,
    data: DataFacts,
    distances: dict[int, np.ndarray],
    products: np.ndarray,
    unit: int,
    at_samples: BySample,
) -> None:
    """Adds what is averaged over the epochs after the first.

    Args:
        quantities: gets them.
        data: the evaluation set.
        distances: ensemble size to the distances of disjoint pairs of ensembles.
        products: [U, U] of the differences of ensembles of ``unit`` members.
        unit: that size.
        at_samples: the same at each sample.
    """
    averages = {
        size: Estimate.mean(values, "disjoint ensembles")
        if len(values) > 1
        else _single(float(values[0]), len(products) * unit == size, products)
        for size, values in distances.items()
    }
    for size, average in averages.items():
        text = "L2 distance of mean logits, averaged over epochs >= 1"
        average = average.over_samples(at_samples.distances[size], data.whole)
        quantities.add_on(data, (f"distance/{{data}}/{size}", average, text))
    law = squared_gap_law(products).over_samples(at_samples.law, data.whole)
    text = "d^2 = floor^2 + noise / M, unbiased, squared distances averaged over epochs >= 1"
    quantities.add_on(
        data,
        ("floor_squared/{data}", law.floor, f"floor^2 (may be negative) of {text}"),
        ("floor/{data}", law.floor.root(), f"floor of {text}"),
        ("noise/{data}", law.slope.times(unit), f"noise of {text}"),
        # Distances of any two pools fall as their ensembles grow; that they fall to little, only those of equal means.
        ("floor_over_noise/{data}", law.ratio.times(1 / unit), f"floor^2 (may be negative) over noise of {text}"),
    )
    sizes = min(averages), max(averages)
    estimate = distance_ratio(distances[sizes[0]], distances[sizes[1]], sizes, products, unit)
    small, large = (at_samples.distances[size] for size in sizes)
    estimate = estimate.over_samples((large - estimate.value * small) / small.mean(), data.whole)
    text = f"distance of ensembles of {sizes[1]} over that of ensembles of {sizes[0]}"
    quantities.add_on(data, ("distance_ratio/{data}", estimate, text))


def _single(distance: float, holds_all: bool, products: np.ndarray) -> Estimate:
    """Returns the distance of one pair of ensembles, which has no spread, with the error of its square's law."""
    square = squared_norm_of_mean(products)
    # Averages over samples of a norm and of its square have about the same relative error, but for the factor of two.
    error = 0.5 * distance * square.stderr / square.value if holds_all else math.nan
    return Estimate(distance, error, 1, "pool", square.dof)


def _invariance_error(pool: MemberPool, data: str, size: int) -> float:
    outputs = next(pool.ensembles(data, size, 1))
    return float(np.abs(outputs - outputs[:, :, :1]).max() / outputs.std())


def _accuracy(settings: EnsembleSummary, pools: dict[str, MemberPool]) -> pd.DataFrame:
    rows = []
    for arm in settings.arms:
        pool = pools[arm.name]
        for data in settings.data:
            if data.role != "in" or not pool.has_metric(data.name, "correct"):
                continue
            groups = [("members", 1, pool.metric(data.name, "correct"))]
            labels = pool.labels(data.name)
            for size in settings.ensemble_sizes:
                ensembles = pool.ensembles(data.name, size, settings.max_ensembles)
                groups.append(("ensemble", size, np.stack([correct(outputs, labels) for outputs in ensembles])))
            for predictor, size, right in groups:
                values, samples = (right.mean(axis, dtype=np.float64) for axis in (2, 0))
                for index, epoch in enumerate(pool.epochs):
                    column = values[:, index]
                    head = {"arm": arm.name, "epoch": int(epoch), "predictor": predictor, "ensemble_size": size}
                    row = {"mean": float(column.mean()), "std": sample_std(column), "num": len(column)}
                    rows.append(head | row | {"sample_stderr": sampling_error(samples[index], data.whole)})
    return pd.DataFrame(rows)
