"""Transforms of functions on SO(3) and on the sphere between values on grids and coefficients, and kernels there.

Coefficients of real functions are kept for m >= 0 only, [L, L, 2 L - 1, N, C] (degree, m, n, sample, channel), zero
where |m| or |n| exceeds the degree; those of m < 0 follow. Fast Fourier transforms in the two angles about the axis,
products with Wigner functions in the polar one. Conventions are those of ``emergent.groups.rotation_spectra``.

References:
    arXiv:1801.10130.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from emergent.groups.rotation_spectra import polar_weights, rotation_angles, sphere_angles, wigner_d

RINGS, SPOKES = 3, 8
"""Of kernels: points lie on so many rings around the identity, at so many angles; on SO(3) each at as many turns."""


@cache
def _rotation_table(bandwidth: int, band_limit: int) -> Float[np.ndarray, "m n K l"]:
    table = wigner_d(band_limit, rotation_angles(bandwidth))
    return np.ascontiguousarray(table[:, band_limit - 1 :].transpose(1, 2, 3, 0))


@cache
def _sphere_table(bandwidth: int, band_limit: int) -> Float[np.ndarray, "m K l"]:
    table = wigner_d(band_limit, sphere_angles(bandwidth))
    return np.ascontiguousarray(table[:, band_limit - 1 :, band_limit - 1].transpose(1, 2, 0))


@cache
def _kernel_table(band_limit: int, max_beta: float) -> Float[np.ndarray, "l k n R"]:
    return wigner_d(band_limit, max_beta * np.pi * np.arange(1, RINGS + 1) / RINGS)


def _constant(values: np.ndarray, like: Array) -> Array:
    return jnp.asarray(values, jnp.finfo(like.dtype).dtype)


def _both(table: Array, values: Array, subscripts: str) -> Array:
    """Returns the product of a real table with complex values, as two real products, which are faster."""
    return jnp.einsum(subscripts, table, values.real) + 1j * jnp.einsum(subscripts, table, values.imag)


def synthesise(coefficients: Complex[Array, "L m n N C"], bandwidth: int) -> Float[Array, "A K G N C"]:
    """Returns values on the grid (alpha, beta, gamma) of 2 b points a side; degrees are below b."""
    limit, side = coefficients.shape[0], 2 * bandwidth
    table = _constant(_rotation_table(bandwidth, limit), coefficients)
    found = _both(table, coefficients, "mnkl,lmnbc->mknbc")
    # Orders -L+1 ... L-1 to the places where a transform of 2 b points has them.
    places = np.arange(1 - limit, limit) % side
    spread = jnp.zeros((*found.shape[:2], side, *found.shape[3:]), found.dtype).at[:, :, places].set(found)
    # exp(-i n gamma) is the sign of a forward transform; of the half of orders m, of a conjugate backward one.
    turned = jnp.fft.fft(spread, axis=2)
    return jnp.fft.irfft(turned.conj(), side, axis=0) * side


def _require_fine(side: int, band_limit: int) -> None:
    if 2 * band_limit > side:
        raise ValueError(f"a grid of {side} points a side resolves degrees below {side // 2}, found limit {band_limit}")


def analyse(values: Float[Array, "A K G N C"], band_limit: int) -> Complex[Array, "L m n N C"]:
    """Returns coefficients of degrees below a limit L, of values on the grid of 2 b points a side, L <= b.

    Raises:
        ValueError: the grid is too coarse for the limit: higher degrees would come back as lower ones.
    """
    side = values.shape[0]
    _require_fine(side, band_limit)
    spectrum = jnp.fft.rfft(values, axis=0)[:band_limit].conj()
    places = np.arange(1 - band_limit, band_limit) % side
    spectrum = (jnp.fft.ifft(spectrum, axis=2) / side)[:, :, places]
    weights = polar_weights(side // 2, rotation_angles(side // 2))
    table = _rotation_table(side // 2, band_limit) * weights[:, None] * (2 * np.arange(band_limit) + 1)
    return _both(_constant(table, values), spectrum, "mnkl,mknbc->lmnbc")


def analyse_sphere(values: Float[Array, "N K A C"], band_limit: int) -> Complex[Array, "L m N C"]:
    """Returns coefficients of degrees below a limit L, of values on the grid of 2 b x 2 b points, L <= b.

    Raises:
        ValueError: the grid is too coarse for the limit: higher degrees would come back as lower ones.
    """
    side = values.shape[1]
    _require_fine(side, band_limit)
    spectrum = jnp.fft.rfft(values, axis=2)[:, :, :band_limit].conj() / side
    weights = polar_weights(side // 2, sphere_angles(side // 2))
    table = _sphere_table(side // 2, band_limit) * weights[:, None] * (2 * np.arange(band_limit) + 1)
    return _both(_constant(table, values), spectrum, "mkl,bkmc->lmbc")


def synthesise_sphere(coefficients: Complex[Array, "L m N C"], bandwidth: int) -> Float[Array, "N K A C"]:
    """Returns values on the grid of 2 b x 2 b points; degrees are below b."""
    table = _constant(_sphere_table(bandwidth, coefficients.shape[0]), coefficients)
    found = _both(table, coefficients, "mkl,lmbc->bkmc")
    return jnp.fft.irfft(found.conj(), 2 * bandwidth, axis=2) * (2 * bandwidth)


def integrate(values: Float[Array, "A K G N C"]) -> Float[Array, "N C"]:
    """Returns means over all rotations."""
    bandwidth = values.shape[0] // 2
    weights = _constant(polar_weights(bandwidth, rotation_angles(bandwidth)), values)
    return jnp.einsum("k,knc->nc", weights, values.mean((0, 2)))


def _harmonics(weights: Array, axis: int, orders: np.ndarray) -> Array:
    """Returns sums over equidistant angles of weights times exp(-i order angle)."""
    return jnp.take(jnp.fft.fft(weights, axis=axis), orders % SPOKES, axis=axis)


def sphere_kernel(weights: Float[Array, "R S C D"], max_beta: float, band_limit: int) -> Complex[Array, "l k C D"]:
    """Returns the sums over kernel points of weights times D^l_k0 there.

    Args:
        weights: at points of ``RINGS`` x ``SPOKES``.
        max_beta: polar angle of the outermost ring, in units of pi.
        band_limit: degrees are below it.
    """
    table = _constant(_kernel_table(band_limit, max_beta)[:, :, band_limit - 1], weights)
    turned = _harmonics(weights, 1, np.arange(1 - band_limit, band_limit))
    return jnp.einsum("lkr,rkcd->lkcd", table.astype(turned.dtype), turned)


def rotation_kernel(
    weights: Float[Array, "R S G C D"], max_beta: float, band_limit: int
) -> list[Complex[Array, "n C k D"]]:
    """Returns, degree by degree, the sums over kernel points of weights times D^l_kn there."""
    table = _constant(_kernel_table(band_limit, max_beta), weights)
    orders = np.arange(SPOKES)
    turned = _harmonics(_harmonics(weights, 1, orders), 2, orders)
    kernels = []
    for degree in range(band_limit):
        own, orders = slice(band_limit - 1 - degree, band_limit + degree), np.arange(-degree, degree + 1) % SPOKES
        part = turned[:, orders][:, :, orders]
        kernels.append(jnp.einsum("knr,rkncd->nckd", table[degree, own, own].astype(turned.dtype), part))
    return kernels


def lift(coefficients: Complex[Array, "L m N C"], kernel: Complex[Array, "l k C D"]) -> Complex[Array, "L m n N D"]:
    """Returns the coefficients of (psi * f)(R) = sum over points p of w_p f(R p), of functions on the sphere."""
    return jnp.einsum("lmbc,lkcd->lmkbd", coefficients, kernel)


def convolve(
    coefficients: Complex[Array, "L m n N C"], kernels: list[Complex[Array, "n C k D"]]
) -> list[Complex[Array, "m N k D"]]:
    """Returns, degree by degree, coefficients of (psi * F)(R) = sum over points g of w_g F(R g)."""
    limit = coefficients.shape[0]
    results = []
    for degree, kernel in enumerate(kernels):
        own = coefficients[degree, : degree + 1, limit - 1 - degree : limit + degree]
        results.append(jnp.einsum("mnbc,nckd->mbkd", own, kernel))
    return results


def stacked(parts: list[Complex[Array, "m N k D"]]) -> Complex[Array, "L m n N D"]:
    """Returns coefficients of all degrees in one array."""
    limit, padded = len(parts), []
    for degree, part in enumerate(parts):
        beyond = limit - 1 - degree
        padded.append(jnp.pad(part.transpose(0, 2, 1, 3), ((0, beyond), (beyond, beyond), (0, 0), (0, 0))))
    return jnp.stack(padded)


def summed(parts: list[Complex[Array, "m N k D"]]) -> Complex[Array, "L m N D"]:
    """Returns the coefficients of real functions on the sphere: sums over the third index, of which even ones remain.

    The sum over all is a complex function, whose real part is the sum over even ones.
    """
    limit = len(parts)
    return jnp.stack([jnp.pad(part[:, :, degree % 2 :: 2].sum(2), ((0, limit - 1 - degree), (0, 0), (0, 0)))
                      for degree, part in enumerate(parts)])  # fmt: skip
