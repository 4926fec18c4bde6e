"""Encoders with a projection onto a sphere, as contrastive learning trains them."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.contrastive import ProjectedEncoder
from emergent.models.layers import Conv

TINY = 1e-12


class Bottleneck(nn.Module):
    """A residual block of three convolutions, the first and last of one pixel (arXiv:1512.03385).

    Attributes:
        channels: inner ones; the block has four times as many outside.
        stride: of the middle convolution.
        norm: makes a normalisation.
    """

    channels: int
    stride: int
    norm: Callable[[], nn.Module]

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Array:
        """Returns the feature maps."""
        conv = partial(nn.Conv, use_bias=False)
        hidden = nn.relu(self.norm()(conv(self.channels, (1, 1))(inputs)))
        hidden = nn.relu(self.norm()(conv(self.channels, (3, 3), self.stride, padding=1)(hidden)))
        hidden = self.norm()(conv(4 * self.channels, (1, 1))(hidden))
        if inputs.shape != hidden.shape:
            inputs = self.norm()(conv(4 * self.channels, (1, 1), self.stride)(inputs))
        return nn.relu(inputs + hidden)


class EncoderNet(nn.Module):
    """Features of images, and their projections, of norm 1.

    Batches are normalised by their own statistics in training; afterwards by those that were stored. With momentum 0
    what a batch stores are its own statistics.
    """

    config: ProjectedEncoder

    @nn.compact
    def __call__(
        self, images: Float[Array, "N H W C"], training: bool
    ) -> tuple[Float[Array, "N F"], Float[Array, "N D"]]:
        """Returns features and embeddings."""
        config = self.config
        norm = partial(nn.BatchNorm, use_running_average=not training, momentum=0.0, use_fast_variance=False)
        hidden = images
        if config.family == "convolutional":
            for channels in config.channels:
                # Biases are left to the normalisation.
                hidden = Conv("he", 2.0**0.5, 0.0, channels, 3, 2)(hidden)
                hidden = nn.relu(norm()(hidden))
        else:
            hidden = nn.relu(norm()(nn.Conv(config.channels[0], (3, 3), use_bias=False)(hidden)))
            for stage, (channels, blocks) in enumerate(zip(config.channels, config.blocks, strict=True)):
                for block in range(blocks):
                    hidden = Bottleneck(channels, 2 if stage and not block else 1, norm)(hidden)
        features = hidden.mean((1, 2))
        hidden = nn.relu(norm()(nn.Dense(config.hidden, use_bias=False)(features)))
        outputs = nn.Dense(config.outputs)(hidden)
        return features, outputs / jnp.sqrt(jnp.square(outputs).sum(-1, keepdims=True) + TINY)
