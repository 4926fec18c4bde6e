"""Mean and covariance of infinitely wide networks trained on squared error, at any time, from one eigendecomposition.

Loss convention: ``1 / (2 n) sum_i |f(x_i) - y_i|^2`` over the n training points, summed over output channels. In
function space gradient flow then reads ``df/dt = -(eta / n) Theta (f - Y)``: the learning rate eta multiplies
``Theta / n``. An eigenvalue lambda of Theta has the residual ``exp(-eta lambda t / n)`` under gradient flow and
``(1 - eta lambda / n)^steps`` under full-batch gradient descent. Everything is float64 NumPy.

References:
    arXiv:2403.03103, mean and covariance of the trained infinite ensemble; arXiv:1902.06720, equations 14 and 15.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Complex, Float

from emergent.errors import ConfigError

# Inputs that a group element leaves alone have copies that coincide. Then the kernel is singular, and rounding leaves
# eigenvalues of either sign, about 1e-15 of the largest, where there should be zeros. Infinite time divides by
# eigenvalues, so those are cut off, well above rounding. Finite times need no cut-off: zero has the limit eta t / n.
RELATIVE_CUTOFF = 1e-12
"""Eigenvalues below this share of the largest one count as zero at infinite time (pseudo-inverse)."""


@dataclass(frozen=True)
class Schedule:
    """How long training lasts.

    Attributes:
        learning_rate: eta; it multiplies Theta / n.
        time: training time t, or the number of steps of gradient descent; may be infinite.
        discrete: gradient descent instead of gradient flow.
    """

    learning_rate: float
    time: float
    discrete: bool = False

    def __post_init__(self) -> None:
        """Refuses settings that mean nothing.

        Raises:
            ConfigError: learning rate not positive, time negative, or a broken number of steps.
        """
        if not self.learning_rate > 0 or not self.time >= 0:
            raise ConfigError(
                f"training schedule: expected a learning rate > 0 and a time >= 0, "
                f"found {self.learning_rate:g} and {self.time:g}."
            )
        if self.discrete and math.isfinite(self.time) and self.time != int(self.time):
            raise ConfigError(f"training schedule: expected a whole number of steps, found {self.time:g}.")

    def response(self, eigenvalues: Float[np.ndarray, " n"], num_points: int, cutoff: float) -> Float[np.ndarray, " n"]:
        """Returns (1 - residual) / lambda of every eigenvalue, with the limit eta t / n where lambda vanishes.

        Args:
            eigenvalues: of Theta on the training points.
            num_points: n, the number of training points.
            cutoff: eigenvalues below it have response 0 at infinite time.

        Raises:
            ConfigError: gradient descent diverges at this learning rate.
        """
        # Theta is positive semi-definite: what lies below 0 is rounding, and would grow without bound in time.
        eigenvalues = np.maximum(eigenvalues, 0.0)
        if self.discrete and self.learning_rate * eigenvalues.max() >= 2 * num_points:
            raise ConfigError(
                f"learning rate {self.learning_rate:g}: gradient descent diverges; "
                f"it must stay below {2 * num_points / eigenvalues.max():g}."
            )
        if math.isinf(self.time):
            kept = eigenvalues > cutoff
            return np.where(kept, 1 / np.where(kept, eigenvalues, 1.0), 0.0)
        # The formulas of arXiv 2403.03103 have no 1 / n: there eta absorbs it.
        rate = self.learning_rate * eigenvalues / num_points
        positive = rate > 0
        learned = self._learned(np.where(positive, rate, 1.0))
        limit = self.learning_rate * self.time / num_points
        return np.where(positive, learned / np.where(positive, eigenvalues, 1.0), limit)

    def _learned(self, rate: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        if not self.discrete:
            return -np.expm1(-rate * self.time)
        # expm1 and log1p keep the digits of small rates; above 1 the residual alternates in sign.
        slow = rate < 1
        small = -np.expm1(self.time * np.log1p(-np.where(slow, rate, 0.0)))
        return np.where(slow, small, 1 - (1 - rate) ** self.time)


class Spectrum(NamedTuple):
    """Eigendecomposition of the NTK on n training points.

    Attributes:
        eigenvalues: [n], ascending.
        eigenvectors: [n, n], in columns; real or complex.
        num_points: n of the loss convention; larger than the size of the matrix for a block of a symmetric problem.
        cutoff: smallest eigenvalue that counts as non-zero at infinite time.
    """

    eigenvalues: Float[np.ndarray, " n"]
    eigenvectors: Complex[np.ndarray, "n n"] | Float[np.ndarray, "n n"]
    num_points: int
    cutoff: float

    def propagate(self, cross: np.ndarray, schedule: Schedule) -> np.ndarray:
        """Returns cross Theta^-1 (1 - residual), [T, n]: the weights of the training targets at T test points."""
        response = schedule.response(self.eigenvalues, self.num_points, self.cutoff)
        return (cross @ self.eigenvectors * response[None, :]) @ self.eigenvectors.conj().T

    def solve(self, targets: np.ndarray, schedule: Schedule) -> np.ndarray:
        """Returns Theta^-1 (1 - residual) Y, [n, K]: the weights of the training points in the mean prediction."""
        response = schedule.response(self.eigenvalues, self.num_points, self.cutoff)
        return self.eigenvectors @ (response[:, None] * (self.eigenvectors.conj().T @ targets))


def diagonalise(ntk_train: Float[np.ndarray, "n n"], relative_cutoff: float = RELATIVE_CUTOFF) -> Spectrum:
    """Returns the eigendecomposition of the NTK on the training points.

    Raises:
        ValueError: the matrix is not float64 (or complex128); switch x64 on before computing kernels.
    """
    if ntk_train.dtype not in (np.float64, np.complex128):
        raise ValueError(f"expected a float64 kernel matrix, found {ntk_train.dtype}: compute kernels with x64 on.")
    # Divide and conquer: fast when all eigenvectors are wanted, for work space that prediction_memory counts.
    eigenvalues, eigenvectors = scipy.linalg.eigh(ntk_train, driver="evd")
    return Spectrum(eigenvalues, eigenvectors, len(ntk_train), relative_cutoff * float(eigenvalues[-1]))


def max_learning_rate(spectrum: Spectrum) -> float:
    """Returns the learning rate 2 n / lambda_max below which full-batch gradient descent converges."""
    return 2 * spectrum.num_points / float(spectrum.eigenvalues[-1])


def mean(
    spectrum: Spectrum, ntk_cross: Float[np.ndarray, "T n"], targets: Float[np.ndarray, "n K"], schedule: Schedule
) -> Float[np.ndarray, "T K"]:
    """Returns the mean output of the infinite ensemble, ``Theta(x, X) Theta^-1 (1 - residual) Y``; 0 at time 0."""
    return ntk_cross @ spectrum.solve(targets, schedule)


def covariance(
    spectrum: Spectrum,
    nngp_train: Float[np.ndarray, "n n"],
    nngp_cross: Float[np.ndarray, "T n"],
    nngp_test: Float[np.ndarray, "T T"],
    ntk_cross: Float[np.ndarray, "T n"],
    schedule: Schedule,
) -> Float[np.ndarray, "T T"]:
    """Returns the covariance of a member's outputs between test points, equal for all channels; K at time 0.

    With B = Theta(x, X) Theta^-1 (1 - residual) it is ``K(x, x') + B K(X, X) B^T - B K(X, x') - K(x, X) B^T``.
    Different output channels are uncorrelated.
    """
    weights = spectrum.propagate(ntk_cross, schedule)
    # A member ends at f_0(x) + B (Y - f_0(X)): minus the covariance of f_0(x) and B f_0(X) enters twice.
    mixed = weights @ nngp_cross.T
    return nngp_test + weights @ nngp_train @ weights.T - mixed - mixed.T
