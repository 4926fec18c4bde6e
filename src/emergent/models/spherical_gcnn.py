"""Group convolutional networks on the sphere: lifting to SO(3), group convolutions there, mean over rotations.

Everything linear works on coefficients, everything else at the points of a quadrature on SO(3). With filters of white
noise, whose coefficients are independent and of variance one,

    (psi * f)(R) = (4 pi C)^(-1/2) sum_c int psi_c(R^-1 x) f_c(x) dx,
    (kappa * F)(R) = C^(-1/2) sum_c int kappa_c(R^-1 S) F_c(S) dS,

become products of matrices, degree by degree. Conventions are those of ``emergent.groups.rotation_harmonics``.

References:
    arXiv:2406.06504 (layers); arXiv:1801.10130 (convolutions by coefficients).
"""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.spherical import SphericalGcnnModel
from emergent.groups.rotation_harmonics import degrees, rotation_basis, rotation_degrees, rotation_grid
from emergent.models.draws import normal
from emergent.models.layers import ACTIVATIONS, Dense, ScaledModule


class SphericalLifting(ScaledModule):
    """Lifting convolution with filters on all of the sphere.

    Attributes:
        features: channels D of the output.
        band_limit: of the filters.
    """

    features: int = 1
    band_limit: int = 1

    @nn.compact
    def __call__(self, inputs: Float[Array, "N C L2"]) -> Float[Array, "N K D"]:
        """Returns the coefficients of functions on SO(3)."""
        channels, limit = inputs.shape[1], min(self.band_limit, math.isqrt(inputs.shape[2]))
        filters = self.param("kernel", normal, (self.band_limit**2, channels, self.features))
        gain = self.weight_std / (4 * math.pi * channels) ** 0.5
        parts = []
        for degree, own in enumerate(degrees(limit)):
            found = jnp.einsum("ncm,kcd->nmkd", inputs[:, :, own], filters[own]) * (gain / (2 * degree + 1) ** 0.5)
            parts.append(found.reshape(len(inputs), -1, self.features))
        return jnp.concatenate(parts, 1)


class RotationConv(ScaledModule):
    """Group convolution with filters on all of SO(3).

    Attributes:
        features: channels D of the output.
        band_limit: of the filters; degrees of the input from there on are lost.
    """

    features: int = 1
    band_limit: int = 1

    @nn.compact
    def __call__(self, inputs: Float[Array, "N K C"]) -> Float[Array, "N K D"]:
        """Returns the coefficients of functions on SO(3)."""
        channels = inputs.shape[-1]
        parts = rotation_degrees(self.band_limit)
        filters = self.param("kernel", normal, (parts[-1].stop, channels, self.features))
        gain, results = self.weight_std / channels**0.5, []
        for degree, own in enumerate(parts):
            size = 2 * degree + 1
            maps = inputs[:, own].reshape(len(inputs), size, size, channels)
            weights = filters[own].reshape(size, size, channels, self.features)
            found = jnp.einsum("nmkc,pkcd->nmpd", maps, weights) * (gain / size**0.5)
            results.append(found.reshape(len(inputs), -1, self.features))
        return jnp.concatenate(results, 1)


class RotationActivation(ScaledModule):
    """Bias and activation at the points of a quadrature on SO(3).

    Attributes:
        activation: name in ``emergent.models.layers.ACTIVATIONS``.
        resolution: of the quadrature.
    """

    activation: str = "erf"
    resolution: int = 8

    @nn.compact
    def __call__(self, coefficients: Float[Array, "N K D"], band_limit: int) -> Float[Array, "N Q D"]:
        """Returns the activated values at the quadrature's points, of functions of degrees below a band limit."""
        basis = jnp.asarray(rotation_basis(self.resolution, band_limit), coefficients.dtype)
        values = jnp.einsum("nkd,kq->nqd", coefficients, basis)
        return ACTIVATIONS[self.activation](self.add_bias(values, 1))


class SphericalGcnn(nn.Module):
    """Lifting, group convolutions, mean over SO(3), linear head."""

    config: SphericalGcnnModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N C L2"]) -> Float[Array, "N K"]:
        """Returns the outputs for functions on the sphere, given by coefficients, invariant under rotations.

        Raises:
            ValueError: inputs that are no such coefficients, or filters of all degrees.
        """
        config = self.config
        misfit = config.misfit(inputs.shape[1:])
        if misfit is None and config.band_limit is None:
            misfit = "band_limit: filters of all degrees have infinitely many weights; name the degrees of a network"
        if misfit is not None or config.band_limit is None:
            raise ValueError(misfit)
        gains = (config.parametrisation, config.weight_std, config.bias_std)
        weights = rotation_grid(config.resolution).weights
        limit = min(config.band_limit, math.isqrt(inputs.shape[2]))
        hidden = SphericalLifting(*gains, config.channels[0], config.band_limit)(inputs)
        values = RotationActivation(*gains, config.activation, config.resolution)(hidden, limit)
        basis = jnp.asarray(rotation_basis(config.resolution, config.band_limit) * weights, inputs.dtype)
        for width in config.channels[1:]:
            coefficients = jnp.einsum("nqc,kq->nkc", values, basis)
            hidden = RotationConv(*gains, width, config.band_limit)(coefficients)
            values = RotationActivation(*gains, config.activation, config.resolution)(hidden, config.band_limit)
        pooled: jax.Array = jnp.einsum("nqc,q->nc", values, jnp.asarray(weights, inputs.dtype))
        return Dense(*gains, config.num_outputs)(pooled)
