"""Points on a helix (sin t, cos t, t), and how far other points are from it.

References:
    Dombrowski, Gerken, Müller and Kessel, arXiv:2206.05075, toy example of its released code.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import elementwise

STEPS_PER_UNIT = 100
"""Of t, between which a root of the derivative is looked for: the derivative changes much more slowly."""


def helix_points(parameter: Float[np.ndarray, " N"]) -> Float[np.ndarray, "N 3"]:
    """Returns the points of the helix at some t."""
    return np.stack([np.sin(parameter), np.cos(parameter), parameter], -1)


def helix_distance(points: Float[np.ndarray, "N 3"], reach: float) -> Float[np.ndarray, " N"]:
    """Returns Euclidean distances from the helix with t from -reach to reach, in double precision.

    Stationary points in t of the squared distance are bracketed on a grid and found to rounding; the ends are
    candidates, too.

    Args:
        points: anywhere.
        reach: largest t.
    """
    points = np.asarray(points, np.float64)

    def slope(parameter: np.ndarray, first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
        return second * np.sin(parameter) - first * np.cos(parameter) + parameter - third

    grid = np.linspace(-reach, reach, max(3, round(2 * reach * STEPS_PER_UNIT) + 1))
    slopes = slope(grid[None], *points.T[:, :, None])
    ends = np.stack([_apart(points, np.full(len(points), end)) for end in (-reach, reach)], -1)
    nearest = ends.min(-1)
    # From below to above zero: a smallest distance.
    rows, cells = np.nonzero((slopes[:, :-1] < 0) & (slopes[:, 1:] >= 0))
    if len(rows):
        found = elementwise.find_root(slope, (grid[cells], grid[cells + 1]), args=tuple(points[rows].T))
        np.minimum.at(nearest, rows, _apart(points[rows], found.x))
    return nearest


def _apart(points: Float[np.ndarray, "N 3"], parameter: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    return np.linalg.norm(points - helix_points(parameter), axis=-1)
