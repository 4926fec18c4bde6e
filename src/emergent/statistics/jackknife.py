"""The jackknife: what estimates scatter by when a repeat, or a group of members, is left out at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emergent.statistics.estimate import Estimate, Estimator, spread_dof

# With nine degrees of freedom an error is itself known to about a quarter.
JACKKNIFE_GROUPS = 10


def jackknife_error(replicates: Float[np.ndarray, "J ..."]) -> np.ndarray:
    """Returns the delete-group jackknife standard error over equal groups; NaN from fewer than two."""
    num = len(replicates)
    if num < 2:
        return np.full(np.shape(replicates)[1:], math.nan)[()]
    # (J - 1) / J and not 1 / (J (J - 1)): replicates share most groups, and scatter J - 1 times less than these.
    return np.sqrt((num - 1) / num * np.square(replicates - replicates.mean(0)).sum(0))


def jackknifed(
    statistic: Callable[[Float[np.ndarray, "M ..."]], float], repeats: Float[np.ndarray, "M ..."], estimator: Estimator
) -> Estimate:
    """Returns a statistic of independent repeats, with the error of leaving out one of them at a time.

    Args:
        statistic: a smooth function of means of repeats; of one repeat, if there is no other, without an error.
        repeats: at least one.
        estimator: what the statistic is called.
    """
    num = len(repeats)
    left_out = np.array([statistic(np.delete(repeats, index, 0)) for index in range(num)] if num > 1 else [math.nan])
    return Estimate(statistic(repeats), float(jackknife_error(left_out)), num, estimator, spread_dof(num))


def jackknife_groups(num_members: int, num_groups: int = JACKKNIFE_GROUPS) -> list[np.ndarray]:
    """Returns the groups of members that are left out in turn: so many, or single members where they are fewer."""
    return np.array_split(np.arange(num_members), min(num_groups, num_members))


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
            # An ensemble without a member in the group keeps its row: its value is known already.
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
