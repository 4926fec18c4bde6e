"""Networks from links of SU(2) to a number at every site: gauge equivariant, with D4 besides, and convolutional.

References:
    arXiv:2012.12901, Wilson loops in 1+1 dimensions; arXiv:2303.11448 for D4.
"""

from typing import assert_never

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.wilson_loops_training import LinkCnn, LoopNetwork
from emergent.groups.gauge import LEAVES, clover, plaquettes, shift
from emergent.models.gauge_layers import ORDER, LCombined, traces


def _dense_start(fan_in: int) -> nn.initializers.Initializer:
    """Returns the uniform distribution on +-1 / sqrt(fan_in)."""
    uniform = nn.initializers.uniform(2 * fan_in**-0.5)

    def start(key: Array, shape: tuple[int, ...], dtype: object = jnp.float32) -> Array:
        return uniform(key, shape, dtype) - fan_in**-0.5  # pyright: ignore[reportArgumentType]

    return start


class SiteLinear(nn.Module):
    """A linear map of the channels of a site.

    Attributes:
        channels: of the result.
    """

    channels: int

    @nn.compact
    def __call__(self, values: Float[Array, "*sites C"]) -> Float[Array, "*sites D"]:
        """Returns the outputs."""
        start = _dense_start(values.shape[-1])
        weights = self.param("kernel", start, (values.shape[-1], self.channels), values.dtype)
        bias = self.param("bias", start, (self.channels,), values.dtype)
        return values @ weights + bias[(None,) * (values.ndim - 1)]


class LCnn(nn.Module):
    """Combined layers on plaquettes, traces, and a linear map to one number per site.

    Attributes:
        channels: of the combined layers.
        reach: see ``LCombined``.
    """

    channels: tuple[int, ...]
    reach: int

    @nn.compact
    def __call__(self, links: Float[Array, "N L L 2 4"]) -> Float[Array, "N L L"]:
        """Returns a gauge invariant number for the rectangle whose lowest corner is the site."""
        fields = plaquettes(links)
        for channels in self.channels:
            fields = LCombined(channels, self.reach)(links, fields)
        return SiteLinear(1)(traces(fields))[..., 0]


class PointGroupLCnn(nn.Module):
    """The same on the plaquettes of all leaves, with weights averaged over D4: equivariant under that, too.

    Attributes:
        channels: of the combined layers, for each leaf.
        reach: see ``LCombined``.
        averaged: False leaves the weights free, which breaks the symmetry.
    """

    channels: tuple[int, ...]
    reach: int
    averaged: bool = True

    @nn.compact
    def __call__(self, links: Float[Array, "N L L 2 4"]) -> Float[Array, "N L L"]:
        """Returns a number for each square: the mean over its corners and senses, as D4 permutes them."""
        fields = clover(links)
        for channels in self.channels:
            fields = LCombined(channels, self.reach, "averaged" if self.averaged else "free")(links, fields)
        found = traces(fields)
        of_leaves = jnp.moveaxis(found.reshape(*found.shape[:-1], -1, ORDER), -2, -1)
        return squares(SiteLinear(1)(of_leaves)[..., 0])


def squares(values: Float[Array, "N L L 8"]) -> Float[Array, "N L L"]:
    """Returns the mean of the numbers that leaves give to a square, at its lowest corner."""
    total = jnp.zeros(values.shape[:-1], values.dtype)
    for leaf, pair in enumerate(LEAVES):
        # A leaf with a backward step begins at another corner than the lowest.
        own = values[..., leaf]
        for step in pair:
            if step >= 2:
                own = shift(own, step - 2, -2)
        total = total + own
    return total / len(LEAVES)


class CircularCnn(nn.Module):
    """Convolutions with kernel 2 and circular boundary on the components of links: no gauge symmetry.

    Attributes:
        channels: of the hidden layers.
        plaquettes: their components are inputs, too.
    """

    channels: tuple[int, ...]
    plaquettes: bool

    @nn.compact
    def __call__(self, links: Float[Array, "N L L 2 4"]) -> Float[Array, "N L L"]:
        """Returns a number for each site; a layer sees the site and the next ones in both directions."""
        seen = jnp.concatenate([links, plaquettes(links)], -2) if self.plaquettes else links
        hidden = seen.reshape(*seen.shape[:-2], -1)
        for channels in self.channels:
            corners = [jnp.roll(hidden, (-first, -second), (-3, -2)) for first, second in np.ndindex(2, 2)]
            hidden = nn.relu(SiteLinear(channels)(jnp.concatenate(corners, -1)))
        return SiteLinear(1)(hidden)[..., 0]


def build(network: LoopNetwork) -> nn.Module:
    """Returns the network of some settings."""
    if isinstance(network, LinkCnn):
        return CircularCnn(network.channels, network.plaquettes)
    if network.point_group == "weights":
        return PointGroupLCnn(network.channels, network.reach)
    if network.point_group is None:
        return LCnn(network.channels, network.reach)
    assert_never(network.point_group)
