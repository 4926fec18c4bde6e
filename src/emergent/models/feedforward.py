"""Fully connected networks with the initialisation of Glorot: weights N(0, 2 / (fan_in + fan_out)), biases 0."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.models.draws import normal


def glorot(key: jax.Array, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """Returns weights [fan_in, fan_out] from N(0, 2 / (fan_in + fan_out)), not truncated."""
    return normal(key, shape, dtype) * jnp.asarray((2 / sum(shape)) ** 0.5, dtype)


class FeedForward(nn.Module):
    """Hidden layers of equal width on the last axis, then a linear layer.

    Attributes:
        width: units per hidden layer.
        depth: number of hidden layers.
        num_outputs: K.
        activation: of the hidden layers.
    """

    width: int
    depth: int
    num_outputs: int
    activation: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, inputs: Float[Array, "... size"]) -> Float[Array, "... K"]:
        """Returns the outputs of a batch."""
        hidden = inputs
        for _ in range(self.depth):
            hidden = self.activation(nn.Dense(self.width, kernel_init=glorot)(hidden))
        return nn.Dense(self.num_outputs, kernel_init=glorot)(hidden)
