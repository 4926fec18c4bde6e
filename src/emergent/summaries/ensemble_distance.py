"""Summary of experiments of kind ``ensemble_distance``: distance between the mean logits of two ensembles.

The L2 distance is the mean over samples of the Euclidean norm of the difference of the mean logits. It is compared
with ``d^2 = floor^2 + noise / M``: Monte-Carlo noise that falls with the ensemble size M on a floor that belongs to
finite width. The fit uses mean squared norms, for which that law is exact.

References:
    arXiv 2406.06504, convergence of augmented CNNs to GCNNs.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent.config.questions import EnsembleSummary
from emergent.config.stages import DataFacts
from emergent.metrics.classification import correct
from emergent.statistics.estimate import Estimate, sample_std
from emergent.statistics.size_fits import fit_disjoint
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities


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
    pair = [pools[compared.name], pools[str(compared.compare_to)]]
    epochs = pair[0].epochs
    rows: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    quantities = Quantities()
    for data in settings.data:
        squared: dict[int, np.ndarray] = {}
        distances: dict[int, np.ndarray] = {}
        for size in settings.ensemble_sizes:
            pairs = zip(*(pool.ensembles(data.name, size, settings.max_ensembles) for pool in pair), strict=True)
            # Element 0: at the samples themselves. The published norm is not stated; here it is the mean of 2-norms
            # over samples, and their squares for the law, which is exact for these.
            norms = np.stack([np.linalg.norm((a - b)[:, :, 0], axis=-1) for a, b in pairs])
            distances[size], squared[size] = norms.mean(2), np.square(norms).mean(2)
            for index, epoch in enumerate(epochs):
                values = distances[size][:, index]
                head = {"data": data.name, "epoch": int(epoch), "ensemble_size": size}
                rows.append(head | {"mean": float(values.mean()), "std": sample_std(values), "num": len(values)})
        for index, epoch in enumerate(epochs):
            fit = {
                key: number
                for name, found in _fit({m: v[:, index] for m, v in squared.items()}).items()
                for key, number in ((name, found.value), (f"{name}_stderr", found.stderr))
            }
            fits.append({"data": data.name, "epoch": int(epoch)} | fit)
        # The published curves begin after the first epoch.
        _add_quantities(quantities, data, epochs > 0, distances, squared)
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


def _fit(squared: dict[int, np.ndarray]) -> dict[str, Estimate]:
    """Returns floor and noise; the floor is 0 where the fitted square is negative."""
    (floor2, noise), covariance = fit_disjoint(squared)
    floor = float(np.sqrt(max(floor2, 0.0)))
    # A root has no slope at 0: there the error of the floor is the root of that of its square.
    floor_error = float(np.sqrt(covariance[0, 0]) / (2 * floor)) if floor > 0 else float(covariance[0, 0] ** 0.25)
    return {
        "floor": Estimate(floor, floor_error, 1, "fit"),
        "noise": Estimate(float(noise), float(np.sqrt(covariance[1, 1])), 1, "fit"),
    }


def _add_quantities(
    quantities: Quantities,
    data: DataFacts,
    trained: np.ndarray,
    distances: dict[int, np.ndarray],
    squared: dict[int, np.ndarray],
) -> None:
    averages = {
        size: Estimate.mean(values[:, trained].mean(1), "disjoint ensembles") for size, values in distances.items()
    }
    for size, average in averages.items():
        text = "L2 distance of mean logits, averaged over epochs >= 1"
        quantities.add_on(data, (f"distance/{{data}}/{size}", average, text))
    for name, found in _fit({size: values[:, trained].mean(1) for size, values in squared.items()}).items():
        text = f"{name} of d^2 = floor^2 + noise / M, squared distances averaged over epochs >= 1"
        quantities.add_on(data, (f"{name}/{{data}}", found, text))
    small, large = averages[min(averages)], averages[max(averages)]
    ratio = large.value / small.value
    # A single largest ensemble has no spread: its relative error is bounded by that of the smallest ensembles.
    relative = [
        found.stderr / found.value if np.isfinite(found.stderr) else small.stderr / small.value
        for found in (small, large)
    ]
    text = f"distance of ensembles of {max(averages)} over that of ensembles of {min(averages)}"
    estimate = Estimate(ratio, ratio * float(np.linalg.norm(relative)), 1, "ratio")
    quantities.add_on(data, ("distance_ratio/{data}", estimate, text))


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
            groups = [("members", 1, pool.metric(data.name, "correct").mean(2, dtype=np.float64))]
            labels = pool.labels(data.name)
            for size in settings.ensemble_sizes:
                ensembles = pool.ensembles(data.name, size, settings.max_ensembles)
                groups.append(("ensemble", size, np.stack([correct(outputs, labels).mean(1) for outputs in ensembles])))
            for predictor, size, values in groups:
                for index, epoch in enumerate(pool.epochs):
                    column = values[:, index]
                    head = {"arm": arm.name, "epoch": int(epoch), "predictor": predictor, "ensemble_size": size}
                    rows.append(head | {"mean": float(column.mean()), "std": sample_std(column), "num": len(column)})
    return pd.DataFrame(rows)
