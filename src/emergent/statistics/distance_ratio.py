"""Ratio of the distances of large and of small ensembles that share their members."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from emergent.statistics.estimate import Estimate, combined_dof, spread_dof
from emergent.statistics.jackknife import jackknife_error
from emergent.statistics.laws import pair_variance, without_pairs


def distance_ratio(
    small: Float[np.ndarray, " S"],
    large: Float[np.ndarray, " L"],
    sizes: tuple[int, int],
    products: Float[np.ndarray, "U U"],
    unit: int,
) -> Estimate:
    """Returns the mean distance of disjoint large ensembles over that of small ones, with its error.

    The error is by deleting a unit at a time, from both distances: what an unusual member does to both cancels in part.
    The part of its variance that belongs to pairs is counted once, as in ``emergent.statistics.laws``.

    Args:
        small: distances of disjoint ensembles of the smallest size, ensemble k of members k m to (k + 1) m - 1.
        large: those of the largest size.
        sizes: the two sizes.
        products: of the differences of disjoint ensembles of ``unit`` members, the units.
        unit: size of these; where ensembles are not made of whole units, the error takes distances as independent.
    """
    below, above = small.mean(), large.mean()
    value = float(above / below)
    num, of_units = min(len(small), len(large)), sizes[1] // unit
    used = of_units * len(large)
    if sizes[1] % unit or unit % sizes[0] or not 4 <= used <= len(products):
        return _independent(small, large, value, num)
    inside = np.arange(len(small)) * sizes[0] // unit
    counts = np.bincount(inside, minlength=len(products))
    sums = np.bincount(inside, weights=small, minlength=len(products))
    if counts.max() == len(small):
        return _independent(small, large, value, num)
    numerators = np.full(len(products), above)
    pairs = 2 * pair_variance(products) * (of_units - 1) / of_units**3
    variance = 0.0
    for k, distance in enumerate(large):
        own = slice(k * of_units, (k + 1) * of_units)
        part = products[own, own]
        square, left = part.sum(), part.sum() - 2 * part.sum(1) + np.diag(part)
        # A mean over samples of norms has about the relative changes of the root of that of their squares.
        changed = distance * np.sqrt(np.maximum(left, 0) / square) * of_units
        if of_units > 1:
            changed /= of_units - 1
        others = of_units * (above * len(large) - distance)
        numerators[own] = (others + (of_units - 1) * changed) / (used - 1)
        variance += (0.5 * distance / (square / of_units**2) / len(large)) ** 2 * pairs
    ratios = numerators * (len(small) - counts) / (small.sum() - sums)
    raw = float(jackknife_error(ratios))
    found = without_pairs(Estimate(value, raw, num, "ratio"), variance / below**2)
    # What is taken off has its own noise: simulated errors scatter as if degrees of freedom fell by the share taken.
    dof = spread_dof(len(products))
    return replace(found, dof=max(min(dof, 3.0), dof * min(1.0, found.stderr**2 / raw**2)) if raw > 0 else dof)


def _independent(small: np.ndarray, large: np.ndarray, value: float, num: int) -> Estimate:
    parts = [Estimate.mean(distances) for distances in (small, large)]
    relative = [(part.stderr / part.value, part.dof) for part in parts]
    error = value * math.hypot(*(error for error, _ in relative))
    return Estimate(value, error, num, "ratio", combined_dof(*relative))
