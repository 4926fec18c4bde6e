"""Laws that the symmetry of ensembles obeys in their size, ``floor + slope / N``.

References:
    arXiv 2410.01452: divergence against ensemble size; the laws are ours.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from emergent.statistics.estimate import Estimate, Estimator, spread_dof
from emergent.statistics.jackknife import LeaveOut, jackknife_error, jackknife_groups

LAW_SIZES = 6
SMALLEST_LAW_SIZE = 5
# Random partitions behind a law: enough that the choice of partitions adds little to the noise of the pool.
LAW_PARTITIONS, LAW_MEMBERS = (3, 24), 600


@dataclass(frozen=True)
class Law:
    """``value(N) = floor + slope / N + curvature / N^2``.

    The floor is what an infinite ensemble keeps, the slope the noise of one member, the ratio that of the two.
    """

    floor: Estimate
    slope: Estimate
    ratio: Estimate
    curvature: float = 0.0

    def columns(self) -> dict[str, float]:
        """Returns the law as cells of a table."""
        cells: dict[str, float] = {}
        for name in ("floor", "slope", "ratio"):
            estimate = getattr(self, name)
            cells |= {name: estimate.value, f"{name}_stderr": estimate.stderr}
        return cells | {"curvature": self.curvature}

    def ratio_by_sample(self, by_sample: Float[np.ndarray, "D N"]) -> Float[np.ndarray, " N"]:
        """Returns how the ratio of floor and slope changes with each sample, from what they are at each of them."""
        return (by_sample[0] - self.ratio.value * by_sample[1]) / self.slope.value

    def over_samples(self, by_sample: Float[np.ndarray, "D N"], whole: bool) -> "Law":
        """Returns the law of means over samples with the error of these being a part of more.

        Args:
            by_sample: floor and slope (what follows is not read) at each sample, whose means are those of the law.
            whole: the samples are all that there are.
        """
        # A law of an exactly invariant arm has neither floor nor slope, and no ratio.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.ratio.over_samples(self.ratio_by_sample(by_sample), whole)
        floor, slope = (
            one.over_samples(row, whole) for one, row in zip((self.floor, self.slope), by_sample[:2], strict=True)
        )
        return replace(self, floor=floor, slope=slope, ratio=ratio)


def law_of(
    estimate: Float[np.ndarray, " D"], replicates: Float[np.ndarray, "J D"], num: int, estimator: Estimator
) -> Law:
    """Returns the law of coefficients (floor, slope and perhaps curvature) with jackknife errors.

    Args:
        estimate: from all members.
        replicates: the same without a group of members each.
        num: members.
        estimator: how they were estimated.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, ratios = estimate[0] / estimate[1], replicates[:, 0] / replicates[:, 1]
    errors, dof = jackknife_error(replicates), spread_dof(len(replicates))
    return Law(
        floor=Estimate(float(estimate[0]), float(errors[0]), num, estimator, dof),
        slope=Estimate(float(estimate[1]), float(errors[1]), num, estimator, dof),
        ratio=Estimate(float(ratio), float(jackknife_error(ratios)), num, estimator, dof),
        curvature=float(estimate[2]) if len(estimate) > 2 else 0.0,
    )


def squared_gap_law(products: Float[np.ndarray, "M M"]) -> Law:
    """Returns the law of the squared invariance gap of the mean outputs, exact for every N.

    For independent members E[gap(N)] = floor + slope / N with floor = E[P_ij], i != j, and slope = E[P_ii] - floor.
    Both are estimated without bias from a pool of any size (U-statistics). Errors by deleting one member at a time; the
    jackknife counts the part of the floor's variance that belongs to pairs twice, and so one time is taken off.

    Args:
        products: of vectors that belong to one member each, e.g. of what its outputs change by under the group, or of
            the difference of two members of two pools, whose squared mean is then the squared distance of ensembles.
    """
    num = len(products)
    total, diagonal, rows = products.sum(), np.diag(products), products.sum(1)

    def coefficients(count: int, everything: np.ndarray, trace: np.ndarray) -> np.ndarray:
        # Without the diagonal: products of a member with itself hold its noise, which would raise the floor.
        floor = (everything - trace) / (count * (count - 1))
        return np.stack([floor, trace / count - floor], -1)

    estimate = coefficients(num, total, diagonal.sum())
    # Without a member the sum lacks its row and its column, which share the diagonal entry.
    replicates = coefficients(num - 1, total - 2 * rows + diagonal, diagonal.sum() - diagonal)
    law = law_of(estimate, replicates, num, "unbiased")
    if num < 4:
        return law
    twice = 2 * pair_variance(products) / (num * (num - 1))
    # The slope in the ratio counts as known: its relative error is small beside that of a floor near 0.
    floor = without_pairs(law.floor, twice)
    return replace(law, floor=floor, ratio=without_pairs(law.ratio, twice / estimate[1] ** 2))


