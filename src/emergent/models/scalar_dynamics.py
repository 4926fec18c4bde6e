"""Networks that learn dynamics of four vectors from scalar products: energies, or velocities.

Vectors are x = (q1, q2, p1, p2), beside them y = q1 - q2 and gravity g. Thirty scalars are seen: four lengths |x_i|,
all sixteen products x_i.x_j, four g.x_i, |y|^2, |y| and four y.x_i. Rotations and reflections that leave g as it is
leave them as they are.

References:
    arXiv 2106.06610 and its workshop paper on the springy double pendulum.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.models.feedforward import FeedForward

NUM_SCALARS = 30
DOWN = (0.0, 0.0, -1.0)


def _products(left: Float[Array, "N a 3"], right: Float[Array, "N b 3"]) -> Float[Array, "N a b"]:
    # In full precision on every device: what is left of the symmetry otherwise is that of rounded products.
    return jnp.einsum("nai,nbi->nab", left, right, precision="highest")


def _with_difference(states: Float[Array, "N 12"], gravity: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Returns the vectors [N, 4, 3], their difference y [N, 1, 3] and gravity [N, 1, 3]."""
    vectors = states.reshape(len(states), 4, 3)
    down = jnp.broadcast_to(jnp.asarray(gravity, states.dtype), (len(states), 1, 3))
    return vectors, vectors[:, :1] - vectors[:, 1:2], down


def scalar_products(states: Float[Array, "N 12"], gravity: tuple[float, ...] = DOWN) -> Float[Array, "N 30"]:
    """Returns the scalars that networks see."""
    vectors, difference, down = _with_difference(states, gravity)
    num = len(states)
    gram = _products(vectors, vectors)
    square = _products(difference, difference)[:, 0]
    parts = (
        jnp.sqrt(jnp.diagonal(gram, axis1=1, axis2=2)),
        gram.reshape(num, -1),
        _products(down, vectors)[:, 0],
        square,
        jnp.sqrt(square),
        _products(difference, vectors)[:, 0],
    )
    return jnp.concatenate(parts, 1)


class ScalarEnergy(nn.Module):
    """Energy as a network on the scalars, ReLU units.

    Attributes:
        width: units per hidden layer.
        depth: number of hidden layers.
        gravity: the vector g.
    """

    width: int
    depth: int
    gravity: tuple[float, ...] = DOWN

    @nn.compact
    def __call__(self, states: Float[Array, "N 12"]) -> Float[Array, "N 1"]:
        """Returns the energies of a batch."""
        return FeedForward(self.width, self.depth, 1, nn.relu)(scalar_products(states, self.gravity))


class ScalarVelocities(nn.Module):
    """Velocities of the four vectors as combinations of these, y and g, with coefficients by a network, ReLU units.

    Each scalar s is seen as exp(-gamma (s - mu_k)^2) of equally spaced mu_k, gamma being twice their distance.

    Attributes:
        width: units per hidden layer.
        depth: number of hidden layers.
        gaussians: K, centres mu_k.
        gravity: the vector g.
    """

    width: int
    depth: int
    gaussians: int
    gravity: tuple[float, ...] = DOWN

    @nn.compact
    def __call__(self, states: Float[Array, "N 12"], span: Float[Array, "2"]) -> Float[Array, "N 12"]:
        """Returns the velocities of a batch.

        Args:
            states: of the pendulum.
            span: smallest and largest centre.
        """
        vectors, difference, down = _with_difference(states, self.gravity)
        num = len(states)
        spacing = (span[1] - span[0]) / (self.gaussians - 1)
        centres = span[0] + spacing * jnp.arange(self.gaussians, dtype=states.dtype)
        scalars = scalar_products(states, self.gravity)
        seen = jnp.exp(-2 * spacing * jnp.square(scalars[:, :, None] - centres[None, None]))
        coefficients = FeedForward(self.width, self.depth, 24, nn.relu)(seen.reshape(num, -1))
        mixing = coefficients[:, :16].reshape(num, 4, 4)
        others = coefficients[:, 16:].reshape(num, 2, 4).swapaxes(1, 2)
        found = jnp.einsum("nab,nbi->nai", mixing, vectors, precision="highest")
        found += jnp.einsum("nab,nbi->nai", others, jnp.concatenate([difference, down], 1), precision="highest")
        return found.reshape(num, -1)
