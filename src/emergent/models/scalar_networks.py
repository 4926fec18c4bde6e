"""Networks on scalar products, which are all that an invariant function of vectors depends on.

References:
    arXiv 2106.06610, sections 2 and 5.
"""

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.models.feedforward import FeedForward


def gram(vectors: Float[Array, "N k d"], metric: Float[np.ndarray, " d"]) -> Float[Array, "N k k"]:
    """Returns the products of all pairs of vectors in a metric, in full precision on every device."""
    lowered = vectors * jnp.asarray(metric, vectors.dtype)[None, None]
    return jnp.einsum("nkd,nld->nkl", vectors, lowered, precision="highest")


def upper_triangle(products: Float[Array, "N k k"]) -> Float[Array, "N pairs"]:
    """Returns the different products: k (k + 1) / 2 of them."""
    rows, columns = np.triu_indices(products.shape[1])
    return products[:, rows, columns]


class ScalarInertia(nn.Module):
    """Tensors of inertia as combinations of 1, r_i r_i^T and r_i r_j^T whose coefficients are networks on scalars.

    Y = a 1 + sum_i b_i r_i r_i^T + sum_{i<j} c_ij r_i r_j^T with products s_ij of the positions and masses m_i:
    a = sum_i F1(s_ii, u1(m_i)) + sum_{i<j} F2(s_ij, u2(m_i) + u2(m_j)), b_i = F3(s_ii, u3(m_i), A3, B3),
    c_ij = F4(s_ij, u4(m_i) + u4(m_j), A4, B4). A is a network on all products in fixed order, B one on all masses.

    Attributes:
        width: of the hidden layers.
        depth: number of hidden layers.
        features: outputs of u, A and B.
    """

    width: int
    depth: int
    features: int

    @nn.compact
    def __call__(self, masses: Float[Array, "N m"], positions: Float[Array, "N m 3"]) -> Float[Array, "N 9"]:
        """Returns the tensors of a batch, row by row."""

        def network(name: str, num_outputs: int, *parts: Array) -> Array:
            inputs = jnp.concatenate(parts, -1)
            return FeedForward(self.width, self.depth, num_outputs, nn.relu, name=name)(inputs)

        num = masses.shape[1]
        products = gram(positions, np.ones(3))
        first, second = np.triu_indices(num, 1)
        squares = jnp.diagonal(products, axis1=1, axis2=2)[..., None]
        others = products[:, first, second][..., None]
        one, all_products = masses[..., None], upper_triangle(products)

        def of_masses(name: str) -> tuple[Array, Array]:
            each = network(name, self.features, one)
            return each, each[:, first] + each[:, second]

        def shared(name: str, like: Array) -> tuple[Array, Array]:
            def everywhere(part: Array) -> Array:
                return jnp.broadcast_to(part[:, None], (*like.shape[:2], self.features))

            of_products = network(f"{name}_products", self.features, all_products)
            return everywhere(of_products), everywhere(network(f"{name}_masses", self.features, masses))

        identity = network("f1", 1, squares, of_masses("u1")[0]).sum((1, 2))
        identity += network("f2", 1, others, of_masses("u2")[1]).sum((1, 2))
        own = network("f3", 1, squares, of_masses("u3")[0], *shared("all3", squares))[..., 0]
        mixed = network("f4", 1, others, of_masses("u4")[1], *shared("all4", others))[..., 0]
        total = identity[:, None, None] * jnp.eye(3, dtype=masses.dtype)[None]
        total += jnp.einsum("nm,nmi,nmj->nij", own, positions, positions, precision="highest")
        pairs = (mixed, positions[:, first], positions[:, second])
        total += jnp.einsum("np,npi,npj->nij", *pairs, precision="highest")
        return total.reshape(len(masses), -1)


def frame_coordinates(
    vectors: Float[Array, "N k d"], metric: Float[np.ndarray, " d"]
) -> tuple[Float[Array, "N k r"], Float[Array, "N d r"], Float[np.ndarray, " r"]]:
    """Returns vectors in a frame that moves with them, the frame, and its metric; r = min(k, d) axes.

    The axes are those of the Gram matrix G = V eta V^T: for an eigenvector u of eigenvalue lambda the axis is
    V^T u / sqrt(|lambda|), whose square in the metric is the sign of lambda, and the coordinates of the vectors along
    it are sqrt(|lambda|) u. They depend on G alone. With the metric of space these are principal axes. With that of
    space-time one axis is time-like: the frame is that in which sum_i u_i p_i is at rest, and the others are the
    principal axes there. The sign of each axis is free. Where eigenvalues coincide frames are not defined, and near it
    they are unstable.

    Args:
        vectors: in general position: the Gram matrix has rank r.
        metric: of the group, ones or (1, -1, -1, -1).
    """
    num, size = vectors.shape[1:]
    rank = min(num, size)
    values, axes = jnp.linalg.eigh(gram(vectors, metric))
    # Those of the vectors' span are the largest; those that vanish have no axis. Minkowski: time-like first.
    order = jnp.argsort(-jnp.abs(values) if rank < num else -values, axis=1)[:, :rank]
    values = jnp.take_along_axis(values, order, 1)
    axes = jnp.take_along_axis(axes, order[:, None, :], 2)
    lengths = jnp.sqrt(jnp.abs(values))[:, None, :]
    frame = jnp.einsum("nkd,nkr->ndr", vectors, axes / lengths, precision="highest")
    return axes * lengths, frame, np.asarray(metric[:rank])


def all_signs(num_axes: int) -> Float[np.ndarray, "S r"]:
    """Returns all choices of signs of some axes."""
    return np.array(np.meshgrid(*[[1.0, -1.0]] * num_axes, indexing="ij")).reshape(num_axes, -1).T


def turned_back(frame: Float[Array, "N d r"], values: Float[Array, "N K"], rank: int) -> Float[Array, "N K"]:
    """Returns tensors in the axes of space from their components in frames of r = d axes; scalars as they are."""
    if rank == 0:
        return values
    size = frame.shape[1]
    found = values.reshape(len(values), *[size] * rank)
    for _ in range(rank):
        # The first index goes through the frame and then to the end.
        found = jnp.einsum("nij,nj...->n...i", frame, found, precision="highest")
    return found.reshape(values.shape)


def into_frame(
    frame: Float[Array, "N d r"], metric: Float[np.ndarray, " d"], values: Float[Array, "N K"], rank: int
) -> Float[Array, "N K"]:
    """Returns the components of tensors in frames of r = d axes; scalars as they are."""
    signs = jnp.asarray(metric, frame.dtype)
    inverse = signs[None, :, None] * frame.swapaxes(1, 2) * signs[None, None]
    return turned_back(inverse, values, rank) if rank else values
