"""Laws that the symmetry of ensembles obeys in their size, ``floor + slope / N``, and jackknife errors.

References:
    arXiv 2410.01452: divergence against ensemble size; the laws are ours.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

JACKKNIFE_GROUPS = 10
LAW_SIZES = 6
SMALLEST_LAW_SIZE = 5
# Random partitions behind a law: enough that the choice of partitions adds little to the noise of the pool.
LAW_PARTITIONS, LAW_MEMBERS = (3, 24), 600


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
