"""Checks that an action fits what it is to move; JAX would broadcast or clamp instead, and move it wrongly."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def require(fits: bool, what: str, values: Any) -> None:
    """Checks the shape of samples.

    Args:
        fits: whether it is as expected.
        what: what was expected.
        values: the samples.

    Raises:
        ValueError: it is not.
    """
    if not fits:
        raise ValueError(f"the action does not fit: expected {what}, found shape {jnp.shape(values)}.")


def require_elements(order: int, num: int, elements: Any) -> None:
    """Checks that there is one element of a finite group for every sample.

    Args:
        order: number of elements G.
        num: samples N.
        elements: [N], from 0 to G - 1; their values are looked at outside compiled functions only.

    Raises:
        ValueError: other numbers, or another number of them.
    """
    elements = elements if isinstance(elements, jax.Array) else np.asarray(elements)
    is_whole = jnp.issubdtype(elements.dtype, jnp.integer)
    require(is_whole and elements.shape == (num,), f"the number of one element for each of {num} samples", elements)
    if not isinstance(elements, Tracer) and num:
        found = np.asarray(elements)
        # An index out of bounds would read the last element.
        low, high = found.min(), found.max()
        if low < 0 or high >= order:
            raise ValueError(f"the action does not fit: expected elements 0 to {order - 1}, found {low} to {high}.")


def require_permutations(moves: Any, what: str) -> None:
    """Checks that each row holds every point once.

    Args:
        moves: [K, P].
        what: for the message.

    Raises:
        ValueError: it does not.
    """
    moves = np.asarray(moves)
    expected = np.arange(moves.shape[-1]) if moves.ndim == 2 else None
    if expected is None or not (np.sort(moves, 1) == expected).all():
        raise ValueError(
            f"{what}: expected permutations of P points, [K, P] with 0 to P - 1 in every row, found {moves}."
        )
