"""Functions on the sphere and on SO(3) by their coefficients: harmonics, Wigner matrices, quadratures.

A function on the sphere of degrees below L has L^2 real coefficients, ``f(x) = sum_lm f_lm Y_lm(x)``, with real
harmonics that are orthonormal on the sphere, degree by degree, 2 l + 1 of them each. A function of rotations has
L (4 L^2 - 1) / 3, ``F(R) = sum_lmn F_lmn sqrt(2 l + 1) D^l_mn(R)``, with real Wigner matrices; these functions are
orthonormal under the Haar measure of total 1. Harmonics turn by ``Y(R x) = D(R) Y(x)``. Harmonics and Wigner matrices
are those of e3nn-jax, in float64.

References:
    arXiv:2406.06504 (networks on the sphere and on SO(3)); arXiv:1801.10130 (spherical convolutional networks).
"""

import contextlib
import itertools
import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from emergent.config.spherical import LARGEST_BAND_LIMIT
from emergent.errors import ConfigError


class RotationGrid(NamedTuple):
    """Points of a quadrature on SO(3).

    Attributes:
        matrices: [Q, 3, 3].
        angles: [3, Q], the three Euler angles of each, in e3nn's order and axes.
        weights: [Q], of sum 1.
    """

    matrices: Float[np.ndarray, "Q 3 3"]
    angles: Float[np.ndarray, "3 Q"]
    weights: Float[np.ndarray, " Q"]


@contextlib.contextmanager
def _computing() -> Iterator[None]:
    """Computes in double precision, and at once also where a network that uses the result is being traced."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        yield


def num_rotation_coefficients(band_limit: int) -> int:
    """Returns the number of coefficients of a function on SO(3) of degrees below a band limit L."""
    return band_limit * (4 * band_limit**2 - 1) // 3


def degrees(band_limit: int) -> list[slice]:
    """Returns where each degree's coefficients stand among the L^2 of a function on the sphere."""
    return [slice(degree**2, (degree + 1) ** 2) for degree in range(band_limit)]


def rotation_degrees(band_limit: int) -> list[slice]:
    """Returns where each degree's (2 l + 1)^2 coefficients stand among those of a function on SO(3)."""
    starts = [num_rotation_coefficients(degree) for degree in range(band_limit + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(starts)]


def require_band_limit(band_limit: int) -> None:
    """Checks a band limit.

    Raises:
        ConfigError: naming the largest one.
    """
    if not 1 <= band_limit <= LARGEST_BAND_LIMIT:
        raise ConfigError(
            f"band limit: expected 1 to {LARGEST_BAND_LIMIT} (degrees below it), found {band_limit}; beyond, no exact "
            "Wigner matrices are at hand."
        )


def spherical_harmonics(points: Float[np.ndarray, "*points 3"], band_limit: int) -> Float[np.ndarray, "*points L2"]:
    """Returns the real harmonics of degrees below a band limit at unit vectors, orthonormal on the sphere.

    Raises:
        ConfigError: the band limit is too high.
    """
    require_band_limit(band_limit)
    import e3nn_jax

    irreps = e3nn_jax.Irreps([(1, (degree, (-1) ** degree)) for degree in range(band_limit)])
    with _computing():
        array = e3nn_jax.spherical_harmonics(
            irreps, jax.numpy.asarray(points, np.float64), normalize=False, normalization="integral"
        ).array
        return np.asarray(array)


def wigner_matrices(angles: Float[np.ndarray, "3 Q"], band_limit: int) -> Float[np.ndarray, "K Q"]:
    """Returns the orthonormal functions sqrt(2 l + 1) D^l_mn, degree by degree, row by row, at some rotations.

    Args:
        angles: Euler angles.
        band_limit: degrees are below it.

    Raises:
        ConfigError: the band limit is too high.
    """
    require_band_limit(band_limit)
    import e3nn_jax

    rows: list[Any] = []
    with _computing():
        turns = [jax.numpy.asarray(angle, np.float64) for angle in angles]
        for degree in range(band_limit):
            found = np.asarray(e3nn_jax.Irrep(degree, 1).D_from_angles(*turns))
            rows.append(math.sqrt(2 * degree + 1) * np.moveaxis(found, 0, -1).reshape(-1, angles.shape[1]))
    return np.concatenate(rows)


@cache
def rotation_grid(resolution: int) -> RotationGrid:
    """Returns a quadrature that is exact for functions of degrees below ``2 * resolution``.

    Gauss-Legendre nodes in the cosine of the middle angle, ``resolution`` of them, and twice as many equidistant ones
    of the other two angles. The product of two functions of degrees below the resolution is integrated exactly.
    """
    import e3nn_jax

    cosines, shares = np.polynomial.legendre.leggauss(resolution)
    turns = 2 * np.pi * np.arange(2 * resolution) / (2 * resolution)
    mesh = np.meshgrid(turns, np.arccos(cosines), turns, indexing="ij")
    angles = np.stack([part.ravel() for part in mesh])
    weights = np.broadcast_to(shares[None, :, None] / 2 / len(turns) ** 2, mesh[0].shape).ravel()
    with _computing():
        matrices = np.asarray(e3nn_jax.angles_to_matrix(*(jax.numpy.asarray(angle) for angle in angles)))
    return RotationGrid(matrices, angles, np.ascontiguousarray(weights))


@cache
def rotation_basis(resolution: int, band_limit: int) -> Float[np.ndarray, "K Q"]:
    """Returns ``wigner_matrices`` at the points of ``rotation_grid``.

    Raises:
        ConfigError: the band limit is too high, or higher than the grid resolves.
    """
    if band_limit > resolution:
        raise ConfigError(
            f"band limit {band_limit}: a quadrature on SO(3) of resolution {resolution} integrates squares of degrees "
            f"below {resolution} only; use a resolution of at least {band_limit}."
        )
    return wigner_matrices(rotation_grid(resolution).angles, band_limit)


def sphere_grid(band_limit: int) -> Float[np.ndarray, "P 3"]:
    """Returns the 2 L (2 L - 1) unit vectors of the equiangular grid of Driscoll and Healy, pole by pole.

    Latitudes (2 t + 1) pi / (4 L), t = 0 ... 2 L - 1; longitudes 2 pi p / (2 L - 1). The poles are on the z axis.
    """
    latitudes = (2 * np.arange(2 * band_limit) + 1) * np.pi / (4 * band_limit)
    longitudes = 2 * np.pi * np.arange(2 * band_limit - 1) / (2 * band_limit - 1)
    theta, phi = (part.ravel() for part in np.meshgrid(latitudes, longitudes, indexing="ij"))
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
