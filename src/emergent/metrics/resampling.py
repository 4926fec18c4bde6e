"""Ensembles resampled from a pool of members whose outputs are stored, and the laws that their symmetry obeys.

Every ensemble is a row of weights over the pool, so that all of them are one matrix product with the outputs and no
network runs again.

References:
    arXiv 2410.01452: ensembles of N members drawn with replacement, orbit same prediction, divergence.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from emergent.metrics.ensembles import bootstrap_counts
from emergent.metrics.orbit import correct, cross_entropy, orbit_same_predictions, symmetric_kl

# Floats of members' outputs that are read at a time, and of ensembles' outputs that exist at a time: few enough for the
# caches, and for memory to be used again instead of asked for anew, which takes longer than the arithmetic.
READ_FLOATS, CHUNK_FLOATS = 2**25, 2**20
JACKKNIFE_GROUPS = 10
LAW_SIZES = 6
SMALLEST_LAW_SIZE = 5
# Random partitions behind a law: enough that the choice of partitions adds little to the noise of the pool.
LAW_PARTITIONS, LAW_MEMBERS = (3, 24), 600
# Fewer independent repetitions than this do not tell their spread.
FEWEST_REPETITIONS = 5


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
    weights = weights.astype(np.float32)
    step = max(1, CHUNK_FLOATS // (per_sample * len(weights)))
    for first, read in _pieces(read_outputs, num_samples):
        for start in range(0, read.shape[1], step):
            outputs = np.ascontiguousarray(read[:, start : start + step])
            mixed = (weights @ outputs.reshape(len(outputs), -1)).reshape(-1, *outputs.shape[1:])
            part = {"osp": orbit_same_predictions(mixed).sum(-1), "divergence": symmetric_kl(mixed).sum(-1)}
            if labels is not None:
                own = labels[first + start : first + start + step]
                part["accuracy"] = correct(mixed, own).sum(-1)
                part["loss"] = cross_entropy(mixed, own).sum(-1)
            for name, values in part.items():
                totals[name] = totals.get(name, 0.0) + values.astype(np.float64)
    return {name: values / num_samples for name, values in totals.items()}


def _pieces(read_outputs: Reader, num_samples: int) -> Iterator[tuple[int, Float[np.ndarray, "M n G K"]]]:
    """Yields the first sample and the outputs of the pool, a number of samples at a time."""
    step = max(1, READ_FLOATS // read_outputs(0, 1).size)
    for start in range(0, num_samples, step):
        yield start, read_outputs(start, min(start + step, num_samples))


def gap_products(read_outputs: Reader, num_samples: int) -> Float[np.ndarray, "M M"]:
    """Returns the mean over samples, g and outputs of the products of ``f_i(g x) - f_i(x)`` of two members.

    The squared gap of any ensemble with weights w is the quadratic form ``w^T P w``.
    """
    total, count = np.zeros(0), 0
    step = max(1, CHUNK_FLOATS // read_outputs(0, 1).size)
    for _, read in _pieces(read_outputs, num_samples):
        for start in range(0, read.shape[1], step):
            outputs = read[:, start : start + step].astype(np.float64)
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
    Both are estimated without bias from a pool of any size (U-statistics). Errors by deleting one member at a time; the
    jackknife counts the part of the floor's variance that belongs to pairs twice, and so one time is taken off.
    """
    num = len(products)
    total, diagonal, rows = products.sum(), np.diag(products), products.sum(1)

    def coefficients(count: int, everything: np.ndarray, trace: np.ndarray) -> np.ndarray:
        floor = (everything - trace) / (count * (count - 1))
        return np.stack([floor, trace / count - floor], -1)

    estimate = coefficients(num, total, diagonal.sum())
    replicates = coefficients(num - 1, total - 2 * rows + diagonal, diagonal.sum() - diagonal)
    law = _law(estimate, replicates)
    if num < 4:
        return law
    own = (rows - diagonal - (num - 1) * estimate[0]) / (num - 2)
    pairs = products - estimate[0] - own[:, None] - own[None, :]
    square = (np.square(pairs).sum() - np.square(np.diag(pairs)).sum()) / (num * (num - 3))
    twice = 2 * square / (num * (num - 1))

    def corrected(error: float, part: float) -> float:
        # What belongs to pairs alone is also the least that the variance can be.
        return float(np.sqrt(max(error**2 - part, part)))

    ratio_stderr = corrected(law.ratio_stderr, twice / estimate[1] ** 2)
    return replace(law, floor_stderr=corrected(law.floor_stderr, twice), ratio_stderr=ratio_stderr)


