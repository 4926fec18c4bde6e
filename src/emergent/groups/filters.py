"""Quarter turns of square filters: the subspace that they fix, and how it lies to a filter support.

P_G averages a filter over its four rotations, P_L keeps the taps of a support. Where the two commute, the orthogonal
projections onto equivariant and onto admissible layers are compatible.

References:
    arXiv 2303.13458 (compatibility); arXiv 2410.01452 (supports).
"""

import numpy as np
from jaxtyping import Bool, Float

from emergent.groups.lattices import lattice_action
from emergent.point_groups import group_from_name


def rotation_projector(side: int) -> Float[np.ndarray, "P P"]:
    """Returns P_G on filters of ``side`` x ``side`` = P taps, flattened row by row."""
    index = lattice_action(group_from_name("C4"), side)
    return np.eye(side * side)[index].mean(0)


def support_projector(mask: Bool[np.ndarray, "k k"]) -> Float[np.ndarray, "P P"]:
    """Returns P_L, which sets the taps outside the support to zero."""
    return np.diag(mask.reshape(-1).astype(float))


def commutator_norms(mask: Bool[np.ndarray, "k k"]) -> tuple[float, float]:
    """Returns the spectral and the Frobenius norm of P_G P_L - P_L P_G; both are 0 for a compatible support."""
    _require_square(mask)
    turn, keep = rotation_projector(mask.shape[0]), support_projector(mask)
    commutator = turn @ keep - keep @ turn
    return float(np.linalg.norm(commutator, 2)), float(np.linalg.norm(commutator))


def _require_square(mask: np.ndarray) -> None:
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        raise ValueError(f"a support that is turned: expected a square mask [k, k], found shape {mask.shape}.")


def orbit_basis(mask: Bool[np.ndarray, "k k"]) -> Float[np.ndarray, "B T"]:
    """Returns an orthonormal basis of the filters on a support that quarter turns fix.

    One vector per orbit of taps that lies in the support as a whole, with equal entries; an orbit of which the support
    holds a part only would leave it, and is dropped.

    Args:
        mask: support of T taps, row by row.
    """
    _require_square(mask)
    # Row p holds where the four turns take tap p; sorted, the rows of all taps of one orbit are the same.
    orbits = np.unique(np.sort(lattice_action(group_from_name("C4"), mask.shape[0]).T, axis=1), axis=0)
    inside = mask.reshape(-1)
    rows = []
    for orbit in orbits:
        taps = np.unique(orbit)
        if inside[taps].all():
            row = np.zeros(mask.size)
            row[taps] = 1 / np.sqrt(len(taps))
            rows.append(row[inside])
    return np.array(rows).reshape(len(rows), int(inside.sum()))
