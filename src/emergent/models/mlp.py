"""Fully connected networks of equal hidden widths (arXiv 2403.03103, Ising experiment)."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.models import MlpModel
from emergent.models.layers import ACTIVATIONS, Dense


class Mlp(nn.Module):
    """Flattens its input, applies ``depth`` hidden layers and a linear layer."""

    config: MlpModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N ..."]) -> Float[Array, "N K"]:
        """Returns the outputs of a batch."""
        gains = (self.config.parametrisation, self.config.weight_std, self.config.bias_std)
        hidden: jax.Array = inputs.reshape(inputs.shape[0], -1)
        for _ in range(self.config.depth):
            hidden = ACTIVATIONS[self.config.activation](Dense(*gains, self.config.width)(hidden))
        return Dense(*gains, self.config.num_outputs)(hidden)