def jackknife_groups(num_members: int) -> list[np.ndarray]:
    """Returns the groups of members that are left out in turn."""
    return np.array_split(np.arange(num_members), min(JACKKNIFE_GROUPS, num_members))


@dataclass(frozen=True)
class LeaveOut:
    """Ensembles, and what is left of each when a group of members is left out.

    The replicates of a jackknife are made of the same ensembles as the estimate, so that they differ from it by the
    members left out and not by another choice of ensembles.

    Attributes:
        weights: different ensembles [B, M]: first those of the estimate, then what is left of some.
        rows: [1 + J, A] row of each of the A ensembles of the estimate, then of what is left of it without group j (the
            ensemble itself, where it has no member in there); -1 where nothing is left.
    """

    weights: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, weights: Float[np.ndarray, "A M"]) -> "LeaveOut":
        """Returns the ensembles with all that is left of them; equal weights become equal weights."""
        kept, rows = list(weights), [np.arange(len(weights))]
        for group in jackknife_groups(weights.shape[1]):
            row = rows[0].copy()
            for index in np.flatnonzero(weights[:, group].any(1)):
                left = weights[index].copy()
                left[group] = 0.0
                row[index] = len(kept) if left.any() else -1
                if left.any():
                    kept.append(left / left.sum())
            rows.append(row)
        return cls(np.stack(kept), np.stack(rows))

    def replicates(self, values: Float[np.ndarray, " B"]) -> Float[np.ndarray, "J A"]:
        """Returns the values of what is left, NaN where nothing is."""
        return np.where(self.rows[1:] < 0, np.nan, values[self.rows[1:]])


@dataclass(frozen=True)
class LawDesign:
    """Ensembles without replacement behind one fit.

    Attributes:
        sizes: ensemble sizes N.
        size_index: [A] position of each ensemble in ``sizes``.
        ensembles: A ensembles, and what is left of them in the jackknife.
    """

    sizes: np.ndarray
    size_index: np.ndarray
    ensembles: LeaveOut


