"""SU(2) as unit quaternions: a0 + i (a1 s1 + a2 s2 + a3 s3) with Pauli matrices s, as four real numbers.

Sums and products of elements of SU(2) with real weights are real quaternions, so that four numbers hold them too. One
code for arrays of NumPy and of JAX.
"""

from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from emergent.errors import DataError

TOLERANCE = 1e-5
"""Largest distance of a link's norm from 1; rounding to single precision is a hundred times smaller."""


def multiply(left: Any, right: Any) -> Any:
    """Returns the product of quaternions [..., 4] as 2 x 2 matrices; leading axes broadcast."""
    a0, a1, a2, a3 = (left[..., index] for index in range(4))
    b0, b1, b2, b3 = (right[..., index] for index in range(4))
    # (a . s)(b . s) = a . b + i s . (a x b), and i^2 turns the sign of the cross product.
    parts = [
        a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3,
        a0 * b1 + a1 * b0 - a2 * b3 + a3 * b2,
        a0 * b2 + a2 * b0 - a3 * b1 + a1 * b3,
        a0 * b3 + a3 * b0 - a1 * b2 + a2 * b1,
    ]
    return parts[0].__array_namespace__().stack(parts, -1)


def conjugate(values: Any) -> Any:
    """Returns the Hermitian conjugate of quaternions [..., 4]; of a unit quaternion that is its inverse."""
    return values.__array_namespace__().concatenate([values[..., :1], -values[..., 1:]], -1)


def trace(values: Any) -> Any:
    """Returns the real part of the trace [...] of quaternions [..., 4]; the imaginary part is zero."""
    return 2 * values[..., 0]


def matrices(values: Float[np.ndarray, "... 4"]) -> Complex[np.ndarray, "... 2 2"]:
    """Returns quaternions as complex matrices."""
    a0, a1, a2, a3 = np.moveaxis(np.asarray(values), -1, 0)
    rows = [np.stack([a0 + 1j * a3, a2 + 1j * a1], -1), np.stack([-a2 + 1j * a1, a0 - 1j * a3], -1)]
    return np.stack(rows, -2)


def random_elements(generator: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "... 4"]:
    """Returns elements [*shape, 4] drawn uniformly (Haar measure)."""
    values = generator.standard_normal((*shape, 4))
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def require_su2(links: Float[np.ndarray, "... 4"], what: str) -> None:
    """Checks that links are in SU(2).

    Args:
        links: quaternions.
        what: they are, for the message.

    Raises:
        DataError: they are no quaternions, or the norm of one is not 1.
    """
    if links.shape[-1:] != (4,):
        raise DataError(f"{what}: expected links as quaternions [..., 4], found an array of shape {links.shape}.")
    distance = np.abs(np.linalg.norm(links.astype(np.float64), axis=-1) - 1)
    # Also true of links that are not numbers.
    if not (worst := float(distance.max())) <= TOLERANCE:
        raise DataError(
            f"{what}: expected links in SU(2), quaternions of norm 1 up to {TOLERANCE:g}, found one whose norm is off "
            f"by {worst:.3g}; project links onto the group, or prepare the data set again."
        )
