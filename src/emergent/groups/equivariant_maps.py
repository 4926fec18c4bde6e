"""Bases of equivariant linear maps: the null space of what generators of a group demand.

A tensor of type T(p, q) has p upper and q lower indices, and ``g`` acts on it as p copies of g and q copies of its
inverse transpose. A linear map from T(a) to T(b) is a tensor of type T(b, a), and it is equivariant if no element of
the group moves it: if rho(h) w = w for the generating elements h, and drho(A) w = 0 for the generators A of the Lie
algebra. Works for every group that generators are known of. NumPy and SciPy, float64.

References:
    arXiv 2104.09459, section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
import scipy.linalg
import scipy.sparse
from jaxtyping import Float

from emergent.errors import ConfigError
from emergent.groups.matrix_groups import MatrixGroup, matrix_group

DENSE = 128
"""Unknowns up to which the null space is read off a singular value decomposition; more take inverse iteration."""
RELATIVE = 1e-9
"""Singular values below this, relative to the largest, count as zero. Those of the groups here are 0 or above 0.1."""
SHIFT, ITERATIONS, FIRST_BLOCK = 1e-8, 3, 24


@dataclass(frozen=True)
class Representation:
    """How a group acts on R^size.

    Attributes:
        name: for messages.
        size: of the space.
        rho: matrix of the group to matrix on the space.
        drho: matrix of the Lie algebra to its matrix on the space.
    """

    name: str
    size: int
    rho: Callable[[Float[np.ndarray, "d d"]], Float[np.ndarray, "n n"]]
    drho: Callable[[Float[np.ndarray, "d d"]], Float[np.ndarray, "n n"]]


def _sparse_kron(parts: list[np.ndarray]) -> scipy.sparse.csr_array:
    return reduce(lambda left, right: scipy.sparse.kron(left, right, format="csr"), map(scipy.sparse.csr_array, parts))


def tensor_matrix(element: Float[np.ndarray, "d d"], upper: int, lower: int) -> scipy.sparse.csr_array:
    """Returns the matrix by which an element of the group acts on tensors of type T(upper, lower), row by row."""
    return _sparse_kron([np.eye(1)] + [element] * upper + [np.linalg.inv(element).T] * lower)


def tensor_derivative(generator: Float[np.ndarray, "d d"], upper: int, lower: int) -> scipy.sparse.csr_array:
    """Returns the matrix by which an element of the Lie algebra acts on tensors of type T(upper, lower)."""
    dimension, rank = len(generator), upper + lower
    total = scipy.sparse.csr_array((dimension**rank, dimension**rank))
    for place in range(rank):
        parts = [np.eye(1)] + [np.eye(dimension)] * rank
        parts[1 + place] = generator if place < upper else -generator.T
        total = total + _sparse_kron(parts)
    return total


def tensors(dimension: int, upper: int, lower: int = 0) -> Representation:
    """Returns the tensors of type T(upper, lower)."""
    return Representation(
        f"T({upper},{lower})",
        dimension ** (upper + lower),
        lambda element: tensor_matrix(element, upper, lower).toarray(),
        lambda generator: tensor_derivative(generator, upper, lower).toarray(),
    )


def require_representation(group: MatrixGroup, representation: Representation, seed: int = 0) -> None:
    """Checks on random elements that products go to products, inverses to inverses and exponentials to exponentials.

    Raises:
        ConfigError: they do not, or matrices have another shape than the space; the message says which.
    """
    generator = np.random.default_rng(seed)
    size, rho, drho = representation.size, representation.rho, representation.drho

    def element() -> np.ndarray:
        coordinates = generator.standard_normal(len(group.lie_algebra)) * group.scales
        found = scipy.linalg.expm(np.tensordot(coordinates, group.lie_algebra, 1))
        for discrete in group.discrete:
            found = found @ np.linalg.matrix_power(discrete, int(generator.integers(3)))
        return found

    def require(words: str, found: np.ndarray, expected: np.ndarray) -> None:
        scale = max(1.0, float(np.abs(expected).max()))
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=1e-8 * scale):
            raise ConfigError(
                f"{representation.name} of {group.name} is no representation: {words} does not hold; give matrices "
                "that multiply as the elements of the group do."
            )

    for _ in range(3):
        g, h = element(), element()
        if np.shape(rho(g)) != (size, size):
            raise ConfigError(
                f"{representation.name} of {group.name}: expected matrices of shape {(size, size)}, found "
                f"{np.shape(rho(g))}; give one that acts on a space of {size} dimensions."
            )
        require("rho(g h) = rho(g) rho(h)", rho(g @ h), rho(g) @ rho(h))
        require("rho(inverse of g) rho(g) = 1", rho(np.linalg.inv(g)) @ rho(g), np.eye(size))
    for a in group.lie_algebra:
        require("rho(exp(A)) = exp(drho(A))", rho(scipy.linalg.expm(a)), scipy.linalg.expm(drho(a)))


def invariants(group: MatrixGroup, representation: Representation) -> Float[np.ndarray, "n k"]:
    """Returns an orthonormal basis of the vectors that no element of a group moves.

    Args:
        group: by generators.
        representation: of it; what holds of tensors by construction is checked on random elements here.

    Raises:
        ConfigError: it is none.
    """
    require_representation(group, representation)
    demands = [representation.rho(h) - np.eye(representation.size) for h in group.discrete]
    demands += [representation.drho(a) for a in group.lie_algebra]
    return null_space(scipy.sparse.csr_array(np.concatenate([np.zeros((0, representation.size)), *demands])))


@cache
def invariant_tensors(name: str, upper: int, lower: int = 0) -> Float[np.ndarray, "n k"]:
    """Returns an orthonormal basis [d^(upper + lower), k] of the invariant tensors of type T(upper, lower) of a group.

    Args:
        name: of the group, see ``emergent.groups.matrix_groups.matrix_group``.
        upper: indices.
        lower: indices.
    """
    group = matrix_group(name)
    size = group.dimension ** (upper + lower)
    demands = [tensor_matrix(h, upper, lower) - scipy.sparse.eye_array(size) for h in group.discrete]
    demands += [tensor_derivative(a, upper, lower) for a in group.lie_algebra]
    return null_space(scipy.sparse.vstack(demands, format="csr"))


def null_space(demands: scipy.sparse.csr_array, dense: int = DENSE) -> Float[np.ndarray, "n k"]:
    """Returns an orthonormal basis of what a matrix sends to zero.

    Args:
        demands: [m, n].
        dense: see ``DENSE``.
    """
    if demands.shape[1] <= dense:
        matrix = _triangular(demands.toarray())
        return _cleaned(scipy.linalg.null_space(matrix, rcond=RELATIVE) if matrix.any() else np.eye(matrix.shape[1]))
    return _cleaned(_by_inverse_iteration(demands))


def _triangular(matrix: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "k n"]:
    # The triangular factor has the same null space in fewer rows.
    if matrix.shape[0] <= matrix.shape[1]:
        return matrix
    return np.asarray(np.linalg.qr(matrix, mode="r"))


def _cleaned(basis: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    basis.setflags(write=False)
    return basis


def _by_inverse_iteration(demands: scipy.sparse.csr_array) -> Float[np.ndarray, "n k"]:
    """Returns the null space of a large sparse matrix: the block that the inverse of its square magnifies most."""
    square = (demands.T @ demands).toarray()
    scale = float(np.abs(np.diag(square)).max())
    square[np.diag_indices_from(square)] += SHIFT * scale
    factor = scipy.linalg.cho_factor(square, overwrite_a=True)
    generator, num, total = np.random.default_rng(0), FIRST_BLOCK, demands.shape[1]
    while True:
        block = generator.standard_normal((total, min(num, total)))
        for _ in range(ITERATIONS):
            block, _ = np.linalg.qr(scipy.linalg.cho_solve(factor, block))
        _, values, right = np.linalg.svd(_triangular(demands @ block))
        is_zero = np.arange(len(right)) >= np.count_nonzero(values > RELATIVE * np.sqrt(scale))
        # Where the whole block is sent to zero there may be more of it.
        if not is_zero.all() or num >= total:
            return block @ right[is_zero].T
        num *= 2
