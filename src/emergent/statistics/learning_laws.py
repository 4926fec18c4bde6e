"""Power laws ``error = level (n / centre)^exponent`` of learning curves in the size n of the training set.

Logarithms of means over repeats are fitted, all sizes alike; the centre is the geometric mean of the sizes. Errors are
those of leaving out one repeat at a time, because the sizes of a repeat share their samples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from emergent.statistics.estimate import Estimate
from emergent.statistics.jackknife import jackknifed


class PowerLaw(NamedTuple):
    """A line through a learning curve in logarithms.

    Attributes:
        exponent: power of the size with which errors change, negative where they fall.
        level: error at the centre.
        centre: geometric mean of the sizes.
    """

    exponent: Estimate
    level: Estimate
    centre: float


def power_law(sizes: Sequence[int], errors: Float[np.ndarray, "M S"]) -> PowerLaw:
    """Returns the power law of errors of M repeats at S sizes.

    Args:
        sizes: at least two different ones.
        errors: with positive means.

    Raises:
        ValueError: fewer than two sizes.
    """
    if len(set(sizes)) < 2:
        raise ValueError(f"a power law needs at least two sizes, found {list(sizes)}.")
    return PowerLaw(
        jackknifed(lambda values: _line(sizes, values)[0], errors, "fit"),
        jackknifed(lambda values: float(np.exp(_line(sizes, values)[1])), errors, "fit"),
        float(np.exp(np.log(sizes).mean())),
    )


def equal_samples(sizes: Sequence[int], errors: Float[np.ndarray, "M S"], others: Float[np.ndarray, "M S"]) -> Estimate:
    """Returns how many samples another learner needs for each of this one's, to have the same error.

    By the power laws of both, at the centre of the sizes: what the other's law says of the error that this one's has.

    Args:
        sizes: of both.
        errors: of this one, with positive means.
        others: of the other, in the same repeats.
    """

    def statistic(values: Float[np.ndarray, "M 2 S"]) -> float:
        (_, own), (slope, level) = (_line(sizes, values[:, index]) for index in range(2))
        return float(np.exp((own - level) / slope))

    return jackknifed(statistic, np.stack([errors, others], 1), "fit")


def _line(sizes: Sequence[int], errors: Float[np.ndarray, "M S"]) -> tuple[float, float]:
    """Returns slope and value at the centre, in logarithms."""
    logs = np.log(sizes)
    slope, level = np.polyfit(logs - logs.mean(), np.log(errors.mean(0)), 1)
    return float(slope), float(level)
