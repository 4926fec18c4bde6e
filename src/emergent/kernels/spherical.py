"""Kernels of group convolutional networks on the sphere: lifting to SO(3), group convolutions, mean over rotations.

After lifting, kernels depend on two rotations R and R' through Q = R' R^-1 alone: K_{R,R'} = kappa(Q). A group
convolution with filters on all of SO(3) leaves kappa as it is, apart from gains; one with filters of degrees below a
band limit cuts kappa off at that limit. What is left is a function on SO(3) for every pair of inputs, which activations
change point by point and the pool averages: a quadrature in place of the four- and six-dimensional grids of pairs.

References:
    arXiv:2406.06504, kernel recursions for SO(3); the formulation by kappa(Q) is ours.
"""

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from emergent.errors import ConfigError
from emergent.groups.rotation_harmonics import (
    degrees,
    num_rotation_coefficients,
    rotation_basis,
    rotation_degrees,
    rotation_grid,
)
from emergent.kernels.architectures import Kernels

# Points of SO(3) of all pairs that are computed together: what is made of them stays in the caches.
POINTS_TOGETHER = 2**15
# However many points a pair has: products of few rows would read the basis from memory again and again.
LEAST_PAIRS = 32


class _Variances(NamedTuple):
    """Of pre-activations, one row a layer; they do not depend on the rotation."""

    first: Float[np.ndarray, "layers N"]
    second: Float[np.ndarray, "layers T"]


