"""Fourier analysis on the sphere and on SO(3) of any bandwidth: Wigner functions, equiangular grids, their weights.

A function of rotations R = Rz(alpha) Ry(beta) Rz(gamma) of degrees below L is ``F(R) = sum_lmn F_lmn D^l_mn(R)``, with
``D^l_mn = exp(-i m alpha) d^l_mn(beta) exp(-i n gamma)``, so that ``D(R S) = D(R) D(S)``. A function on the sphere is
one of rotations that does not see gamma, ``f(R z) = F(R)``: n = 0 alone. ``emergent.groups.rotation_harmonics`` has
real functions up to degree 11, by the tables of a library; here degrees go up to 50 and more, from eigenvectors.

References:
    arXiv:1801.10130 (spherical convolutional networks); Kostelec and Rockmore, FFTs on the rotation group (2008);
    Driscoll and Healy, Computing Fourier transforms and convolutions on the 2-sphere (1994).
"""

from functools import cache

import numpy as np
import scipy.linalg
from jaxtyping import Complex, Float


@cache
def _axes(degree: int) -> Float[np.ndarray, "m mu"]:
    """Returns the eigenvectors of J_x, of eigenvalues -l ... l, in the basis of J_z."""
    orders = np.arange(-degree, degree)
    raising = np.sqrt(degree * (degree + 1) - orders * (orders + 1.0)) / 2
    return scipy.linalg.eigh_tridiagonal(np.zeros(2 * degree + 1), raising)[1]


def little_d(degree: int, angles: Float[np.ndarray, " K"]) -> Float[np.ndarray, "m n K"]:
    """Returns d^l_mn(beta) = <m| exp(-i beta J_y) |n>, m and n from -l to l, at some angles in radians."""
    vectors, orders = _axes(degree), np.arange(-degree, degree + 1)
    # J_y is J_x turned by a quarter about z; the eigenvalues of both are the orders, exactly.
    turned = (1j ** (-orders % 4))[:, None] * vectors
    phases = np.exp(-1j * np.outer(orders, angles))
    return np.einsum("mu,uk,nu->mnk", turned, phases, turned.conj(), optimize=True).real


def wigner_d(band_limit: int, angles: Float[np.ndarray, " K"]) -> Float[np.ndarray, "l m n K"]:
    """Returns d^l_mn of all degrees below a band limit L, in arrays whose middle is m = n = 0; zeros beyond."""
    table = np.zeros((band_limit, 2 * band_limit - 1, 2 * band_limit - 1, len(angles)))
    for degree in range(band_limit):
        own = slice(band_limit - 1 - degree, band_limit + degree)
        table[degree, own, own] = little_d(degree, angles)
    return table


def wigner_matrix(degree: int, angles: tuple[float, float, float]) -> Complex[np.ndarray, "m n"]:
    """Returns D^l(R) of the rotation with Euler angles alpha, beta, gamma about z, y, z."""
    orders, (alpha, beta, gamma) = np.arange(-degree, degree + 1), angles
    middle = little_d(degree, np.array([beta]))[..., 0]
    return np.exp(-1j * orders * alpha)[:, None] * middle * np.exp(-1j * orders * gamma)


def sphere_angles(bandwidth: int) -> Float[np.ndarray, " K"]:
    """Returns the polar angles beta_j = pi j / (2 b) of the grid of Driscoll and Healy, from the north pole on."""
    return np.pi * np.arange(2 * bandwidth) / (2 * bandwidth)


def rotation_angles(bandwidth: int) -> Float[np.ndarray, " K"]:
    """Returns the polar angles beta_j = pi (2 j + 1) / (4 b) of the grid on SO(3)."""
    return np.pi * (2 * np.arange(2 * bandwidth) + 1) / (4 * bandwidth)


def turns(bandwidth: int) -> Float[np.ndarray, " K"]:
    """Returns the 2 b angles pi k / b about the axis, of both grids."""
    return np.pi * np.arange(2 * bandwidth) / bandwidth


def polar_weights(bandwidth: int, angles: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """Returns weights of sum 1 that integrate functions of degrees below 2 b over the polar angle exactly.

    Args:
        bandwidth: of either grid.
        angles: its 2 b polar angles.
    """
    odd = 2 * np.arange(bandwidth) + 1
    return np.sin(angles) / bandwidth * (np.sin(np.outer(angles, odd)) / odd).sum(1)
