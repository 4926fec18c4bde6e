"""Finite parts of a group by which training samples are augmented: which elements, and how densely they lie."""

import math

import numpy as np
from jaxtyping import Float

from emergent.config.groups import Augmentation, augmentation_seed
from emergent.point_groups import orbit_matrices


def subset_matrices(augmentation: Augmentation, seed: int) -> Float[np.ndarray, "G d d"] | None:
    """Returns the elements that training samples are moved by; None where they are drawn anew from a whole group.

    Args:
        augmentation: of training.
        seed: of the experiment.
    """
    if augmentation.order is None:
        return None
    drawn = augmentation_seed(seed)
    return orbit_matrices(augmentation.group, drawn, augmentation.elements, augmentation.num_elements)


def covering_angle(rotations: Float[np.ndarray, "G 3 3"]) -> float:
    """Returns the largest angle, in degrees, between any rotation of space and the nearest one of a finite set.

    Rotations an angle apart are unit quaternions half of it apart, q and -q alike. The unit vector with the smallest
    projection on the nearest of some is the normal of that facet of their convex hull which is nearest to the origin,
    so that the result is exact up to rounding. The distance of SO(3) from the set in operator norm, the kappa of the
    bound on partial augmentation in arXiv 2403.03103, is twice the sine of half of this angle.

    Args:
        rotations: one or more, acting on column vectors.
    """
    # Only here: figures and claims of other kinds need neither.
    from scipy.spatial import ConvexHull
    from scipy.spatial.transform import Rotation

    quaternions = Rotation.from_matrix(rotations).as_quat()
    # Some quaternion is orthogonal to all of these: a half turn away from each.
    if np.linalg.matrix_rank(quaternions, tol=1e-6) < 4:
        return 180.0
    hull = ConvexHull(np.concatenate([quaternions, -quaternions]))
    # Rows are outward normals and minus the distance of the facet.
    return math.degrees(2 * math.acos(min(1.0, -float(hull.equations[:, -1].max()))))


def subset_columns(augmentation: Augmentation, seed: int) -> dict[str, float]:
    """Returns the cells ``num_elements`` and ``covering_angle`` (degrees) of a table.

    The number is NaN where rotations are drawn from all of the group, the angle where the group does not turn space.
    """
    matrices = subset_matrices(augmentation, seed)
    if matrices is None:
        return {"num_elements": math.nan, "covering_angle": 0.0}
    of_space = matrices.shape[-1] == 3
    return {
        "num_elements": float(len(matrices)),
        "covering_angle": covering_angle(matrices) if of_space else math.nan,
    }
