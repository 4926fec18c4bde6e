"""How far trajectories are from others, as published for learnt dynamics.

Where a trajectory has left the range of numbers its error is 1, the largest that there is.

References:
    arXiv 2104.09459, released code.
"""

import numpy as np
from jaxtyping import Float

CLAMP, MOMENTUM_CLAMP = 1e-7, 1e-5
"""Smallest errors that count, of states and of angular momentum: a geometric mean would see nothing but zeros."""


def relative_error(left: Float[np.ndarray, "... d"], right: Float[np.ndarray, "... d"]) -> Float[np.ndarray, "..."]:
    """Returns RMS(a - b) / (RMS(a) + RMS(b)) over the last axis: from 0 to 1, in double precision; 0 if both are 0."""
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)

    def root(values: np.ndarray) -> np.ndarray:
        return np.sqrt(np.square(values).mean(-1))

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        total = root(left) + root(right)
        error = np.where(total == 0, 0.0, root(left - right) / total)
    return np.where(np.isfinite(error), error, 1.0)


def geometric_mean(
    errors: Float[np.ndarray, "..."], clamp: float = CLAMP, axis: int | tuple[int, ...] | None = None
) -> Float[np.ndarray, "..."]:
    """Returns the geometric mean of errors, of which those below ``clamp`` count as that."""
    return np.exp(np.log(np.maximum(errors, clamp)).mean(axis))
