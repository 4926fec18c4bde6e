"""Kernels of group convolutional networks on the sphere: lifting to SO(3), group convolutions, mean over rotations.

After lifting, kernels depend on two rotations R and R' through Q = R' R^-1 alone: K_{R,R'} = kappa(Q). A group
convolution with filters on all of SO(3) leaves kappa as it is, apart from gains; one with filters of degrees below a
band limit cuts kappa off at that limit. What is left is a function on SO(3) for every pair of inputs, which activations
change point by point and the pool averages: a quadrature in place of the four- and six-dimensional grids of pairs.

References:
    arXiv:2406.06504, kernel recursions for SO(3); the formulation by kappa(Q) is ours.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Array, Float
from threadpoolctl import threadpool_limits

from emergent.config.networks import CLOSED_FORMS
from emergent.errors import ConfigError
from emergent.groups.rotation_harmonics import (
    degrees,
    num_rotation_coefficients,
    rotation_basis,
    rotation_degrees,
    rotation_grid,
)
from emergent.kernels.functions import Kernels
from emergent.kernels.offset_activations import COMPILER, activation_program, pixel_sizes

_Piece = tuple[slice, slice]
# Pairs that are computed together: several vector registers of them, which stay in the caches at all points of SO(3).
PAIRS_TOGETHER = 32


@cache
def rotation_program(precision: str, activation: str) -> Callable[..., None]:
    """Returns the compiled loop over the points of SO(3): convolutions and activations of some layers, in place.

    Args:
        precision: ``float64`` or ``float32``.
        activation: one of ``emergent.config.networks.CLOSED_FORMS``.
    """
    # Only here: the import takes longer than most jobs that need no such kernel.
    import numba

    activate = activation_program(precision, activation)

    @numba.njit(**COMPILER)
    def run(kappa, theta, start, stop, bias, gain, firsts, seconds):
        """Layers ``start`` to ``stop`` of [Q, P] kernels; ``firsts``, ``seconds`` [L, 2, P] of ``pixel_sizes``."""
        num = kappa.shape[1]
        for q in range(kappa.shape[0]):
            k, t = kappa[q], theta[q]
            for layer in range(start, stop):
                for i in range(num):
                    k[i] = bias + gain * k[i]
                if layer == 0:
                    for i in range(num):
                        t[i] = k[i]
                else:
                    for i in range(num):
                        t[i] = k[i] + gain * t[i]
                ours, theirs = firsts[layer], seconds[layer]
                activate(num, k, t, ours[0], ours[1], theirs[0], theirs[1])

    return run


@dataclass(frozen=True)
class SphericalKernel:
    """Kernel of: (convolution, activation)^L, mean over SO(3), and a linear head; NTK parametrisation.

    The first convolution lifts functions on the sphere, the others are group convolutions; filters cover all of the
    sphere and of SO(3).

    Attributes:
        num_layers: convolutions L.
        activation: one with a closed form (``emergent.config.networks.CLOSED_FORMS``).
        weight_std: standard deviation W_std of all weights.
        bias_std: standard deviation b_std of all biases.
        band_limit: filters have degrees below it, as in a network that computes with coefficients; None for filters
            of all degrees, so that only the inputs' band limit matters.
        resolution: of the quadrature on SO(3).
        head: whether a linear head follows the mean.
    """

    num_layers: int
    activation: str = "erf"
    weight_std: float = 1.0
    bias_std: float = 0.0
    band_limit: int | None = None
    resolution: int = 8
    head: bool = True

    def __call__(
        self,
        first: Float[Array | np.ndarray, "N C L2"],
        second: Float[Array | np.ndarray, "T C L2"],
        threads: int | None = None,
    ) -> Kernels:
        """Returns both kernels [N, T], in the precision of the inputs.

        Args:
            first: functions on the sphere as coefficients (``emergent.groups.rotation_harmonics``), C channels each.
            second: likewise.
            threads: processors; None takes those that the job was given (``NPROC``), or all that the process may use.

        Raises:
            ConfigError: inputs that are no such coefficients, or of too many degrees for the quadrature.
        """
        first, second = np.asarray(first), np.asarray(second)
        self.require(first, second)
        ours, theirs = self._sizes(first), self._sizes(second)
        result = np.empty((2, len(first), len(second)), first.dtype)
        pieces = list(self._pieces(len(first), len(second)))

        def work(piece: tuple[slice, slice]) -> None:
            rows, columns = piece
            products, shape = self._products(first[rows], second[columns]), (len(first[rows]), len(second[columns]))
            # Pairs lie side by side, those of one first input after another.
            left, right = np.repeat(ours[..., rows], shape[1], 2), np.tile(theirs[..., columns], shape[0])
            result[:, rows, columns] = self._means(products, left, right).reshape(2, *shape)

        available = threads or int(os.environ.get("NPROC") or len(os.sched_getaffinity(0)))
        # Products of small matrices are done by the thread that needs them.
        with threadpool_limits(1, "blas"):
            self._work(pieces, work, available)
        nngp, ntk = result
        if not self.head:
            return Kernels(nngp, ntk)
        nngp = self._gained(nngp)
        return Kernels(nngp, nngp + first.dtype.type(self.weight_std**2) * ntk)

    @staticmethod
    def _work(pieces: list[_Piece], work: Callable[[_Piece], None], available: int) -> None:
        if available == 1 or len(pieces) == 1:
            for piece in pieces:
                work(piece)
        else:
            with ThreadPoolExecutor(min(available, len(pieces))) as pool:
                list(pool.map(work, pieces))

    def quadrature_error(self, inputs: Float[np.ndarray, "N C L2"]) -> float:
        """Returns how far both kernels are from those of a resolution half as high again, relative to variances."""
        finer = replace(self, resolution=self.resolution + (self.resolution + 1) // 2)
        differences = []
        for coarse, fine in zip(self(inputs, inputs), finer(inputs, inputs), strict=True):
            scale = np.sqrt(np.outer(np.diagonal(fine), np.diagonal(fine)))
            differences.append(np.max(np.abs(coarse - fine) / np.where(scale > 0, scale, 1)))
        return float(max(differences))

    def require(self, first: Float[np.ndarray, "N C L2"], second: Float[np.ndarray, "T C L2"]) -> None:
        """Checks inputs.

        Raises:
            ConfigError: naming what was expected and what was found.
        """
        if self.activation not in CLOSED_FORMS:
            raise ConfigError(
                f"activation {self.activation!r}: expected one with a closed form, {', '.join(CLOSED_FORMS)}."
            )
        if first.ndim != 3 or first.shape[1:] != second.shape[1:] or math.isqrt(first.shape[2]) ** 2 != first.shape[2]:
            raise ConfigError(
                "kernel on the sphere: expected coefficients [N, channels, L^2] of the same channels and band limit L "
                f"on both sides, found {first.shape} and {second.shape}."
            )
        if first.dtype != second.dtype or first.dtype.name not in ("float64", "float32"):
            raise ConfigError(
                f"kernel on the sphere: expected float64 (or both in float32), found {first.dtype} and {second.dtype}."
            )
        for name, inputs in (("first", first), ("second", second)):
            if wrong := np.flatnonzero(~np.isfinite(inputs).all((1, 2))).tolist():
                raise ConfigError(f"kernel on the sphere: {name} inputs {wrong[:5]} are not finite.")
        rotation_basis(self.resolution, self._kept(first))

    def _kept(self, inputs: Float[np.ndarray, "N C L2"]) -> int:
        """Returns below which degree the lifting layer keeps those of the inputs."""
        limit = math.isqrt(inputs.shape[2])
        return limit if self.band_limit is None else min(limit, self.band_limit)

    def _pieces(self, num_first: int, num_second: int) -> Iterator[_Piece]:
        columns = min(PAIRS_TOGETHER, num_second)
        rows = max(1, PAIRS_TOGETHER // columns)
        for i in range(0, num_first, rows):
            for j in range(0, num_second, columns):
                yield slice(i, i + rows), slice(j, j + columns)

    def _products(
        self, first: Float[np.ndarray, "N C L2"], second: Float[np.ndarray, "T C L2"]
    ) -> Float[np.ndarray, "K N*T"]:
        """Returns the coefficients of kappa(Q) = 1 / (4 pi C) sum_c int f_c(x) f'_c(Q x) dx of all pairs."""
        limit, channels = self._kept(first), first.shape[1]
        products = np.empty((num_rotation_coefficients(limit), len(first) * len(second)), first.dtype)
        for degree, (own, kept) in enumerate(zip(degrees(limit), rotation_degrees(limit), strict=True)):
            size = 2 * degree + 1
            ours = first[:, :, own].transpose(2, 0, 1).reshape(-1, channels)
            theirs = second[:, :, own].transpose(1, 2, 0).reshape(channels, -1)
            scale = first.dtype.type(1 / (4 * np.pi * channels * math.sqrt(size)))
            found = (ours @ (theirs * scale)).reshape(size, len(first), size, len(second))
            products[kept] = found.transpose(2, 0, 1, 3).reshape(size**2, -1)
        return products

    def _sizes(self, inputs: Float[np.ndarray, "N C L2"]) -> Float[np.ndarray, "layers 2 N"]:
        """Returns what activations need to know of single inputs, at any rotation, layer by layer."""
        kept = self._kept(inputs) ** 2
        variance = np.square(inputs[:, :, :kept]).sum((1, 2), dtype=np.float64) / (4 * np.pi * inputs.shape[1])
        result = np.empty((self.num_layers, 2, len(inputs)))
        if self.band_limit is None:
            for layer in range(self.num_layers):
                sizes = pixel_sizes(self.activation, self._gained(variance))
                result[layer], variance = sizes[:2], sizes.variance
            return result.astype(inputs.dtype)
        for start in range(0, len(inputs), PAIRS_TOGETHER):
            part = slice(start, start + PAIRS_TOGETHER)
            result[..., part] = self._limited_sizes(inputs[part].astype(np.float64), variance[part])
        return result.astype(inputs.dtype)

    def _limited_sizes(
        self, inputs: Float[np.ndarray, "N C L2"], variance: Float[np.ndarray, " N"]
    ) -> Float[np.ndarray, "layers 2 N"]:
        """Returns ``_sizes`` where a band limit cuts off what is known of the whole kernel of an input with itself."""
        result = np.empty((self.num_layers, 2, len(inputs)))
        products = np.stack([self._products(one, one)[:, 0] for one in inputs[:, None]], 1)
        kappa = self._basis(products.shape[0], np.float64).T @ products
        for layer in range(self.num_layers):
            result[layer] = pixel_sizes(self.activation, self._gained(variance))[:2]
            if layer < self.num_layers - 1:
                self._run(kappa, np.empty_like(kappa), layer, layer + 1, result, result)
                coefficients = self._coefficients(kappa)
                kappa = self._basis(len(coefficients), np.float64).T @ coefficients
                # At Q = 1 Wigner matrices are unit matrices: their diagonals are all that is left.
                variance = _at_identity(len(coefficients)) @ coefficients
        return result

    def _gained(self, covariance: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        number = covariance.dtype.type
        return number(self.bias_std**2) + number(self.weight_std**2) * covariance

    def _basis(self, num_coefficients: int, dtype: np.dtype | type) -> Float[np.ndarray, "K Q"]:
        return rotation_basis(self.resolution, _limit_of(num_coefficients)).astype(dtype, copy=False)

    def _coefficients(self, values: Float[np.ndarray, "Q P"]) -> Float[np.ndarray, "K P"]:
        """Returns the coefficients below the band limit of functions on the grid."""
        assert self.band_limit is not None
        weights = rotation_grid(self.resolution).weights.astype(values.dtype)[:, None]
        return rotation_basis(self.resolution, self.band_limit).astype(values.dtype, copy=False) @ (weights * values)

    def _run(
        self,
        kappa: Float[np.ndarray, "Q P"],
        theta: Float[np.ndarray, "Q P"],
        start: int,
        stop: int,
        firsts: Float[np.ndarray, "layers 2 P"],
        seconds: Float[np.ndarray, "layers 2 P"],
    ) -> None:
        number = kappa.dtype.type
        gains = number(self.bias_std**2), number(self.weight_std**2)
        rotation_program(kappa.dtype.name, self.activation)(kappa, theta, start, stop, *gains, firsts, seconds)

    def _means(
        self,
        products: Float[np.ndarray, "K P"],
        firsts: Float[np.ndarray, "layers 2 P"],
        seconds: Float[np.ndarray, "layers 2 P"],
    ) -> Float[np.ndarray, "2 P"]:
        """Returns both kernels of pairs, given by the coefficients of their inputs' products, averaged over SO(3)."""
        kappa = self._basis(len(products), products.dtype).T @ products
        theta = np.empty_like(kappa)
        if self.band_limit is None:
            self._run(kappa, theta, 0, self.num_layers, firsts, seconds)
        else:
            basis = self._basis(num_rotation_coefficients(self.band_limit), products.dtype)
            for layer in range(self.num_layers):
                if layer > 0:
                    kappa, theta = (basis.T @ self._coefficients(part) for part in (kappa, theta))
                self._run(kappa, theta, layer, layer + 1, firsts, seconds)
        weights = rotation_grid(self.resolution).weights.astype(kappa.dtype)
        return np.stack([weights @ kappa, weights @ theta])


@cache
def _limit_of(num_coefficients: int) -> int:
    return next(limit for limit in itertools.count(1) if num_rotation_coefficients(limit) == num_coefficients)


@cache
def _at_identity(num_coefficients: int) -> Float[np.ndarray, " K"]:
    """Returns the basis functions at the identity."""
    sizes = [2 * degree + 1 for degree in range(_limit_of(num_coefficients))]
    return np.concatenate([math.sqrt(size) * np.eye(size).ravel() for size in sizes])
