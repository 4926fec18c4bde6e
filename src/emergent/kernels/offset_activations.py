"""Activations of kernels by offsets: what they need to know of each pixel, and what they make of one pair of them.

With the cosine r = c / (size of u times size of v) of a pair of Gaussian pre-activations (u, v) of variances a, b and
covariance c, every closed form below is made of the arcsine of r and of square roots. Sizes are standard deviations, or
for the smooth functions those of the sum with a normal number. Two numbers of every pixel are computed once an image:
the inverse of its size, and one more by which values are multiplied.

References:
    arXiv:2406.06504, closed forms of the rectifier and the error function; arXiv:2002.08517, that of GELU, written here
    with the cosine.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from emergent.config.networks import CLOSED_FORMS, LEAKY_SLOPE
from emergent.errors import ConfigError

# Degree of the polynomial behind the arcsine: its error is that of rounding (tests/identities/test_kernel_offsets.py).
DEGREES = {"float64": 12, "float32": 5}
# Of Numba's compiler. Contraction alone is allowed to change rounding; nothing is infinite or not a number.
COMPILER: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "ninf", "nsz"}}
SLOPES = {"relu": 0.0, "leaky_relu": LEAKY_SLOPE}
"""Slope below 0 of functions with a bend at 0."""
UNKNOWN = "activation {activation!r} has no kernel by offsets: expected one of {known}."


class PixelSizes(NamedTuple):
    """What an activation needs to know of pixels, and what it makes of their variance.

    Attributes:
        inverse: 1 / size, the factor that turns covariances into cosines; 0 of blank patches, which have no angle and
            whose kernels are 0 whatever that is.
        factor: deviation times its normalisation (functions with a bend), variance (GELU), unused (error function).
        variance: after the activation.
    """

    inverse: Float[np.ndarray, "*pixels"]
    factor: Float[np.ndarray, "*pixels"]
    variance: Float[np.ndarray, "*pixels"]


def pixel_sizes(activation: str, variance: Float[np.ndarray, "*pixels"]) -> PixelSizes:
    """Returns what an activation needs to know of pixels of some variance before it.

    Raises:
        ConfigError: it has no closed form here.
    """
    if activation in SLOPES:
        slope, deviation = SLOPES[activation], np.sqrt(variance)
        inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        return PixelSizes(inverse, (1 - slope) / np.sqrt(2 * np.pi) * deviation, (1 + slope**2) / 2 * variance)
    if activation == "gelu":
        root = np.sqrt(1 + 2 * variance)
        curved = (variance / ((1 + variance) * root) + np.arctan2(variance, root) / 2) / np.pi
        return PixelSizes(1 / np.sqrt(1 + variance), variance, variance * (0.25 + curved))
    if activation == "erf":
        inverse = np.sqrt(2 / (1 + 2 * variance))
        return PixelSizes(inverse, np.zeros_like(variance), 2 / np.pi * np.arcsin(inverse**2 * variance))
    raise ConfigError(UNKNOWN.format(activation=activation, known=", ".join(CLOSED_FORMS)))


def arcsine_coefficients(degree: int) -> Float[np.ndarray, " D"]:
    """Returns coefficients P with ``arcsin(s) = s + s z P(z)``, z = s^2, for s between 0 and 1/2.

    Interpolation at Chebyshev points, whose error is close to the smallest possible one.
    """
    n = np.arange(1, 40)
    # arcsin(s) / s = sum_n ((2n)! / (4^n n!^2 (2n + 1))) z^n converges fast for z <= 1/4; its first term is 1.
    taylor = np.cumprod((2 * n - 1) / (2 * n)) / (2 * n + 1)
    interpolated = np.polynomial.chebyshev.Chebyshev.interpolate(
        lambda z: np.polynomial.polynomial.polyval(z, taylor), degree, domain=[0, 0.25]
    )
    return interpolated.convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1]).coef


def activation_function(
    precision: str, activation: str, compiled: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[..., Any]:
    """Returns the compiled function of one pair of pixels.

    It is called with both kernels of the pair, and with inverse and factor of the first and of the second pixel
    (``pixel_sizes``); it returns both kernels after the activation.

    Args:
        precision: ``float64`` or ``float32``.
        activation: one that ``pixel_sizes`` knows.
        compiled: compiles a function of numbers, for a processor or for a GPU.
    """
    number = np.dtype(precision).type
    coefficients = tuple(number(value) for value in arcsine_coefficients(DEGREES[precision])[::-1])
    half, one, two = number(0.5), number(1.0), number(2.0)
    zero, quarter, half_pi = number(0.0), number(0.25), number(np.pi / 2)
    # As in the layered formulation: the angle of a vector with itself must be exactly 0 (emergent.kernels.activations).
    identical = number(256 * np.finfo(number).eps)
    largest = number(1 - np.finfo(number).eps)

    @compiled
    def arcsine(magnitude):
        """Arcsine of a number from 0 to 1/2; above, that of the smaller sine of half the angle."""
        small = magnitude <= half
        z = magnitude * magnitude if small else half * (one - magnitude)
        s = math.sqrt(z)
        p = coefficients[0]
        for m in range(1, len(coefficients)):
            p = p * z + coefficients[m]
        return small, s + s * z * p

    if activation in SLOPES:
        slope = SLOPES[activation]
        below, bend, pi = number(slope), number((1 - slope) ** 2 / (2 * np.pi)), number(np.pi)

        @compiled
        def rectifier(k, t, inverse_first, factor_first, inverse_second, factor_second):
            cosine = k * (inverse_first * inverse_second)
            magnitude = abs(cosine)
            square = (one - magnitude) * (one + magnitude)
            same = square < identical
            magnitude = one if same else magnitude
            square = zero if same else square
            small, arc = arcsine(magnitude)
            angle = half_pi - arc if small else two * arc
            rest = pi - angle if cosine >= zero else angle
            signed = magnitude if cosine >= zero else -magnitude
            scale = factor_first * factor_second
            return below * k + scale * (math.sqrt(square) + rest * signed), t * (below + bend * rest)

        return rectifier

    if activation == "gelu":
        turn = number(0.5 / np.pi)

        @compiled
        def gelu(k, t, inverse_first, factor_first, inverse_second, factor_second):
            inverse = inverse_first * inverse_second
            cosine = k * inverse
            # Sizes hold 1 beside the variance: no cosine reaches 1 but by rounding.
            magnitude = min(abs(cosine), largest)
            square = (one - magnitude) * (one + magnitude)
            root = one / math.sqrt(square)
            small, arc = arcsine(magnitude)
            angle = arc if small else half_pi - two * arc
            share = quarter + turn * (angle if cosine >= zero else -angle)
            density = turn * inverse * root
            curved = inverse_first * inverse_first + inverse_second * inverse_second + inverse * root * inverse * root
            after = k * share + density * (cosine * cosine + factor_first * factor_second * square)
            return after, t * (share + density * k * curved)

        return gelu

    if activation != "erf":
        raise ConfigError(UNKNOWN.format(activation=activation, known=", ".join(CLOSED_FORMS)))
    errors = number(2 / np.pi)

    @compiled
    def error_function(k, t, inverse_first, factor_first, inverse_second, factor_second):
        inverse = inverse_first * inverse_second
        cosine = k * inverse
        # Sizes hold 1 beside the variance: no cosine reaches 1 but by rounding.
        magnitude = min(abs(cosine), largest)
        square = (one - magnitude) * (one + magnitude)
        small, arc = arcsine(magnitude)
        angle = arc if small else half_pi - two * arc
        return errors * (angle if cosine >= zero else -angle), t * (errors * inverse / math.sqrt(square))

    return error_function


def activation_program(precision: str, activation: str) -> Callable[..., None]:
    """Returns the compiled loop over one row of pairs of pixels.

    It is called with their number, both kernels, which it overwrites, and inverse and factor of the first and of the
    second pixels (``pixel_sizes``).

    Args:
        precision: ``float64`` or ``float32``.
        activation: one that ``pixel_sizes`` knows.
    """
    # Only here: the import takes longer than most jobs that need no such kernel.
    import numba

    compiled = numba.njit(**COMPILER)
    activate = activation_function(precision, activation, compiled)

    @compiled
    def row(num, k, t, inverse_first, factor_first, inverse_second, factor_second):
        for i in range(num):
            k[i], t[i] = activate(k[i], t[i], inverse_first[i], factor_first[i], inverse_second[i], factor_second[i])

    return row
