"""Networks from images to images whose layers commute with all permutations of the pixels within blocks of a grid.

For each pair of channels the matrix of a layer is sum_a w_a 1_a + (1 / P) sum_ab v_ab 1_(a x b): w_a times the identity
on block a, and the same number for all pixels of a pair of blocks, of P pixels in all. It is never built: pixels are
multiplied by their block's number, and sums over blocks, of which there are few, by a matrix.

References:
    S. Villar's talk "Exact and approximate symmetries in machine learning models".
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.inpainting import BlockNetwork
from emergent.groups.blocks import from_blocks, to_blocks
from emergent.models.draws import uniform
from emergent.models.relaxed import RelaxedNetwork


def uniform_between(low: float, high: float) -> Callable[..., jax.Array]:
    """Returns an initialiser that draws uniformly between two numbers."""

    def initialise(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        middle, half = (low + high) / 2, (high - low) / 2
        return middle + half * uniform(key, shape, dtype)

    return initialise


class BlockLinear(nn.Module):
    """One layer.

    Attributes:
        blocks: a side.
        channels: of the output.
        initialise: of all weights and biases.
        reflected: mirrored blocks share their weights.
    """

    blocks: int
    channels: int
    initialise: Callable[..., jax.Array]
    reflected: bool = False

    @nn.compact
    def __call__(self, inputs: Float[Array, "N P C"]) -> Float[Array, "N P D"]:
        """Returns the outputs of images with channels."""
        num, pixels, channels = inputs.shape
        count, side = self.blocks**2, self.blocks
        # Of mirrored blocks the left half has weights of its own: the last axis of blocks is that of columns.
        own = (side, side // 2) if self.reflected else (side, side)
        within = self.param("within", self.initialise, (*own, channels, self.channels), inputs.dtype)
        across = self.param("across", self.initialise, (*own, channels, side, side, self.channels), inputs.dtype)
        bias = self.param("bias", self.initialise, (self.channels,), inputs.dtype)
        if self.reflected:
            within = jnp.concatenate([within, within[:, ::-1]], 1)
            across = jnp.concatenate([across, across[:, ::-1, :, :, ::-1]], 1)
        cut = to_blocks(inputs, side)
        alike = jnp.einsum("nkmi,kio->nkmo", cut, within.reshape(count, channels, self.channels))
        sums = cut.sum(2).reshape(num, -1) / pixels
        shared = (sums @ across.reshape(count * channels, count * self.channels)).reshape(num, count, 1, -1)
        return from_blocks(alike + shared) + bias[None, None]


class BlockNet(nn.Module):
    """A network of one or two layers.

    Attributes:
        config: its form.
        blocks: a side.
    """

    config: BlockNetwork
    blocks: int

    @nn.compact
    def __call__(self, images: Float[Array, "N P"]) -> Float[Array, "N P"]:
        """Returns images of the same size, row by row."""
        hidden, reflected = images[..., None], self.config.reflected
        if self.config.layers == 1:
            return BlockLinear(self.blocks, 1, uniform_between(0.0, 1.0), reflected)(hidden)[..., 0]
        wide = self.config.channels**-0.5
        hidden = BlockLinear(self.blocks, self.config.channels, uniform_between(-wide, wide), reflected)(hidden)
        hidden = nn.relu(hidden)
        return BlockLinear(self.blocks, 1, uniform_between(-1.0, 1.0), reflected)(hidden)[..., 0]


def block_network(config: BlockNetwork, blocks: int, side: int) -> nn.Module:
    """Returns a network from images [N, P], row by row, to images of the same size.

    Args:
        config: its form.
        blocks: a side, of the group that it has built in, or relaxed.
        side: of the images, in pixels.
    """
    network = BlockNet(config, blocks)
    if not config.relaxed:
        return network
    # As many blocks as pixels, each with weights of its own: no symmetry, not even a mirror.
    return RelaxedNetwork(network, BlockNet(config.model_copy(update={"reflected": False}), side))
