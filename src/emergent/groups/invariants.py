"""Scalars that groups leave alone, of clouds of vectors and of symmetric matrices; and vectors that they turn.

Clouds are arrays [..., n, d], a vector a row, of NumPy or of JAX. By theory clouds lie on one orbit of O(d) if and only
if their Gram matrices are equal; of SO(d) if their minors are, too; of the Lorentz group if their Minkowski products
are, as long as the vectors span the space. Relabelled clouds of a generic kind are told apart by the diagonal of the
Gram matrix in order, by the rest of it in order, and by one number that ties the two together.

References:
    arXiv 2106.06610 (invariants and equivariant maps by scalar products); arXiv 2405.08097 (f_d, f_o and f_star).
"""

from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

Array = Any
"""Of NumPy or of JAX; functions return what they were given."""


def gram(vectors: Float[Array, "... n d"]) -> Float[Array, "... n n"]:
    """Returns all scalar products of the vectors of a cloud: invariants of O(d)."""
    return vectors @ vectors.mT


def minkowski_products(vectors: Float[Array, "... n d"], metric: Float[np.ndarray, " d"]) -> Float[Array, "... n n"]:
    """Returns all products of the vectors of a cloud in a metric, a diagonal form: invariants of what keeps it."""
    return (vectors * metric) @ vectors.mT


def minors(vectors: Float[Array, "... n d"]) -> Float[Array, "... m"]:
    """Returns the determinants of all m choices of d of the n vectors: invariants of SL(d), and so of SO(d).

    Raises:
        ValueError: fewer vectors than dimensions, of which there are no minors.
    """
    num, dimension = vectors.shape[-2:]
    if num < dimension:
        raise ValueError(f"minors: expected at least {dimension} vectors of {dimension} dimensions, found {num}.")
    chosen = np.array(list(combinations(range(num), dimension)))
    return vectors.__array_namespace__().linalg.det(vectors[..., chosen, :])


def cross_product(vectors: Float[Array, "... k d"]) -> Float[Array, "... d"]:
    """Returns the vector that is orthogonal to d - 1 others: its product with v is det(others, v).

    It turns with the vectors under SO(d); reflections reverse it besides.

    Raises:
        ValueError: not one vector less than dimensions.
    """
    num, dimension = vectors.shape[-2:]
    if num != dimension - 1:
        raise ValueError(f"cross product: expected {dimension - 1} vectors of {dimension} dimensions, found {num}.")
    array = vectors.__array_namespace__()
    columns = [array.delete(vectors, axis, axis=-1) for axis in range(dimension)]
    signs = np.array([(-1.0) ** (num + axis) for axis in range(dimension)], vectors.dtype)
    return array.stack([array.linalg.det(rest) for rest in columns], axis=-1) * signs


def diagonal_in_order(matrices: Float[Array, "... n n"]) -> Float[Array, "... n"]:
    """Returns f_d of symmetric matrices: their diagonal entries, ascending, whatever the order of the points."""
    array = matrices.__array_namespace__()
    return array.sort(array.linalg.diagonal(matrices), axis=-1)


def rest_in_order(matrices: Float[Array, "... n n"]) -> Float[Array, "... m"]:
    """Returns f_o of symmetric matrices: their entries above the diagonal, ascending."""
    rows, columns = np.triu_indices(matrices.shape[-1], 1)
    return matrices.__array_namespace__().sort(matrices[..., rows, columns], axis=-1)


def tie(matrices: Float[Array, "... n n"]) -> Float[Array, "..."]:
    """Returns f_star of symmetric matrices X: the sum of X_ii X_ij over all i and j that differ.

    What stands on the diagonal and what beside it cannot be moved apart without changing it.
    """
    array = matrices.__array_namespace__()
    diagonal = array.linalg.diagonal(matrices)
    return (diagonal * (matrices.sum(-1) - diagonal)).sum(-1)
