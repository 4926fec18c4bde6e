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
from emergent.models.layers import Dense, ScaledModule, convolve, convolve_images_last
from emergent.models.steered_maps import convolve_steered, saves_work, whole_map_products

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


def convolve_with_bank(
    maps: Float[Array, "R C H W N"],
    coefficients: Float[Array, "B R C D"],
    num_rotations: int,
    filter_size: int,
    stride: int,
    padding: int,
) -> Float[Array, "G D Y X N"]:
    """Returns the lifting convolution (R = 1) or group convolution (R = G) by filters at their taps, images last.

    Args:
        maps: images or regular fields.
        coefficients: of basis functions.
        num_rotations: G.
        filter_size: side of the filter.
        stride: step of the filter in pixels.
        padding: zeros on each side.
    """
    bank = filter_bank(coefficients, num_rotations, filter_size)
    kernel = bank.reshape(filter_size, filter_size, maps.shape[0] * maps.shape[1], -1)
    flat = maps.reshape(-1, *maps.shape[2:])
    if jax.default_backend() == "cpu":
        outputs = convolve_images_last(flat, kernel, stride, padding)
    else:
        outputs = convolve(flat.transpose(3, 1, 2, 0), kernel, stride, padding).transpose(3, 1, 2, 0)
    return outputs.reshape(num_rotations, -1, *outputs.shape[1:])


class SteerableConv(ScaledModule):
    """Lifting layer of images [N, H, W, C], group convolution of feature maps [N, H, W, G, C].

    Attributes:
        num_rotations: G.
        fields: D of the output.
        filter_size: side of the filter.
        stride: step in pixels.
        padding: zeros around the image; None lets the filter cover all of a square image, at one position.
        images_last: whether images are [C, H, W, N] and maps [G, C, H, W, N], inputs and outputs.
    """

    num_rotations: int = 4
    fields: int = 1
    filter_size: int = 5
    stride: int = 1
    padding: int | None = 0
    images_last: bool = False

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W ..."]) -> Float[Array, "N Y X G D"]:
        """Returns the convolved feature maps."""
        if not self.images_last:
            inputs = jnp.moveaxis(inputs, (0, 1, 2), (-1, -3, -2))
        lifts = inputs.ndim == 4
        maps = inputs[None] if lifts else inputs
        num_functions = harmonic_basis(self.filter_size).num_functions
        # The sum of an output runs over functions and the group too.
        fan_in = num_functions * math.prod(maps.shape[:2])
        weights = self.weights((num_functions, *maps.shape[:2], self.fields), fan_in)
        steps = (self.filter_size, self.stride, 0 if self.padding is None else self.padding)
        if self.padding is None and not lifts and self.num_rotations % 2 == 0:
            outputs = whole_map_products(maps, weights)[:, :, None, None]
        elif not lifts and jax.default_backend() == "cpu" and saves_work(maps, self.fields, *steps):
            outputs = convolve_steered(maps, weights, *steps)
        else:
            outputs = convolve_with_bank(maps, weights, self.num_rotations, *steps)
        # One bias per field for all elements: one for each element would break equivariance.
        outputs = self.add_bias(outputs, fan_in, 1)
        return outputs if self.images_last else outputs.transpose(4, 2, 3, 0, 1)


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
        # Images last, from here to the features: with few channels, nothing else fills the lanes of vector registers.
        hidden: jax.Array = inputs.transpose(3, 1, 2, 0)
        if config.disc:
            hidden = hidden * jnp.asarray(disc_mask(inputs.shape[1]), inputs.dtype)[None]
        for layer in config.layers:
            padding = layer.padding(hidden.shape[-3])
            steps = (layer.filter_size, layer.stride, padding)
            hidden = SteerableConv(*gains, order, layer.fields, *steps, True)(hidden)
            # Rectified as windows already: the gradient then spreads along axes of its own, at the speed of memory.
            windows = [part for side in hidden.shape[2:4] for part in (side // layer.average_pool, layer.average_pool)]
            hidden = nn.relu(hidden.reshape(*hidden.shape[:2], *windows, -1)).mean((3, 5))
        if config.whole_map_fields:
            steps = (hidden.shape[-3], 1, None)
            hidden = nn.relu(SteerableConv(*gains, order, config.whole_map_fields, *steps, True)(hidden))
        # The largest value of a field, and then the mean over positions (one, after a last filter).
        features = hidden.max(0).mean((1, 2)).T
        for width in config.dense:
            features = nn.relu(Dense(*gains, width)(features))
        return Dense(*gains, config.num_outputs)(features)