def squared_gap_by_sample(
    of_sum: Float[np.ndarray, "... N"], own: Float[np.ndarray, "... N"], num: int
) -> Float[np.ndarray, "2 ... N"]:
    """Returns floor and slope of ``squared_gap_law`` at each sample, whose means are those of the law.

    Args:
        of_sum: squared norm, at each sample, of the sum of the vectors of all members.
        own: sum of the squared norms of these.
        num: members.
    """
    floor = (of_sum - own) / (num * (num - 1))
    return np.stack([floor, own / num - floor])


def squared_norm_of_mean(products: Float[np.ndarray, "M M"]) -> Estimate:
    """Returns the squared norm of the mean of all vectors, an ensemble of the whole pool, with its error.

    The error is that of one such ensemble among others of as many new members.
    """
    num = len(products)
    total, diagonal, rows = products.sum(), np.diag(products), products.sum(1)
    if num < 2:
        return Estimate(float(total / num**2), math.nan, num, "pool")
    replicates = (total - 2 * rows + diagonal) / (num - 1) ** 2
    error, dof = float(jackknife_error(replicates)), spread_dof(len(replicates))
    found = Estimate(float(total / num**2), error, num, "pool", dof)
    return found if num < 4 else without_pairs(found, 2 * pair_variance(products) * (num - 1) / num**3)


def pair_variance(products: Float[np.ndarray, "M M"]) -> float:
    """Returns the variance of what belongs to pairs alone in Hoeffding's decomposition of the products.

    It has M (M - 3) / 2 degrees of freedom, since M row sums are taken off M (M - 1) / 2 products.
    """
    num = len(products)
    diagonal, rows = np.diag(products), products.sum(1)
    mean = (products.sum() - diagonal.sum()) / (num * (num - 1))
    own = (rows - diagonal - (num - 1) * mean) / (num - 2)
    pairs = products - mean - own[:, None] - own[None, :]
    return float((np.square(pairs).sum() - np.square(np.diag(pairs)).sum()) / (num * (num - 3)))


def without_pairs(found: Estimate, part: float) -> Estimate:
    """Returns an estimate whose jackknife error counts the part of the variance that belongs to pairs once."""
    # The difference of two noisy numbers: half of what belongs to pairs is the least that is believed. With all of
    # it the errors of small pools without a floor are a fifth too large, with none of it some are far too small.
    return replace(found, stderr=float(np.sqrt(max(found.stderr**2 - part, 0.5 * part))))


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


def design_groups(design: LawDesign) -> Float[np.ndarray, "S B"]:
    """Returns weights of all ensembles, by which those of each size of the estimate are averaged."""
    groups = np.zeros((len(design.sizes), len(design.ensembles.weights)))
    for group, index in zip(groups, range(len(design.sizes)), strict=True):
        rows = design.ensembles.rows[0][design.size_index == index]
        np.add.at(group, rows, 1 / len(rows))
    return groups


def divergence_law_by_sample(design: LawDesign, by_sample: Float[np.ndarray, "S N"]) -> Float[np.ndarray, "D N"]:
    """Returns the coefficients of the law at each sample, whose means are those of ``divergence_law``.

    Args:
        design: ensembles of the fit.
        by_sample: means over the ensembles of each size, at each sample.
    """
    powers = (1.0 / design.sizes[:, None]) ** np.arange(_degree(design) + 1)
    return _fit(powers, by_sample, by_sample.mean(1))


def _degree(design: LawDesign) -> int:
    return 2 if len(design.sizes) > 3 else 1


def divergence_law(design: LawDesign, values: Float[np.ndarray, " B"]) -> tuple[Law, np.ndarray, np.ndarray]:
    """Returns the fitted law, the means [S] by size and their jackknife errors [S].

    Least squares with errors proportional to the values; the quadratic term needs at least four sizes. What is left of
    an ensemble is smaller, and enters the fit with the size that it has.
    """
    degree = _degree(design)
    inverse = 1.0 / np.count_nonzero(design.ensembles.weights, axis=1)
    means, fits = [], []
    for row in design.ensembles.rows:
        chosen = [row[(design.size_index == index) & (row >= 0)] for index in range(len(design.sizes))]
        # The mean of 1 / N and not 1 over the mean of N: in a replicate ensembles of one design size differ in theirs.
        powers = [np.array([np.mean(inverse[rows] ** power) for rows in chosen]) for power in range(degree + 1)]
        means.append(np.array([values[rows].mean() for rows in chosen]))
        fits.append(_fit(np.stack(powers, 1), means[-1], means[-1]))
    # Without a group, ensembles are smaller by its share, which moves all replicates alike.
    num = design.ensembles.weights.shape[1]
    return law_of(fits[0], np.stack(fits[1:]), num, "fit"), means[0], jackknife_error(np.stack(means[1:]))


def _fit(
    powers: Float[np.ndarray, "S D"], values: Float[np.ndarray, "S ..."], means: Float[np.ndarray, " S"]
) -> np.ndarray:
    # An exactly invariant arm has the value 0 at every size.
    scale = np.maximum(means, np.finfo(float).tiny)
    return np.linalg.lstsq(powers / scale[:, None], (values.T / scale).T, rcond=None)[0]
