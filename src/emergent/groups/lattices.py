"""Exact actions on square grids: index maps for multiples of 90 degrees and mirror images.

A function on grid points is turned by (g.f)(p) = f(g^-1 p). Row i, column j of a grid of height H and width W sits at
x = j - (W - 1)/2, y = (H - 1)/2 - i: x to the right, y upwards, the centre of the grid at the origin, which is also
the convention of the image actions.
"""

import numpy as np
from jaxtyping import Float, Int

from emergent.errors import ConfigError
from emergent.groups.points import point_matrices, require_plane
from emergent.point_groups import FiniteGroup


def exact_index(matrix: Float[np.ndarray, "2 2"], height: int, width: int) -> Int[np.ndarray, " P"]:
    """Returns the index map of one integer orthogonal matrix: output point p takes the value of input point index[p].

    Args:
        matrix: orthogonal with entries 0, 1, -1; one that exchanges the axes needs ``height == width``.
        height: number of rows.
        width: number of columns.

    Raises:
        ConfigError: the axes of a grid that is no square are to be exchanged.
    """
    if height != width and matrix[0][1] != 0:
        raise ConfigError(
            f"a grid of {height} x {width} points: expected a square, since the element {np.asarray(matrix).tolist()} "
            "exchanges rows and columns."
        )
    rows, columns = np.divmod(np.arange(height * width), width)
    # Twice the centred coordinates are integers for odd and even sizes alike.
    centred = np.stack([2 * columns - (width - 1), (height - 1) - 2 * rows])
    # The value at p comes from g^-1 p, and the inverse of an orthogonal matrix is its transpose.
    source = np.rint(matrix).astype(np.int64).T @ centred
    # Both sums are even for every element that maps the grid onto itself: the divisions are exact.
    return ((height - 1 - source[1]) // 2) * width + (source[0] + width - 1) // 2


def lattice_action(group: FiniteGroup, size: int) -> Int[np.ndarray, "G P"]:
    """Returns the index maps of a group on a square lattice of P = size * size sites.

    Args:
        group: C1, C2, C4, D1, D2 or D4.
        size: number of sites along one side.

    Returns:
        int32 [G, P] with (g.f)[p] = f[index[g, p]] for f flattened row by row.

    Raises:
        ConfigError: the group has rotations that do not map the lattice onto itself.
    """
    require_plane(group, f"a square lattice of side {size}")
    matrices = point_matrices(group)
    if not np.array_equal(matrices, np.rint(matrices)):
        raise ConfigError(
            f"group {group.name} does not act on a square lattice: only rotations by multiples of 90 degrees map it "
            "onto itself. Use C1, C2, C4, D1, D2 or D4."
        )
    return np.stack([exact_index(matrix, size, size) for matrix in matrices]).astype(np.int32)
