"""Convolutional networks that are steerable under C_n: regular fields and band-limited filters that turn by any angle.

Feature maps carry a group axis, F[n, y, x, g, c]: at each pixel a regular field c has a value for every rotation g. The
lifting layer and the group convolution are those of ``emergent.models.gcnn``,

    (psi * f)(g, t) = sum_s psi(g^-1 s) f(t + s),    (kappa * F)(g, t) = sum_h sum_s kappa(g^-1 h, g^-1 s) F(h, t + s),

with psi and each kappa(k, .) given by coefficients of circular harmonics on Gaussian rings, so that they exist at every
rotated tap. All kernels between regular fields that satisfy the constraint K(g s) = rho(g) K(s) rho(g)^-1 and the band
limit are of this form.

References:
    arXiv 1911.08251 (kernel constraint, basis, group pooling).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.steerable import SteerableCnnModel
from emergent.groups.harmonics import harmonic_basis, steered_taps, taps
from emergent.models.layers import Dense, ScaledModule, average_pool, convolve

# Standard deviation, in pixels, of the fall of the disc's edge from 1 to 0.
DISC_EDGE = 1.0


def disc_mask(side: int) -> Float[np.ndarray, "H W 1"]:
    """Returns 1 in the disc that fits into a square image and a Gaussian fall beyond it; quarter turns fix it."""
    # From squared integers: pixels that quarter turns map onto each other get the very same number.
    squares = (np.rint(2 * taps(side)) ** 2).sum(-1) / 4
    beyond = np.maximum(np.sqrt(squares) - (side - 1) / 2, 0)
    return np.exp(-((beyond / DISC_EDGE) ** 2) / 2).reshape(side, side, 1)


def filter_bank(coefficients: Float[Array, "B R C D"], num_rotations: int, side: int) -> Float[Array, "P R C G D"]:
    """Returns the filters to all G rotations g from all R rotations h of the input, at the P taps of a square.

    Args:
        coefficients: of the basis functions, for every relative rotation g^-1 h (R = G), or of an image (R = 1).
        num_rotations: G.
        side: of the square.
    """
    samples = jnp.asarray(steered_taps(num_rotations, side), coefficients.dtype)
    # Entry h of a row rolled by g is coefficient h - g. Rolls and no gather, whose gradient would be a slow scatter.
    relative = jnp.stack([jnp.roll(coefficients, g, 1) for g in range(num_rotations)])
    return jnp.einsum("gpb,gbrcd->prcgd", samples, relative)


def whole_map_products(
    maps: Float[Array, "N P R C"], coefficients: Float[Array, "B R C D"], num_rotations: int
) -> Float[Array, "N G D"]:
    """Returns the products of square maps with the filters of ``filter_bank`` that cover them, without making these.

    The maps are projected on the basis functions, which are fewer than the taps and turn by phases, and then multiplied
    with the coefficients: a fraction of the work of a bank that is used at one position.

    Args:
        maps: of P taps.
        coefficients: as for the bank.
        num_rotations: G.
    """
    basis = harmonic_basis(math.isqrt(maps.shape[1]))
    samples, turns = steered_taps(1, basis.side)[0], basis.turns(num_rotations)
    projected = jnp.einsum("pb,nprc->nbrc", jnp.asarray(samples, maps.dtype), maps)
    turned = jnp.einsum("gkb,nkrc->gnbrc", jnp.asarray(turns, maps.dtype), projected)
    # Entry k of what is rolled back by g is rotation h = k + g: the relative rotation k.
    relative = jnp.stack([jnp.roll(turned[g], -g, 2) for g in range(num_rotations)], 1)
    flat = relative.reshape(-1, math.prod(coefficients.shape[:3]))
    return (flat @ coefficients.reshape(flat.shape[1], -1)).reshape(maps.shape[0], num_rotations, -1)


class SteerableConv(ScaledModule):
    """Lifting layer of images [N, H, W, C], group convolution of feature maps [N, H, W, G, C].

    Attributes:
        num_rotations: G.
        fields: D of the output.
        filter_size: side of the filter.
        stride: step in pixels.
        padding: zeros around the image; None lets the filter cover all of a square image, at one position.
    """

    num_rotations: int = 4
    fields: int = 1
    filter_size: int = 5
    stride: int = 1
    padding: int | None = 0

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W ..."]) -> Float[Array, "N Y X G D"]:
        """Returns the convolved feature maps."""
        channels, relative = inputs.shape[-1], 1 if inputs.ndim == 4 else self.num_rotations
        num_functions = steered_taps(self.num_rotations, self.filter_size).shape[-1]
        # The sum of an output runs over functions and the group too.
        fan_in = num_functions * relative * channels
        weights = self.weights((num_functions, relative, channels, self.fields), fan_in)
        if self.padding is None:
            maps = inputs.reshape(inputs.shape[0], -1, relative, channels)
            outputs = whole_map_products(maps, weights, self.num_rotations)[:, None, None]
        else:
            bank = filter_bank(weights, self.num_rotations, self.filter_size)
            square = (self.filter_size, self.filter_size, relative * channels, self.num_rotations * self.fields)
            flat = inputs.reshape(*inputs.shape[:3], relative * channels)
            outputs = convolve(flat, bank.reshape(square), self.stride, self.padding)
        # One bias per field for all elements: one for each element would break equivariance.
        return self.add_bias(outputs.reshape(*outputs.shape[:3], self.num_rotations, self.fields), fan_in)


class SteerableCnn(nn.Module):
    """Lifting layer, group convolutions, a last filter or the mean over positions, group pooling, dense layers."""

    config: SteerableCnnModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the logits of a batch of images, invariant to the group up to sampling."""
        config = self.config
        misfit = config.misfit(inputs.shape[1:])
        if misfit is not None:
            raise ValueError(misfit)
        gains = (config.parametrisation, config.weight_std, config.bias_std)
        order = int(config.group[1:])
        hidden: jax.Array = inputs
        if config.disc:
            hidden = hidden * jnp.asarray(disc_mask(inputs.shape[1]), inputs.dtype)[None]
        for layer in config.layers:
            padding = layer.padding(hidden.shape[1])
            convolution = SteerableConv(*gains, order, layer.fields, layer.filter_size, layer.stride, padding)
            hidden = nn.relu(convolution(hidden))
            pooled = average_pool(hidden.reshape(*hidden.shape[:3], -1), layer.average_pool)
            hidden = pooled.reshape(*pooled.shape[:3], order, layer.fields)
        if config.whole_map_fields:
            whole = SteerableConv(*gains, order, config.whole_map_fields, hidden.shape[1], 1, None)
            hidden = nn.relu(whole(hidden))
        # The largest value of a field, and then the mean over positions (one, after a last filter).
        features = hidden.max(3).mean((1, 2))
        for width in config.dense:
            features = nn.relu(Dense(*gains, width)(features))
        return Dense(*gains, config.num_outputs)(features)
