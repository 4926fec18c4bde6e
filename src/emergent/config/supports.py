"""Filter supports written as rows of 0 and 1, e.g. ``["010", "111", "010"]`` for the cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    # Only for type checkers: every job and the Snakefile import this module, and jaxtyping takes a fifth of a second.
    from jaxtyping import Bool


def support_mask(rows: Sequence[str]) -> Bool[np.ndarray, "k k"]:
    """Returns a support as a mask, row by row from the top.

    Raises:
        ValueError: not a square of odd side made of 0 and 1, or no 1 at all.
    """
    side = len(rows)
    if side == 0 or any(len(row) != side for row in rows):
        raise ValueError(f"a support must be a square: expected {side} rows of {side} digits, found {list(rows)}")
    if any(set(row) - {"0", "1"} for row in rows):
        raise ValueError(f"a support is written with 0 and 1 only, found {list(rows)}")
    if side % 2 == 0:
        raise ValueError(f"a support needs a central pixel: expected an odd side, found {side}")
    mask = np.array([[digit == "1" for digit in row] for row in rows])
    if not mask.any():
        raise ValueError("a support must contain at least one 1; an empty filter passes nothing on")
    return mask
