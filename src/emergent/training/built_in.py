"""Symmetries that networks have built in, checked before training: errors of all networks of a block, by trial."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from emergent.errors import DataError

NOT_DUE = -1.0
"""Stored in the place of an error where no symmetry is built in."""


def require_built_in(
    arm: str, expected: str, tolerance: float, trials: Sequence[int], errors: Float[np.ndarray, "T M"]
) -> None:
    """Checks how far networks are, before training, from the symmetry that they have built in.

    Args:
        arm: that they are of.
        expected: what they should be, in words.
        tolerance: largest error.
        trials: indices over all trials, of the rows of ``errors``.
        errors: of the networks of each trial.

    Raises:
        DataError: one is above the tolerance, or no number; the message names the worst, its trial and its arm.
    """
    # Numbers that are not finite are the worst.
    trial, network = np.unravel_index(np.argmax(np.where(np.isfinite(errors), errors, np.inf)), errors.shape)
    worst = errors[trial, network]
    if not worst <= tolerance:
        raise DataError(
            f"trial {trials[int(trial)]} of arm {arm}, network {network}: expected {expected}, with an error before "
            f"training of at most {tolerance:g}, found {worst:.3g}; nothing was trained. Mend the network, or raise "
            "tolerance if its arithmetic is less precise than that."
        )


def relative_difference(left: Float[np.ndarray, "..."], right: Float[np.ndarray, "..."]) -> float:
    """Returns RMS(a - b) / (RMS(a) + RMS(b)), 0 where both vanish."""

    def root(values: np.ndarray) -> float:
        return float(np.sqrt(np.square(values, dtype=np.float64).mean()))

    size = root(left) + root(right)
    return root(np.subtract(left, right, dtype=np.float64)) / size if size else 0.0
