"""How far two clouds of vectors are from one orbit of a group; none of it looks at invariants.

Clouds are arrays [..., n, d], a vector a row; float64. Distances are in units of the norm of the first cloud.
"""

from itertools import permutations

import numpy as np
from jaxtyping import Float

Clouds = Float[np.ndarray, "... n d"]
Distances = Float[np.ndarray, "..."]


def orthogonal_distance(first: Clouds, second: Clouds, special: bool = False) -> Distances:
    """Returns the distance of the second cloud from the nearest copy of the first, turned by an element of O(d).

    Args:
        first: which is turned.
        second: which stays.
        special: of SO(d), which has no reflections.
    """
    left, _, right = np.linalg.svd(second.mT @ first)
    if special:
        # The axis that the clouds have least in common is reversed.
        left[..., -1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))[..., None]
    # Not by the singular values: their difference of squares keeps half of the digits.
    return _norm(second - first @ (left @ right).mT) / _norm(first)


def relabelled_distance(first: Clouds, second: Clouds) -> Distances:
    """Returns the same over O(d) and all orders of the vectors, each of which is tried."""
    orders = (list(order) for order in permutations(range(first.shape[-2])))
    return np.min([orthogonal_distance(first[..., order, :], second) for order in orders], axis=0)


def form_distance(first: Clouds, second: Clouds, metric: Float[np.ndarray, " d"]) -> Distances:
    """Returns how much the linear map from the first cloud to the second fails to keep a metric.

    The group of those that keep it is not compact, and has no nearest element; but d vectors that span the space leave
    one map alone, L. Returned is the norm of L^T eta L - eta.

    Args:
        first: n = d vectors that span the space.
        second: as many.
        metric: diagonal of eta.
    """
    transposed = np.linalg.solve(first, second)
    return _norm((transposed * metric) @ transposed.mT - np.diag(metric))


def _norm(matrices: Clouds) -> Distances:
    return np.linalg.norm(matrices, axis=(-2, -1))
