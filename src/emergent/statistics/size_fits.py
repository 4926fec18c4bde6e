"""Fits of ``floor + slope / M`` to means over disjoint ensembles of several sizes M.

That law is exact for squares of differences of ensemble means: distances of two ensembles, orbit MSE.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from emergent.statistics.jackknife import JACKKNIFE_GROUPS, jackknife_groups
from emergent.statistics.laws import Law, law_of

# Fewer ranges than this do not tell the scatter of what is left without one.
FEWEST_RANGES = 5


def fit_noise_floor(
    sizes: Float[np.ndarray, " S"], squared: Float[np.ndarray, "S ..."], errors: Float[np.ndarray, " S"]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns floor^2 and noise of ``d^2 = floor^2 + noise / M`` with their covariance, by weighted least squares.

    Args:
        sizes: ensemble sizes M.
        squared: mean squared distances, of one set or of many.
        errors: their standard errors, all positive.

    Returns:
        coefficients [2, ...] (floor squared, noise) and covariance [2, 2].
    """
    design = np.stack([np.ones_like(sizes), 1 / sizes], 1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    return covariance @ design.T @ (squared.T / errors).T, covariance


def disjoint_law(values: Mapping[int, Float[np.ndarray, " R"]]) -> Law:
    """Returns the law of a square of differences, with errors that know that all sizes share their members.

    Ensemble k of size M holds members k M to (k + 1) M - 1. A replicate of the jackknife leaves out a range of members
    and with it every ensemble that holds one of them. Ranges end where ensembles of the largest size end of which
    there are enough, so that little more than the range is left out; what is more makes the errors too large rather
    than too small. They are NaN where fewer than two sizes are left.

    Args:
        values: ensemble size to the values of its disjoint ensembles, in order; at least two sizes.

    Raises:
        ValueError: fewer than two sizes.
    """
    if len(values) < 2:
        raise ValueError(f"a fit of floor + slope / M needs at least two ensemble sizes, found {sorted(values)}.")
    num = max(size * len(found) for size, found in values.items())
    replicates = []
    for group in _ranges(values, num):
        left = {size: found[~_touched(size, len(found), group)] for size, found in values.items()}
        left = {size: found for size, found in left.items() if len(found)}
        replicates.append(_coefficients(left) if len(left) > 1 else np.full(2, math.nan))
    return law_of(_coefficients(values), np.stack(replicates), num, "fit")


def disjoint_law_by_sample(
    values: Mapping[int, Float[np.ndarray, " R"]], by_sample: Mapping[int, Float[np.ndarray, " N"]]
) -> Float[np.ndarray, "2 N"]:
    """Returns floor and slope at each sample, whose means are those of ``disjoint_law``.

    Args:
        values: as there.
        by_sample: ensemble size to the mean over its ensembles at each sample.
    """
    sizes, _, scale = _means(values)
    rows = np.stack([by_sample[int(size)] for size in sizes])
    return fit_noise_floor(sizes, rows, scale)[0]


def _ranges(values: Mapping[int, np.ndarray], num_members: int) -> list[np.ndarray]:
    """Returns the ranges of members that are left out in turn."""
    enough = [size for size, found in values.items() if len(found) >= FEWEST_RANGES]
    if not enough:
        return jackknife_groups(num_members)
    # Rounded up to whole ensembles of that size: at most JACKKNIFE_GROUPS ranges.
    step = max(enough) * -(-num_members // (max(enough) * JACKKNIFE_GROUPS))
    return [np.arange(start, min(start + step, num_members)) for start in range(0, num_members, step)]


def _touched(size: int, num: int, group: np.ndarray) -> np.ndarray:
    """Returns which of the first ``num`` ensembles of one size hold a member of a range."""
    first = np.arange(num) * size
    return (first <= group[-1]) & (first + size > group[0])


def _coefficients(values: Mapping[int, np.ndarray]) -> np.ndarray:
    """Returns floor and slope by least squares, with errors proportional to the value and to 1 / sqrt(repeats)."""
    return fit_noise_floor(*_means(values))[0]


def _means(values: Mapping[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns ensemble sizes, means, and what the errors of these are taken as proportional to."""
    sizes = np.array(sorted(values), float)
    means = np.array([values[int(size)].mean() for size in sizes])
    # Not the spread itself: the spread of a few positive values is small where their mean is small by chance, and
    # weights made of it would pull the fit down.
    return sizes, means, np.maximum(means, np.finfo(float).tiny) / np.sqrt([len(values[int(size)]) for size in sizes])
