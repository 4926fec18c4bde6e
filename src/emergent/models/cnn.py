"""Convolutional networks (arXiv 2403.03103, Fashion-MNIST; arXiv 2406.06504, augmented CNN)."""

from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.models import CnnModel
from emergent.models.layers import ACTIVATIONS, Conv, Dense, average_pool


class Cnn(nn.Module):
    """Convolutions with nonlinearities and average pools, a readout, and dense layers."""

    config: CnnModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the logits of a batch of images."""
        config = self.config
        gains = (config.parametrisation, config.weight_std, config.bias_std)
        activation = ACTIVATIONS[config.activation]
        hidden = inputs
        for layer in config.layers:
            hidden = activation(Conv(*gains, layer.channels, config.filter_size, layer.stride)(hidden))
            hidden = average_pool(hidden, layer.average_pool)
        hidden = hidden.mean((1, 2)) if config.readout == "mean" else hidden.reshape(hidden.shape[0], -1)
        for width in config.dense:
            hidden = activation(Dense(*gains, width)(hidden))
        return Dense(*gains, config.num_outputs)(hidden)