def law_design(num_members: int, generator: np.random.Generator) -> LawDesign:
    """Returns random partitions of a pool into disjoint ensembles of several sizes.

    Sizes start where the expansion in 1 / N is known to hold within its quadratic term, N = 5, or lower for tiny pools.
    """
    largest = num_members - max(len(group) for group in jackknife_groups(num_members))
    smallest = max(1, min(SMALLEST_LAW_SIZE, largest // 2))
    sizes = np.unique(np.rint(np.geomspace(smallest, largest, LAW_SIZES)).astype(int))
    fewest, most = LAW_PARTITIONS
    weights, size_index = [], []
    for _ in range(min(most, max(fewest, LAW_MEMBERS // num_members))):
        order = generator.permutation(num_members)
        for index, size in enumerate(sizes):
            for k in range(num_members // size):
                row = np.zeros(num_members)
                row[order[k * size : (k + 1) * size]] = 1 / size
                weights.append(row)
                size_index.append(index)
    return LawDesign(sizes, np.array(size_index), LeaveOut.of(np.stack(weights)))


def divergence_law(design: LawDesign, values: Float[np.ndarray, " B"]) -> tuple[Law, np.ndarray, np.ndarray]:
    """Returns the fitted law, the means [S] by size and their jackknife errors [S].

    Least squares with errors proportional to the values; the quadratic term needs at least four sizes. What is left of
    an ensemble is smaller, and enters the fit with the size that it has.
    """
    degree = 2 if len(design.sizes) > 3 else 1
    inverse = 1.0 / np.count_nonzero(design.ensembles.weights, axis=1)
    means, fits = [], []
    for row in design.ensembles.rows:
        chosen = [row[(design.size_index == index) & (row >= 0)] for index in range(len(design.sizes))]
        powers = [np.array([np.mean(inverse[rows] ** power) for rows in chosen]) for power in range(degree + 1)]
        means.append(np.array([values[rows].mean() for rows in chosen]))
        fits.append(_fit(np.stack(powers, 1), means[-1]))
    # Without a group, ensembles are smaller by its share, which moves all replicates alike.
    return _law(fits[0], np.stack(fits[1:])), means[0], jackknife_error(np.stack(means[1:]))


def _fit(powers: Float[np.ndarray, "S D"], values: Float[np.ndarray, " S"]) -> np.ndarray:
    scale = np.maximum(values, np.finfo(float).tiny)
    return np.linalg.lstsq(powers / scale[:, None], values / scale, rcond=None)[0]


@dataclass(frozen=True)
class Resampled:
    """Ensembles of one pool on one evaluation set at one epoch.

    Attributes:
        drawn: (metric, size) to the values [B] of ensembles drawn with replacement.
        disjoint: (metric, size) to the values of disjoint ensembles: independent repetitions, so that their spread
            knows the noise of the pool, which bootstraps do not.
        jackknife: (metric, size) to the error of their mean, where they are too few to tell their spread.
        law_points: size, mean divergence without replacement, jackknife error.
        divergence: law fitted to these.
        squared_gap: exact law of the squared gap.
    """

    drawn: dict[tuple[str, int], np.ndarray]
    disjoint: dict[tuple[str, int], np.ndarray]
    jackknife: dict[tuple[str, int], float]
    law_points: list[tuple[int, float, float]]
    divergence: Law
    squared_gap: Law

    def pool_error(self, metric: str, size: int) -> float:
        """Returns the standard error of the mean over disjoint ensembles, with the noise of the pool.

        From their spread where they are enough to tell it, and else, down to the one ensemble of the whole pool, by
        leaving out a tenth of the members at a time, which errs on the safe side.
        """
        values = self.disjoint[metric, size]
        if len(values) >= FEWEST_REPETITIONS:
            return float(values.std(ddof=1) / np.sqrt(len(values)))
        return self.jackknife[metric, size]


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
    disjoint = [LeaveOut.of(np.pad(rows, ((0, 0), (0, num_members - rows.shape[1])))) for rows in disjoint]
    few = [len(part.rows[0]) < FEWEST_REPETITIONS for part in disjoint]
    design = law_design(num_members, generator)
    rows = [part.weights if some else part.weights[part.rows[0]] for part, some in zip(disjoint, few, strict=True)]
    parts = [*drawn, *rows, design.ensembles.weights]
    values = ensemble_metrics(np.concatenate(parts), read_outputs, num_samples, labels)
    bounds = np.cumsum([len(part) for part in parts])[:-1]
    split = {metric: np.split(column, bounds) for metric, column in values.items()}
    law, means, errors = divergence_law(design, split["divergence"][-1])
    result = Resampled(
        drawn={(metric, size): column[i] for metric, column in split.items() for i, size in enumerate(sizes)},
        disjoint={},
        jackknife={},
        law_points=[(int(n), float(m), float(e)) for n, m, e in zip(design.sizes, means, errors, strict=True)],
        divergence=law,
        squared_gap=squared_gap_law(gap_products(read_outputs, num_samples)),
    )
    for metric, column in split.items():
        for size, part, some, found in zip(sizes, disjoint, few, column[len(sizes) : -1], strict=True):
            result.disjoint[metric, size] = found[: len(part.rows[0])]
            if some:
                replicates = np.nanmean(part.replicates(found), axis=1)
                result.jackknife[metric, size] = float(jackknife_error(replicates))
    return result
