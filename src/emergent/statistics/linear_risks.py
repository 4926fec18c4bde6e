"""Mean risks of linear regression and of its projection onto equivariant maps, and where two of them cross.

Inputs are D independent standard normal numbers, targets K linear functions of them with independent noise of equal
variance. The risk of a predictor is its mean squared error, summed over outputs.

References:
    S. Villar's talk "Exact and approximate symmetries in machine learning models", with its formula corrected: the
    gap falls with n - D - 1 and holds the dimension D K of all maps.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from emergent.config.risk_gap import Estimator


class Theory(NamedTuple):
    """What decides the risks of estimators under one group.

    Attributes:
        inputs: D.
        outputs: K.
        dimension: of the equivariant maps.
        bias: ||Theta - Psi_G(Theta)||^2, what an equivariant map misses of the truth.
        noise: variance of each output's noise.
    """

    inputs: int
    outputs: int
    dimension: int
    bias: float
    noise: float

    def gap(self, size: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """Returns the mean risk of least squares minus that of its projection, for standard normal inputs.

        Positive where symmetrising helps. That the noise of least squares has variance noise / (n - D - 1) per weight
        is the mean of an inverse Wishart matrix.

        Args:
            size: n, more than D + 1.
        """
        return -self.bias + self.noise * (self.inputs * self.outputs - self.dimension) / (size - self.inputs - 1)

    def excess(self, size: Float[np.ndarray, " S"], estimator: Estimator) -> Float[np.ndarray, " S"]:
        """Returns the mean risk above the noise of an estimator; NaN where no closed form is known.

        What tied weights miss of the truth is, for normal inputs and one output, independent of what they see, and
        adds to the noise.
        """
        if estimator == "projected":
            return self.bias + self.noise * self.dimension / (size - self.inputs - 1)
        if estimator == "tied" and self.outputs == 1:
            return self.bias + (self.noise + self.bias) * self.dimension / (size - self.dimension - 1)
        return np.full(np.shape(size), np.nan)


def crossing(smaller: Theory, larger: Theory) -> float:
    """Returns the size n* at which projections onto the maps of two groups have the same risk; infinite if at none.

    Below, the larger group is better; above, the smaller one.
    """
    bias = larger.bias - smaller.bias
    if bias <= 0:
        return float("inf")
    return smaller.inputs + 1 + smaller.noise * (smaller.dimension - larger.dimension) / bias


class Root(NamedTuple):
    """Where two fitted curves of risk cross.

    Attributes:
        size: n; NaN where they do not within the sizes that were measured.
        coefficients: of the fitted difference, a polynomial in 1 / (n - D - 1), the highest power first.
    """

    size: float
    coefficients: Float[np.ndarray, " P"]


DEGREE = 2
"""Differences of risks of projections are linear in 1 / (n - D - 1); those of other estimators bend a little."""


def fitted_crossing(
    sizes: Float[np.ndarray, " S"],
    differences: Float[np.ndarray, " S"],
    inputs: int,
) -> Root:
    """Returns the size at which a difference of two risks passes from one sign to the other.

    Sizes are weighted by the law of their noise, which like the risk itself goes as 1 / (n - D - 1). Errors that few
    repeats show would scatter, and what the fit scatters by because of them no jackknife with fixed errors sees.

    Args:
        sizes: n of training sets, more than D + 1 and at least four of them.
        differences: risk under the larger group minus that under the smaller one.
        inputs: D.
    """
    inverse = 1 / (np.asarray(sizes, float) - inputs - 1)
    coefficients = np.polyfit(inverse, differences, DEGREE, w=1 / inverse)
    roots = np.roots(coefficients)
    inside = [float(root.real) for root in roots
              if abs(root.imag) < 1e-12 and inverse.min() <= root.real <= inverse.max()]  # fmt: skip
    # Two roots inside mean that the sign does not tell which group is better: noise.
    return Root(inputs + 1 + 1 / inside[0] if len(inside) == 1 else float("nan"), coefficients)
