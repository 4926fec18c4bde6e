"""Ensembles resampled from a pool of members whose outputs are stored, and the laws that their symmetry obeys.

Every ensemble is a row of weights over the pool, so that all of them are one matrix product with the outputs and no
network runs again.

References:
    arXiv 2410.01452: ensembles of N members drawn with replacement, orbit same prediction, divergence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from emergent.metrics.ensembles import bootstrap_counts
from emergent.metrics.orbit import correct, cross_entropy, orbit_same_predictions, symmetric_kl

# Floats of ensemble outputs that exist at a time.
CHUNK_FLOATS = 2**25
JACKKNIFE_GROUPS = 10
LAW_SIZES = 6
LAW_PARTITIONS = 6
SMALLEST_LAW_SIZE = 5


Reader = Callable[[int, int], Float[np.ndarray, "M n G K"]]
"""First and last sample (excluded) to the outputs of all members on their orbits."""


def ensemble_metrics(
    weights: Float[np.ndarray, "B M"],
    read_outputs: Reader,
    num_samples: int,
    labels: np.ndarray | None,
) -> dict[str, Float[np.ndarray, " B"]]:
    """Returns ``osp``, ``divergence`` and, with labels, ``accuracy`` and ``loss`` of many ensembles of one pool.

    Args:
        weights: rows that sum to 1.
        read_outputs: outputs of the pool.
        num_samples: N.
        labels: [N], or None.
    """
    totals: dict[str, np.ndarray] = {}
    per_sample = read_outputs(0, 1)[0].size
    step = max(1, CHUNK_FLOATS // (per_sample * (len(weights) + weights.shape[1])))
    for start in range(0, num_samples, step):
        stop = min(start + step, num_samples)
        outputs = read_outputs(start, stop)
        mixed = (weights.astype(np.float32) @ outputs.reshape(len(outputs), -1)).reshape(-1, *outputs.shape[1:])
        part = {"osp": orbit_same_predictions(mixed).sum(-1), "divergence": symmetric_kl(mixed).sum(-1)}
        if labels is not None:
            part["accuracy"] = correct(mixed, labels[start:stop]).sum(-1)
            part["loss"] = cross_entropy(mixed, labels[start:stop]).sum(-1)
        for name, values in part.items():
            totals[name] = totals.get(name, 0.0) + values.astype(np.float64)
    return {name: values / num_samples for name, values in totals.items()}


def gap_products(read_outputs: Reader, num_samples: int) -> Float[np.ndarray, "M M"]:
    """Returns the mean over samples, g and outputs of the products of ``f_i(g x) - f_i(x)`` of two members.

    The squared gap of any ensemble with weights w is the quadratic form ``w^T P w``.
    """
    total, count = np.zeros(0), 0
    per_sample = read_outputs(0, 1)[:, 0].size
    step = max(1, CHUNK_FLOATS // per_sample)
    for start in range(0, num_samples, step):
        outputs = read_outputs(start, min(start + step, num_samples)).astype(np.float64)
        moved = (outputs - outputs[:, :, :1]).reshape(len(outputs), -1)
        count += moved.shape[1]
        product = moved @ moved.T
        total = product if total.size == 0 else total + product
    return total / count


@dataclass(frozen=True)
class Law:
    """``value(N) = floor + slope / N + curvature / N^2`` with delete-group jackknife errors.

    The floor is what an infinite ensemble keeps, the slope the noise of one member.
    """

    floor: float
    floor_stderr: float
    slope: float
    slope_stderr: float
    ratio: float
    ratio_stderr: float
    curvature: float = 0.0


def jackknife_error(replicates: Float[np.ndarray, "J ..."]) -> np.ndarray:
    """Returns the delete-group jackknife standard error over equal groups."""
    num = len(replicates)
    return np.sqrt((num - 1) / num * np.square(replicates - replicates.mean(0)).sum(0))


def _law(estimate: np.ndarray, replicates: np.ndarray) -> Law:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, ratios = estimate[0] / estimate[1], replicates[:, 0] / replicates[:, 1]
    errors = jackknife_error(replicates)
    return Law(
        floor=float(estimate[0]),
        floor_stderr=float(errors[0]),
        slope=float(estimate[1]),
        slope_stderr=float(errors[1]),
        ratio=float(ratio),
        ratio_stderr=float(jackknife_error(ratios)),
        curvature=float(estimate[2]) if len(estimate) > 2 else 0.0,
    )


def squared_gap_law(products: Float[np.ndarray, "M M"]) -> Law:
    """Returns the law of the squared invariance gap of the mean outputs, exact for every N.

    For independent members E[gap(N)] = floor + slope / N with floor = E[P_ij], i != j, and slope = E[P_ii] - floor.
    Both are estimated without bias from a pool of any size (U-statistics); errors by deleting one member at a time.
    """
    num = len(products)
    total, diagonal, rows = products.sum(), np.diag(products), products.sum(1)

    def coefficients(count: int, everything: np.ndarray, trace: np.ndarray) -> np.ndarray:
        floor = (everything - trace) / (count * (count - 1))
        return np.stack([floor, trace / count - floor], -1)

    estimate = coefficients(num, total, diagonal.sum())
    replicates = coefficients(num - 1, total - 2 * rows + diagonal, diagonal.sum() - diagonal)
    return _law(estimate, replicates)


@dataclass(frozen=True)
class LawDesign:
    """Ensembles without replacement behind one fit: the whole pool, and the pool without each jackknife group.

    Attributes:
        sizes: ensemble sizes N.
        weights: all ensembles [B, M].
        size_index: [B] position of each ensemble in ``sizes``.
        left_out: [B] jackknife group that the ensemble avoids by construction, -1 for the whole pool.
    """

    sizes: np.ndarray
    weights: np.ndarray
    size_index: np.ndarray
    left_out: np.ndarray


def law_design(num_members: int, generator: np.random.Generator) -> LawDesign:
    """Returns random partitions of a pool into disjoint ensembles, for the whole pool and for each jackknife replicate.

    Sizes start where the expansion in 1 / N is known to hold within its quadratic term, N = 5, or lower for tiny pools.
    """
    groups = np.array_split(np.arange(num_members), min(JACKKNIFE_GROUPS, num_members))
    largest = num_members - max(len(group) for group in groups)
    smallest = max(1, min(SMALLEST_LAW_SIZE, largest // 2))
    sizes = np.unique(np.rint(np.geomspace(smallest, largest, LAW_SIZES)).astype(int))
    weights, size_index, left_out = [], [], []
    for number, group in [(-1, np.zeros(0, int)), *enumerate(groups)]:
        pool = np.setdiff1d(np.arange(num_members), group)
        for _ in range(LAW_PARTITIONS):
            order = generator.permutation(pool)
            for index, size in enumerate(sizes):
                for k in range(len(pool) // size):
                    row = np.zeros(num_members)
                    row[order[k * size : (k + 1) * size]] = 1 / size
                    weights.append(row)
                    size_index.append(index)
                    left_out.append(number)
    return LawDesign(sizes, np.stack(weights), np.array(size_index), np.array(left_out))


def divergence_law(design: LawDesign, values: Float[np.ndarray, " B"]) -> tuple[Law, np.ndarray, np.ndarray]:
    """Returns the fitted law, the means [S] by size and their jackknife errors [S].

    Least squares with errors proportional to the values; the quadratic term needs at least four sizes.
    """
    numbers = [-1, *sorted(set(design.left_out.tolist()) - {-1})]
    means = np.stack(
        [
            [values[(design.left_out == number) & (design.size_index == i)].mean() for i in range(len(design.sizes))]
            for number in numbers
        ]
    )
    degree = 2 if len(design.sizes) > 3 else 1
    fits = np.stack([_fit(design.sizes, row, degree) for row in means])
    return _law(fits[0], fits[1:]), means[0], jackknife_error(means[1:])


def _fit(sizes: np.ndarray, values: np.ndarray, degree: int) -> np.ndarray:
    scale = np.maximum(values, np.finfo(float).tiny)
    basis = np.stack([(1.0 / sizes) ** power for power in range(degree + 1)], 1) / scale[:, None]
    return np.linalg.lstsq(basis, values / scale, rcond=None)[0]


@dataclass(frozen=True)
class Resampled:
    """Ensembles of one pool on one evaluation set at one epoch.

    Attributes:
        drawn: (metric, size) to the values [B] of ensembles drawn with replacement.
        disjoint: (metric, size) to the values of disjoint ensembles: independent repetitions, so that their spread
            knows the noise of the pool, which bootstraps do not.
        law_points: size, mean divergence without replacement, jackknife error.
        divergence: law fitted to these.
        squared_gap: exact law of the squared gap.
    """

    drawn: dict[tuple[str, int], np.ndarray]
    disjoint: dict[tuple[str, int], np.ndarray]
    law_points: list[tuple[int, float, float]]
    divergence: Law
    squared_gap: Law

    def pool_error(self, metric: str, size: int) -> float:
        """Returns the standard error of the mean over disjoint ensembles; NaN where the pool holds only one."""
        values = self.disjoint[metric, size]
        return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def resample(
    read_outputs: Reader,
    num_samples: int,
    num_members: int,
    labels: np.ndarray | None,
    bootstrap: dict[str, Any],
    generator: np.random.Generator,
) -> Resampled:
    """Returns all resampled ensembles of a pool.

    Args:
        read_outputs: outputs of the pool.
        num_samples: N.
        num_members: M.
        labels: [N], or None.
        bootstrap: ``sizes`` and ``num``, as configured.
        generator: for draws and partitions.
    """
    sizes, num = bootstrap["sizes"], bootstrap["num"]
    drawn = [bootstrap_counts(num, size, num_members, generator) / size for size in sizes]
    disjoint = [np.kron(np.eye(num_members // size), np.full((1, size), 1 / size)) for size in sizes]
    disjoint = [np.pad(rows, ((0, 0), (0, num_members - rows.shape[1]))) for rows in disjoint]
    design = law_design(num_members, generator)
    parts = [*drawn, *disjoint, design.weights]
    values = ensemble_metrics(np.concatenate(parts), read_outputs, num_samples, labels)
    bounds = np.cumsum([len(part) for part in parts])[:-1]
    split = {metric: np.split(column, bounds) for metric, column in values.items()}
    law, means, errors = divergence_law(design, split["divergence"][-1])
    return Resampled(
        drawn={(metric, size): column[i] for metric, column in split.items() for i, size in enumerate(sizes)},
        disjoint={
            (metric, size): column[len(sizes) + i] for metric, column in split.items() for i, size in enumerate(sizes)
        },
        law_points=[(int(n), float(m), float(e)) for n, m, e in zip(design.sizes, means, errors, strict=True)],
        divergence=law,
        squared_gap=squared_gap_law(gap_products(read_outputs, num_samples)),
    )
