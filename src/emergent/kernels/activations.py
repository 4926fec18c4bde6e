"""Elementwise nonlinearities as layers of neural-tangents, with closed forms that are exact where its own are not.

References:
    arXiv:2406.06504, closed forms of the rectifier and the error function; arXiv:2002.08517, that of GELU.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from emergent.config.networks import CLOSED_FORMS, LEAKY_SLOPE
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


def rectifier_kernels(
    slope: float,
    covariance: Float[Array, ""],
    variance_first: Float[Array, ""],
    variance_second: Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Returns E[s(u) s(v)] and E[s'(u) s'(v)] of centred Gaussians (u, v) for s(u) = max(u, 0) + slope min(u, 0).

    With s(u) = slope u + (1 - slope) max(u, 0) and E[u max(v, 0)] = E[u v] / 2 both follow from the rectifier's.
    """
    angle, sine, scale = _relu_angle(covariance, variance_first, variance_second)
    bend = (1 - slope) ** 2 / (2 * jnp.pi)
    nngp = slope * covariance + bend * (scale * sine + (jnp.pi - angle) * covariance)
    return nngp, slope + bend * (jnp.pi - angle)


def _rectifier(slope: float) -> Any:
    # Our own closed forms, for the exact angle above. Without a factor sqrt(2): gains belong to weight_std.
    return stax.Elementwise(
        lambda values: jax.nn.leaky_relu(values, slope),
        lambda *moments: rectifier_kernels(slope, *moments)[0],
        lambda *moments: rectifier_kernels(slope, *moments)[1],
    )


def activation_layer(name: str) -> Any:
    """Returns the layer of an activation.

    Raises:
        ConfigError: it has no closed form here.
    """
    if name == "relu":
        return _rectifier(0.0)
    if name == "leaky_relu":
        return _rectifier(LEAKY_SLOPE)
    # Of smooth functions theirs are right also for variance 0 and for an input with itself (tests/golden).
    if name == "gelu":
        return stax.Gelu()
    if name == "erf":
        return stax.Erf()
    raise ConfigError(f"activation {name!r} has no closed-form kernel here: expected one of {', '.join(CLOSED_FORMS)}.")
