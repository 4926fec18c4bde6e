"""Spherical CNNs with local kernels: from images on the sphere to SO(3), on SO(3), to labels or back to the sphere.

Everything linear works on coefficients (``emergent.models.rotation_transforms``), biases and ReLU at points of grids on
SO(3). Kernels are combs: a layer sums values at rotations near each one, with weights that are learnt. Linear layers
are equivariant under all rotations; ReLU is as far as the grid resolves what it makes.

References:
    arXiv:1801.10130 (layers); arXiv:2202.03990 (equivariance against augmentation on the sphere).
"""

import math

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Complex, Float

from emergent.config.spherical_images_training import SphericalCnn
from emergent.errors import ConfigError
from emergent.models.draws import normal
from emergent.models.rotation_transforms import (
    RINGS,
    SPOKES,
    analyse,
    analyse_sphere,
    convolve,
    integrate,
    lift,
    rotation_kernel,
    sphere_kernel,
    stacked,
    summed,
    synthesise,
    synthesise_sphere,
)


def _weights(module: nn.Module, points: tuple[int, ...], channels: int, features: int) -> Array:
    """Returns N(0, 1) times a gain that keeps the size of what goes through ReLU, of independent values at points.

    The gain is in the forward pass: Adam moves all weights by as much, and a sum over many points would move by a lot.
    """
    weights = module.param("kernel", normal, (*points, channels, features))
    return weights * (2 / (math.prod(points) * channels)) ** 0.5


def _bias(module: nn.Module, values: Array) -> Array:
    bias = module.param("bias", nn.initializers.zeros, (values.shape[-1],))
    return jnp.expand_dims(bias, range(values.ndim - 1))


class Lifting(nn.Module):
    """From functions on the sphere to functions on SO(3), with ``RINGS`` x ``SPOKES`` kernel points.

    Attributes:
        features: channels D of the output.
        max_beta: polar angle of the outermost ring, in units of pi.
    """

    features: int
    max_beta: float

    @nn.compact
    def __call__(self, inputs: Complex[Array, "L m N C"]) -> Complex[Array, "L m n N D"]:
        """Returns coefficients."""
        weights = _weights(self, (RINGS, SPOKES), inputs.shape[-1], self.features)
        return lift(inputs, sphere_kernel(weights, self.max_beta, len(inputs)))


class RotationLayer(nn.Module):
    """Convolution on SO(3), with ``RINGS`` x ``SPOKES`` x ``SPOKES`` kernel points.

    Attributes:
        features: channels D of the output.
        max_beta: polar angle of the outermost ring, in units of pi.
        to_sphere: sum over the third index, which leaves functions on the sphere.
    """

    features: int
    max_beta: float
    to_sphere: bool = False

    @nn.compact
    def __call__(self, inputs: Complex[Array, "L m n N C"]) -> Array:
        """Returns coefficients, [L, m, n, N, D] or on the sphere [L, m, N, D]."""
        weights = _weights(self, (RINGS, SPOKES, SPOKES), inputs.shape[-1], self.features)
        parts = convolve(inputs, rotation_kernel(weights, self.max_beta, len(inputs)))
        return summed(parts) if self.to_sphere else stacked(parts)


class GridActivation(nn.Module):
    """Bias and ReLU on the grid of a bandwidth.

    Attributes:
        bandwidth: b; the grid has 2 b points a side.
    """

    bandwidth: int

    @nn.compact
    def __call__(self, coefficients: Complex[Array, "L m n N C"]) -> Float[Array, "A K G N C"]:
        """Returns values."""
        values = synthesise(coefficients, self.bandwidth)
        return nn.relu(values + _bias(self, values))


class SphericalCnnNet(nn.Module):
    """Classifier, or with one kernel more than layers a network that labels every point of the sphere.

    Attributes:
        config: of the layers.
        num_outputs: K.
    """

    config: SphericalCnn
    num_outputs: int

    @nn.compact
    def __call__(self, images: Float[Array, "N K A C"]) -> Array:
        """Returns logits [N, K], or [N, K, A, K] at the points of the images' grid.

        Raises:
            ConfigError: the images are no grid of 2 b x 2 b points, or of fewer than the network's first degrees.
        """
        config, side = self.config, images.shape[1]
        limits = config.band_limits
        if side % 2 or images.shape[2] != side or limits[0] > side // 2:
            raise ConfigError(
                f"band_limits: a first layer of degrees below {limits[0]} reads a grid of 2 b x 2 b points with b "
                f"of at least {limits[0]}, found {side} x {images.shape[2]} points; set bandwidth to match."
            )
        coefficients = analyse_sphere(images, limits[0])
        values = GridActivation(limits[0])(Lifting(config.features[0], config.max_beta[0])(coefficients))
        for index in range(1, len(limits)):
            hidden = analyse(values, min(limits[index - 1], limits[index]))
            hidden = RotationLayer(config.features[index], config.max_beta[index])(hidden)
            values = GridActivation(limits[index])(hidden)
        if not config.segments:
            return nn.Dense(self.num_outputs)(integrate(values))
        hidden = analyse(values, min(limits[-1], side // 2))
        found = RotationLayer(self.num_outputs, config.max_beta[-1], to_sphere=True)(hidden)
        outputs = synthesise_sphere(found, side // 2)
        return outputs + _bias(self, outputs)
