"""One number with its standard error, how many repeats it rests on, and how it was estimated."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

Estimator = Literal[
    "mean", "median", "ratio", "largest", "fit", "unbiased", "exact", "disjoint ensembles", "drawn ensembles", "pool"
]
"""How a value was estimated: ``mean`` or ``median`` of repeats, a ``ratio`` of such, the ``largest`` of many values; a
coefficient of a ``fit``, or an ``unbiased`` one; ``exact`` where nothing is estimated; ``disjoint ensembles`` and
``drawn ensembles`` (with replacement) are means over such ensembles, ``pool`` is the ensemble of all members."""

# Standard error of a median of normal samples, over that of their mean.
MEDIAN_ERROR = np.sqrt(np.pi / 2)


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error.

    Attributes:
        value: the number.
        stderr: its standard error; NaN where it could not be estimated (one repeat only), 0 where the value is exact.
        num: repeats behind it.
        estimator: how it was estimated.
    """

    value: float
    stderr: float
    num: int
    estimator: Estimator

    @classmethod
    def mean(cls, values: Float[np.ndarray, " R"], estimator: Estimator = "mean") -> "Estimate":
        """Returns the mean of independent repeats."""
        values = np.asarray(values, np.float64)
        return cls(float(values.mean()), standard_error(values), len(values), estimator)

    @classmethod
    def median(cls, values: Float[np.ndarray, " R"]) -> "Estimate":
        """Returns the median of independent repeats, with the error of that of normal ones."""
        values = np.asarray(values, np.float64)
        error = float(MEDIAN_ERROR * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else math.nan
        return cls(float(np.median(values)), error, len(values), "median")

    @classmethod
    def exact(cls, value: float, estimator: Estimator = "exact", num: int = 1) -> "Estimate":
        """Returns a value without an error."""
        return cls(float(value), 0.0, num, estimator)

    def minus(self, other: "Estimate") -> "Estimate":
        """Returns the difference of two independent estimates, by the estimator of this one."""
        error = float(np.hypot(self.stderr, other.stderr))
        return replace(self, value=self.value - other.value, stderr=error)


def standard_error(values: Float[np.ndarray, " R"]) -> float:
    """Returns the standard error of the mean of independent repeats; NaN for a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else math.nan


def sample_std(values: Float[np.ndarray, " R"]) -> float:
    """Returns the standard deviation (ddof 1) of repeats; NaN for a single one."""
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
