"""Errors of predicted positions of joints, as they are and after the best similarity; and of reflections.

All are in the unit of the positions. NumPy, in float64.

References:
    Kabsch, A solution for the best rotation to relate two sets of vectors (1976); Umeyama (1991), with scale.
"""

import numpy as np
from jaxtyping import Float

TINY = 1e-12


def joint_error(
    predicted: Float[np.ndarray, "... J 3"], true: Float[np.ndarray, "... J 3"]
) -> Float[np.ndarray, "..."]:
    """Returns the distance of predicted joints from true ones, mean over the joints of a pose: MPJPE."""
    return np.linalg.norm(predicted.astype(np.float64) - true, axis=-1).mean(-1)


def aligned(predicted: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]) -> Float[np.ndarray, "N J 3"]:
    """Returns predictions moved, turned and scaled so that their squared distance from true joints is smallest.

    Each pose on its own; turned by rotations, never reflected. Predictions whose joints are all in one place have no
    direction, and stay there. SciPy aligns one pose at a time: tests hold this against it.
    """
    centre, target = predicted.mean(1, keepdims=True, dtype=np.float64), true.mean(1, keepdims=True, dtype=np.float64)
    own, other = predicted - centre, true - target
    left, sizes, right = np.linalg.svd(own.swapaxes(1, 2) @ other)
    # The smallest direction turns about where the best orthogonal matrix is a reflection.
    signs = np.ones_like(sizes)
    signs[:, -1] = np.sign(np.linalg.det(left @ right))
    rotation = (left * signs[:, None]) @ right
    scale = (sizes * signs).sum(-1) / np.maximum(np.square(own).sum((1, 2)), TINY)
    return scale[:, None, None] * (own @ rotation) + target


def aligned_joint_error(
    predicted: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]
) -> Float[np.ndarray, " N"]:
    """Returns the distance of predicted joints from true ones after ``aligned``: P-MPJPE."""
    return joint_error(aligned(predicted, true), true)
