"""Summary of experiments of kind ``convergence``: distance between the mean logits of two ensembles.

The L2 distance is the mean over samples of the Euclidean norm of the difference of the mean logits. It is compared
with ``d^2 = floor^2 + noise / M``: Monte-Carlo noise that falls with the ensemble size M on a floor that belongs to
finite width. The fit uses mean squared norms, for which that law is exact.

References:
    arXiv 2406.06504, convergence of augmented CNNs to GCNNs.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent.metrics.classification import correct
from emergent.statistics.ensembles import fit_noise_floor, mean_and_error
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import Quantities, aliases


def summarise_convergence(
    settings: dict[str, Any], pools: dict[str, MemberPool], kernel: None = None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``distance``, ``fit``, ``accuracy`` and ``quantities`` for arms ``cnn`` and ``gcnn``.

    Args:
        settings: configuration of the summary stage.
        pools: arm to its evaluated members.
        kernel: not used by this kind.
    """
    del kernel
    epochs = pools["cnn"].epochs
    rows: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    quantities = Quantities()
    for data in settings["data_order"]:
        alias = aliases(settings, data)
        squared: dict[int, np.ndarray] = {}
        distances: dict[int, np.ndarray] = {}
        for size in settings["ensemble_sizes"]:
            pairs = zip(
                *(pools[arm].ensembles(data, size, settings["max_ensembles"]) for arm in ("cnn", "gcnn")), strict=True
            )
            norms = np.stack([np.linalg.norm((a - b)[:, :, 0], axis=-1) for a, b in pairs])
            distances[size], squared[size] = norms.mean(2), np.square(norms).mean(2)
            for index, epoch in enumerate(epochs):
                values = distances[size][:, index]
                std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
                head = {"data": data, "epoch": int(epoch), "ensemble_size": size}
                rows.append(head | {"mean": float(values.mean()), "std": std, "num": len(values)})
        for index, epoch in enumerate(epochs):
            fits.append({"data": data, "epoch": int(epoch)} | _fit({m: v[:, index] for m, v in squared.items()}))
        _add_quantities(quantities, data, alias, epochs, distances, squared)
    quantities.add(
        "invariance_error/gcnn",
        max(_invariance_error(pools["gcnn"], data, settings) for data in settings["data_order"]),
        0.0,
        1,
        "largest change of a GCNN's logits under a quarter turn, relative to the logits' std",
    )
    return {
        "distance": pd.DataFrame(rows),
        "fit": pd.DataFrame(fits),
        "accuracy": _accuracy(settings, pools),
        "quantities": quantities.table(),
    }


def _fit(squared: dict[int, np.ndarray]) -> dict[str, float]:
    """Returns floor and noise of one epoch; the floor is 0 where the fitted square is negative."""
    sizes = np.array(sorted(squared), float)
    values = np.array([squared[int(m)].mean() for m in sizes])
    # A single ensemble has no spread of its own: its relative error is taken as that of the best-known size.
    relative = {
        int(m): squared[int(m)].std(ddof=1) / np.sqrt(len(squared[int(m)])) / squared[int(m)].mean()
        for m in sizes
        if len(squared[int(m)]) > 1
    }
    fallback = max(relative.values(), default=0.1)
    errors = np.array([relative.get(int(m), fallback) for m in sizes]) * values
    (floor2, noise), covariance = fit_noise_floor(sizes, values, errors)
    floor = float(np.sqrt(max(floor2, 0.0)))
    floor_error = float(np.sqrt(covariance[0, 0]) / (2 * floor)) if floor > 0 else float(covariance[0, 0] ** 0.25)
    return {
        "floor": floor,
        "floor_stderr": floor_error,
        "noise": float(noise),
        "noise_stderr": float(np.sqrt(covariance[1, 1])),
    }


def _add_quantities(
    quantities: Quantities,
    data: str,
    alias: list[str],
    epochs: np.ndarray,
    distances: dict[int, np.ndarray],
    squared: dict[int, np.ndarray],
) -> None:
    trained = epochs > 0
    averages = {size: mean_and_error(values[:, trained].mean(1)) for size, values in distances.items()}
    for size, (mean, error, num) in averages.items():
        text = "L2 distance of mean logits, averaged over epochs >= 1"
        quantities.add_with_alias(f"distance/{{data}}/{size}", data, alias, mean, error, num, description=text)
    fit = _fit({size: values[:, trained].mean(1) for size, values in squared.items()})
    for name in ("floor", "noise"):
        text = f"{name} of d^2 = floor^2 + noise / M, squared distances averaged over epochs >= 1"
        values = (fit[name], fit[f"{name}_stderr"], 1)
        quantities.add_with_alias(f"{name}/{{data}}", data, alias, *values, description=text)
    small, large = min(averages), max(averages)
    ratio = averages[large][0] / averages[small][0]
    # A single largest ensemble has no spread: its relative error is bounded by that of the smallest ensembles.
    relative = [
        error / mean if np.isfinite(error) else averages[small][1] / averages[small][0]
        for mean, error, _ in (averages[small], averages[large])
    ]
    text = f"distance of ensembles of {large} over that of ensembles of {small}"
    quantities.add_with_alias(
        "distance_ratio/{data}", data, alias, ratio, ratio * float(np.linalg.norm(relative)), 1, description=text
    )


def _invariance_error(pool: MemberPool, data: str, settings: dict[str, Any]) -> float:
    outputs = next(pool.ensembles(data, min(settings["ensemble_sizes"]), 1))
    return float(np.abs(outputs - outputs[:, :, :1]).max() / outputs.std())


def _accuracy(settings: dict[str, Any], pools: dict[str, MemberPool]) -> pd.DataFrame:
    rows = []
    for arm in settings["arm_order"]:
        for data in settings["data_order"]:
            if settings["data"][data]["role"] != "in" or not pools[arm].has_metric(data, "correct"):
                continue
            groups = [("members", 1, pools[arm].metric(data, "correct").mean(2, dtype=np.float64))]
            for size in settings["ensemble_sizes"]:
                labels = pools[arm].labels(data)
                ensembles = pools[arm].ensembles(data, size, settings["max_ensembles"])
                groups.append(("ensemble", size, np.stack([correct(outputs, labels).mean(1) for outputs in ensembles])))
            for predictor, size, values in groups:
                for index, epoch in enumerate(pools[arm].epochs):
                    column = values[:, index]
                    std = float(column.std(ddof=1)) if len(column) > 1 else float("nan")
                    head = {"arm": arm, "epoch": int(epoch), "predictor": predictor, "ensemble_size": size}
                    rows.append(head | {"mean": float(column.mean()), "std": std, "num": len(column)})
    return pd.DataFrame(rows)