@dataclass(frozen=True)
class SphericalKernel:
    """Kernel of: (convolution, activation)^L, mean over SO(3), and a linear head; NTK parametrisation.

    The first convolution lifts functions on the sphere, the others are group convolutions; filters cover all of the
    sphere and of SO(3).

    Attributes:
        num_layers: convolutions L.
        activation: ``relu`` or ``erf``.
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
        variances = _Variances(self._variances(first), self._variances(second))
        result = np.empty((2, len(first), len(second)), first.dtype)
        pieces = list(self._pieces(len(first), len(second)))

        def work(piece: tuple[slice, slice]) -> None:
            rows, columns = piece
            own = _Variances(variances.first[:, rows], variances.second[:, columns])
            shape = len(first[rows]), len(second[columns])
            result[:, rows, columns] = self._means(self._products(first[rows], second[columns]), own, shape)

        available = threads or int(os.environ.get("NPROC") or len(os.sched_getaffinity(0)))
        if available == 1 or len(pieces) == 1:
            for piece in pieces:
                work(piece)
        else:
            with ThreadPoolExecutor(min(available, len(pieces))) as pool:
                list(pool.map(work, pieces))
        nngp, ntk = result
        if not self.head:
            return Kernels(nngp, ntk)
        nngp = self._gained(nngp)
        return Kernels(nngp, nngp + first.dtype.type(self.weight_std**2) * ntk)

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
        if self.activation not in ("relu", "erf"):
            raise ConfigError(f"activation {self.activation!r}: kernels on the sphere have 'relu' or 'erf'.")
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

    def _pieces(self, num_first: int, num_second: int) -> Iterator[tuple[slice, slice]]:
        pairs = max(LEAST_PAIRS, POINTS_TOGETHER // (4 * self.resolution**3))
        columns = min(pairs, num_second)
        rows = max(1, pairs // columns)
        for i in range(0, num_first, rows):
            for j in range(0, num_second, columns):
                yield slice(i, i + rows), slice(j, j + columns)

    def _products(
        self, first: Float[np.ndarray, "N C L2"], second: Float[np.ndarray, "T C L2"]
    ) -> Float[np.ndarray, "N*T K"]:
        """Returns the coefficients of kappa(Q) = 1 / (4 pi C) sum_c int f_c(x) f'_c(Q x) dx of all pairs."""
        limit, channels = self._kept(first), first.shape[1]
        products = np.empty((len(first) * len(second), num_rotation_coefficients(limit)), first.dtype)
        for degree, (own, kept) in enumerate(zip(degrees(limit), rotation_degrees(limit), strict=True)):
            size = 2 * degree + 1
            ours = np.moveaxis(first[:, :, own], 1, 2).reshape(-1, channels)
            theirs = np.moveaxis(second[:, :, own], 1, 0).reshape(channels, -1)
            scale = first.dtype.type(1 / (4 * np.pi * channels * math.sqrt(size)))
            found = (ours @ (theirs * scale)).reshape(len(first), size, len(second), size)
            products[:, kept] = found.transpose(0, 2, 3, 1).reshape(len(products), -1)
        return products

    def _variances(self, inputs: Float[np.ndarray, "N C L2"]) -> Float[np.ndarray, "layers N"]:
        """Returns the variance of every pre-activation of single inputs, at any rotation."""
        kept = self._kept(inputs) ** 2
        variance = np.square(inputs[:, :, :kept]).sum((1, 2), dtype=np.float64) / (4 * np.pi * inputs.shape[1])
        rows = [self._gained(variance)]
        if self.band_limit is None:
            while len(rows) < self.num_layers:
                rows.append(self._gained(self._second_moment(rows[-1])))
            return np.stack(rows).astype(inputs.dtype)
        # What a band limit cuts off is known of the whole kernel of an input with itself only.
        found = np.empty((self.num_layers, len(inputs)))
        found[0] = rows[0]
        for n, one in enumerate(inputs[:, None]):
            own = found[:, n : n + 1]
            products = self._products(one.astype(np.float64), one.astype(np.float64))
            kappa = self._gained(self._on_grid(products))
            for layer in range(1, self.num_layers):
                kappa = self._activated(kappa, None, own[layer - 1], own[layer - 1])[0]
                coefficients = self._coefficients(kappa)
                kappa = self._gained(self._on_grid(coefficients))
                # At Q = 1 Wigner matrices are unit matrices.
                traces = [
                    math.sqrt(2 * degree + 1) * np.trace(coefficients[0, part].reshape(2 * degree + 1, -1))
                    for degree, part in enumerate(rotation_degrees(self.band_limit))
                ]
                own[layer] = self._gained(np.asarray(sum(traces)))
        return found.astype(inputs.dtype)

    def _second_moment(self, variance: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        if self.activation == "relu":
            return variance / 2
        return 2 / np.pi * np.arcsin(2 * variance / (1 + 2 * variance))

    def _gained(self, covariance: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        number = covariance.dtype.type
        return number(self.bias_std**2) + number(self.weight_std**2) * covariance

    def _on_grid(self, coefficients: Float[np.ndarray, "P K"]) -> Float[np.ndarray, "P Q"]:
        limit = next(n for n in range(1, 99) if num_rotation_coefficients(n) == coefficients.shape[1])
        return coefficients @ rotation_basis(self.resolution, limit).astype(coefficients.dtype, copy=False)

    def _coefficients(self, values: Float[np.ndarray, "P Q"]) -> Float[np.ndarray, "P K"]:
        assert self.band_limit is not None
        weighted = rotation_basis(self.resolution, self.band_limit) * rotation_grid(self.resolution).weights
        return values @ weighted.T.astype(values.dtype, copy=False)

    def _means(
        self, products: Float[np.ndarray, "P K"], variances: _Variances, shape: tuple[int, int]
    ) -> Float[np.ndarray, "2 N T"]:
        """Returns both kernels of pairs, whose first convolution's coefficients are given, averaged over SO(3)."""
        kappa = self._gained(self._on_grid(products))
        theta = kappa.copy()
        gain = kappa.dtype.type(self.weight_std**2)
        for layer in range(self.num_layers):
            if layer > 0:
                if self.band_limit is not None:
                    kappa, theta = (self._on_grid(self._coefficients(part)) for part in (kappa, theta))
                kappa = self._gained(kappa)
                theta = kappa + gain * theta
            first = np.repeat(variances.first[layer], shape[1])
            second = np.tile(variances.second[layer], shape[0])
            kappa, theta = self._activated(kappa, theta, first, second)
        weights = rotation_grid(self.resolution).weights.astype(kappa.dtype)
        return np.stack([(part @ weights).reshape(shape) for part in (kappa, theta)])

    def _activated(
        self,
        kappa: Float[np.ndarray, "P Q"],
        theta: Float[np.ndarray, "P Q"] | None,
        first: Float[np.ndarray, " P"],
        second: Float[np.ndarray, " P"],
    ) -> tuple[Float[np.ndarray, "P Q"], Float[np.ndarray, "P Q"]]:
        """Returns both kernels behind an activation; without an NTK its slope's factor in place of it."""
        number = kappa.dtype.type
        first, second = first.astype(kappa.dtype, copy=False)[:, None], second.astype(kappa.dtype, copy=False)[:, None]
        if self.activation == "erf":
            inverse = number(2) / np.sqrt((number(1) + number(2) * first) * (number(1) + number(2) * second))
            cosine = kappa * inverse
            slopes = (number(2 / np.pi) * inverse) / np.sqrt(number(1) - np.square(cosine))
            values = number(2 / np.pi) * np.arcsin(cosine)
        else:
            scale = np.sqrt(first * second)
            # A blank input has variance 0 and no angle; its kernels are 0 whatever that is.
            inverse = np.divide(number(1), scale, out=np.zeros_like(scale), where=scale > 0)
            cosine = kappa * inverse
            square = (number(1) - cosine) * (number(1) + cosine)
            # As for images: the angle of an input with itself must be exactly 0 (emergent.kernels.activations).
            same = square < number(256 * np.finfo(kappa.dtype).eps)
            cosine = np.where(same, np.sign(cosine), cosine)
            rest = number(np.pi) - np.arccos(cosine)
            sine = np.sqrt(np.where(same, number(0), square))
            values = scale * (sine + rest * cosine) / number(2 * np.pi)
            slopes = rest / number(2 * np.pi)
        return values, slopes if theta is None else theta * slopes
