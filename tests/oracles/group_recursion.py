"""Kernels of group convolutional networks by literal recursion over group elements and pixels: slow, and plainly right.

A network on a square image lifts it to functions on pixels t and point-group elements r, applies nonlinearities and
group convolutions, and averages over all t and r. The recursion carries K[r, r', t, t'] for one pair of images in
float64, so memory is (|G| P)^2 numbers with P pixels: a reference for tests, not for data.

References:
    arXiv:2406.06504, kernel recursions of lifting, group convolution, nonlinearity and group pooling.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.groups.points import point_matrices
from emergent.point_groups import FiniteGroup

Pair = Float[np.ndarray, "R R P P"]


class _State(NamedTuple):
    """Kernels of the pairs (f, f), (f, f') and (f', f'); only the mixed pair needs the NTK."""

    nngp_first: Pair
    nngp: Pair
    nngp_second: Pair
    ntk: Pair


def group_network_kernels(
    first: Float[np.ndarray, "H H C"],
    second: Float[np.ndarray, "H H C"],
    group: FiniteGroup,
    num_convolutions: int,
    activation: Literal["relu", "leaky_relu", "gelu", "erf"],
    weight_std: float,
    bias_std: float,
    padding: Literal["SAME", "VALID", "CIRCULAR"],
) -> tuple[float, float]:
    """Returns (nngp, ntk) of: lifting, activation, (group convolution, activation)*, group mean pool, dense head.

    Filters are 3 x 3; the group acts on pixels by C1, C2, C4, D1, D2 or D4.
    """
    images = {"first": np.asarray(first, np.float64), "second": np.asarray(second, np.float64)}
    size, num_channels = first.shape[0], first.shape[2]
    inputs = {name: image.reshape(size * size, num_channels) for name, image in images.items()}

    def covariance(left: str, right: str) -> Pair:
        return (inputs[left] @ inputs[right].T / num_channels)[None, None]

    nngp = [covariance("first", "first"), covariance("first", "second"), covariance("second", "second")]
    state = _State(*nngp, ntk=np.zeros_like(nngp[0]))
    for layer in range(num_convolutions):
        taps, size = _tap_indices(group, size, padding)
        state = _convolve(state, group, taps, weight_std**2, bias_std**2, lifting=layer == 0)
        state = _activate(state, activation)
    nngp_pooled, ntk_pooled = state.nngp.mean(), state.ntk.mean()
    nngp_head = weight_std**2 * nngp_pooled + bias_std**2
    return float(nngp_head), float(nngp_head + weight_std**2 * ntk_pooled)


def _tap_indices(group: FiniteGroup, size: int, padding: str) -> tuple[Int[np.ndarray, "R S Q"], int]:
    """Returns input pixel t + rho(r) s (-1 outside) of element r, tap s and output pixel t; and the output size."""
    taps = np.array([(x, y) for y in (1, 0, -1) for x in (-1, 0, 1)])
    turned = np.rint(np.einsum("rab,sb->rsa", point_matrices(group), taps)).astype(int)
    border = 1 if padding == "VALID" else 0
    rows, columns = np.mgrid[border : size - border, border : size - border].reshape(2, -1)
    # x points right, y up, rows count downwards.
    tap_rows = rows[None, None] - turned[:, :, 1, None]
    tap_columns = columns[None, None] + turned[:, :, 0, None]
    if padding == "CIRCULAR":
        tap_rows, tap_columns = tap_rows % size, tap_columns % size
    inside = (tap_rows >= 0) & (tap_rows < size) & (tap_columns >= 0) & (tap_columns < size)
    return np.where(inside, tap_rows * size + tap_columns, -1), size - 2 * border


def _convolve(
    state: _State, group: FiniteGroup, taps: Int[np.ndarray, "R S Q"], gain: float, shift: float, lifting: bool
) -> _State:
    elements = range(group.order)
    num_taps, num_outputs = taps.shape[1:]

    def average(pair: Pair) -> Pair:
        # A border of zeros, reached by the index -1.
        padded = np.pad(pair, ((0, 0), (0, 0), (0, 1), (0, 1)))
        result = np.zeros((group.order, group.order, num_outputs, num_outputs))
        for r in elements:
            for q in elements:
                sources = [(0, 0)] if lifting else [(group.product[r, u], group.product[q, u]) for u in elements]
                for a, b in sources:
                    for s in range(num_taps):
                        result[r, q] += padded[a, b][np.ix_(taps[r, s], taps[q, s])]
                result[r, q] /= num_taps * len(sources)
        return result

    nngp_first, nngp, nngp_second = (gain * average(pair) + shift for pair in state[:3])
    return _State(nngp_first, nngp, nngp_second, nngp + gain * average(state.ntk))


def _activate(state: _State, activation: str) -> _State:
    first = np.einsum("rrtt->rt", state.nngp_first)
    second = np.einsum("rrtt->rt", state.nngp_second)

    def activate(pair: Pair, left: np.ndarray, right: np.ndarray) -> tuple[Pair, Pair]:
        return dual_activation(activation, pair, left[:, None, :, None], right[None, :, None, :])

    nngp, derivative = activate(state.nngp, first, second)
    return _State(
        activate(state.nngp_first, first, first)[0],
        nngp,
        activate(state.nngp_second, second, second)[0],
        derivative * state.ntk,
    )


def dual_activation(
    activation: str,
    covariance: Float[np.ndarray, "..."],
    variance_first: Float[np.ndarray, "..."],
    variance_second: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Returns E[s(u) s(v)] and E[s'(u) s'(v)] of centred Gaussians (u, v) for the activation s."""
    if activation == "leaky_relu":
        return _two_rectifiers(0.01, covariance, variance_first, variance_second)
    if activation == "gelu":
        return _gelu(covariance, variance_first, variance_second)
    if activation == "relu":
        scale = np.sqrt(variance_first * variance_second)
        cosine = np.clip(covariance / np.where(scale > 0, scale, 1.0), -1, 1)
        angle = np.arccos(cosine)
        return scale * (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi), (np.pi - angle) / (2 * np.pi)
    scale = (1 + 2 * variance_first) * (1 + 2 * variance_second)
    return 2 / np.pi * np.arcsin(2 * covariance / np.sqrt(scale)), 4 / np.pi / np.sqrt(scale - 4 * covariance**2)


def _two_rectifiers(
    slope: float,
    covariance: Float[np.ndarray, "..."],
    variance_first: Float[np.ndarray, "..."],
    variance_second: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Returns the same of s(u) = r(u) - slope r(-u), r the rectifier, term by term: (-u, v) has covariance -c."""
    alike = dual_activation("relu", covariance, variance_first, variance_second)
    opposite = dual_activation("relu", -covariance, variance_first, variance_second)
    return (
        (1 + slope**2) * alike[0] - 2 * slope * opposite[0],
        (1 + slope**2) * alike[1] + 2 * slope * opposite[1],
    )


def _gelu(
    covariance: Float[np.ndarray, "..."],
    variance_first: Float[np.ndarray, "..."],
    variance_second: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Returns the same of s(u) = u Phi(u), by Stein's lemma.

    Phi(u) is the probability of p = u - n > 0 for a normal n. With q = v - m likewise, A = 1 + a and B = 1 + b are the
    variances of p and q and c their covariance. E[u v 1(p > 0) 1(q > 0)] is c times the probability that both are
    positive, and terms with the density of (p, q) at 0. Of s'(u) = Phi(u) + u phi(u) the second part is what p = 0
    leaves of u; given p = q = 0 the covariance of u and v is c / D, D = A B - c^2.
    """
    a, b, c = variance_first, variance_second, covariance
    determinant = (1 + a) * (1 + b) - c**2
    root = np.sqrt(determinant)
    density = 1 / (2 * np.pi * root)
    both = 0.25 + np.arctan2(c, root) / (2 * np.pi)
    nngp = c * both + density * (a * (b - c**2 / (1 + a)) + c**2 / (1 + b))
    return nngp, both + density * c * (1 / (1 + a) + 1 / (1 + b) + 1 / determinant)
