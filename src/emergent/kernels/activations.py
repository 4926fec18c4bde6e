"""Elementwise nonlinearities as layers of neural-tangents, with closed forms that are exact where its own are not.

References:
    arXiv:2406.06504, closed forms of the rectifier and the error function.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from emergent.errors import ConfigError
from emergent.kernels.neural_tangents import stax


def _relu_angle(
    covariance: Float[Array, ""], variance_first: Float[Array, ""], variance_second: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Returns the angle between two Gaussian pre-activations, its sine, and the product of their deviations."""
    product = variance_first * variance_second
    # A blank patch has variance 0 and no angle; dividing by 1 instead keeps it finite. Roots are taken of numbers other
    # than 0 and replaced afterwards: a derivative would see the infinite slope also of the branch that is not taken.
    seen = product > 0
    sine_squared = 1 - covariance**2 / jnp.where(seen, product, 1.0)
    # The angle of a vector with itself must be exactly 0: rounding of the covariance by 1e-16 would turn it by 1e-8,
    # and the NTK with it, by different amounts for an image and its rotated copy.
    identical = sine_squared < 256 * jnp.finfo(sine_squared.dtype).eps
    sine = jnp.where(identical, 0.0, jnp.sqrt(jnp.where(identical, 1.0, sine_squared)))
    scale = jnp.sqrt(jnp.where(seen, product, 1.0))
    # No arccos, which is not a number where rounding has made a cosine larger than 1.
    return jnp.arctan2(sine * scale, covariance), sine, jnp.where(seen, scale, 0.0)


def _relu_nngp(
    covariance: Float[Array, ""], variance_first: Float[Array, ""], variance_second: Float[Array, ""]
) -> Float[Array, ""]:
    angle, sine, scale = _relu_angle(covariance, variance_first, variance_second)
    return (scale * sine + (jnp.pi - angle) * covariance) / (2 * jnp.pi)


def _relu_nngp_derivative(
    covariance: Float[Array, ""], variance_first: Float[Array, ""], variance_second: Float[Array, ""]
) -> Float[Array, ""]:
    return (jnp.pi - _relu_angle(covariance, variance_first, variance_second)[0]) / (2 * jnp.pi)


def activation_layer(name: str) -> Any:
    """Returns the layer of an activation.

    Raises:
        ConfigError: it has no closed form here.
    """
    if name == "relu":
        # Our own closed forms, for the exact angle above. Without a factor sqrt(2): gains belong to weight_std.
        return stax.Elementwise(jax.nn.relu, _relu_nngp, _relu_nngp_derivative)
    if name == "erf":
        return stax.Erf()
    raise ConfigError(f"activation {name!r} has no closed-form kernel here: expected 'relu' or 'erf'.")
