"""One number with its standard error, how well that is known, how many repeats it rests on, how it was estimated."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

Estimator = Literal[
    "mean", "median", "ratio", "largest", "fit", "unbiased", "exact", "disjoint ensembles", "drawn ensembles",
    "matched ensembles", "pool",
]  # fmt: skip
"""How a value was estimated: ``mean`` or ``median`` of repeats, a ``ratio`` of such, the ``largest`` of many values; a
coefficient of a ``fit``, or an ``unbiased`` one; ``exact`` where nothing is estimated; ``disjoint ensembles`` and
``drawn ensembles`` (with replacement) are means over such ensembles, ``matched ensembles`` what drawn ones would be in
a larger pool, ``pool`` is the ensemble of all members."""

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
        dof: degrees of freedom of the standard error: it is that of a few repeats for a mean of these, and then an
            interval takes Student's quantiles; infinite where the error is known.
    """

    value: float
    stderr: float
    num: int
    estimator: Estimator
    dof: float = math.inf

    def __post_init__(self) -> None:
        if self.dof <= 0:
            raise ValueError(f"degrees of freedom: expected a positive number, found {self.dof}.")

    @classmethod
    def mean(cls, values: Float[np.ndarray, " R"], estimator: Estimator = "mean") -> "Estimate":
        """Returns the mean of independent repeats."""
        values = np.asarray(values, np.float64)
        return cls(float(values.mean()), standard_error(values), len(values), estimator, spread_dof(len(values)))

    @classmethod
    def of_spread(cls, mean: float, std: float, num: int, estimator: Estimator = "mean") -> "Estimate":
        """Returns the mean of independent repeats of which mean and standard deviation are known."""
        return cls(float(mean), float(std) / math.sqrt(num), num, estimator, spread_dof(num))

    @classmethod
    def median(cls, values: Float[np.ndarray, " R"]) -> "Estimate":
        """Returns the median of independent repeats, with the error of that of normal ones."""
        values = np.asarray(values, np.float64)
        error = float(MEDIAN_ERROR * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else math.nan
        return cls(float(np.median(values)), error, len(values), "median", spread_dof(len(values)))

    @classmethod
    def exact(cls, value: float, estimator: Estimator = "exact", num: int = 1) -> "Estimate":
        """Returns a value without an error."""
        return cls(float(value), 0.0, num, estimator)

    def minus(self, other: "Estimate") -> "Estimate":
        """Returns the difference of two independent estimates, by the estimator of this one."""
        error = float(np.hypot(self.stderr, other.stderr))
        dof = combined_dof((self.stderr, self.dof), (other.stderr, other.dof))
        return replace(self, value=self.value - other.value, stderr=error, dof=dof)

    def over(self, other: "Estimate") -> "Estimate":
        """Returns the ratio of two independent estimates, of which the other is many errors away from 0."""
        ratio = self.value / other.value
        errors = self.stderr / abs(other.value), ratio * other.stderr / abs(other.value)
        dof = combined_dof((errors[0], self.dof), (errors[1], other.dof))
        return Estimate(ratio, float(np.hypot(*errors)), min(self.num, other.num), "ratio", dof)

    def blurred(self, error: float, dof: float = math.inf) -> "Estimate":
        """Returns the same value with a further, independent standard error."""
        total = float(np.hypot(self.stderr, error))
        return replace(self, stderr=total, dof=combined_dof((self.stderr, self.dof), (error, dof)))

    def over_samples(self, values: Float[np.ndarray, " N"], whole: bool) -> "Estimate":
        """Returns a mean over samples with the error that it has because others could have been drawn.

        The noise of members at each sample is in the spread of the samples as well as in the error that is there
        already: where it is all that there is, the error is sqrt(2) too large.

        Args:
            values: at each sample; of what is no mean over samples, how it changes with each of them.
            whole: the samples are all that there are.
        """
        return self.blurred(sampling_error(values, whole), spread_dof(len(values)))

    def times(self, factor: float) -> "Estimate":
        """Returns a multiple."""
        return replace(self, value=self.value * factor, stderr=self.stderr * abs(factor))

    def root(self) -> "Estimate":
        """Returns the square root, 0 of a negative value.

        Its error is the distance to the root of the upper end of the interval, so that it stays finite where the value
        is 0 or below and the root has no slope. It is at least what makes two errors below the root reach the root of
        two errors below the value: a floor whose square is not apart from 0 is not either.
        """
        square = max(self.value, 0.0)
        low, wide = math.sqrt(square), quantile(2.0, self.dof)
        down = (low - math.sqrt(max(square - wide * self.stderr, 0.0))) / wide
        return replace(self, value=low, stderr=max(math.sqrt(square + self.stderr) - low, down))


def spread_dof(num: int) -> float:
    """Returns the degrees of freedom of the spread of some repeats; infinite where there is no spread to know."""
    return float(num - 1) if num > 1 else math.inf


def combined_dof(*errors: tuple[float, float]) -> float:
    """Returns the degrees of freedom of the root of a sum of squared errors, by Welch and Satterthwaite.

    Args:
        errors: independent standard errors with their degrees of freedom.
    """
    total = sum(error**2 for error, _ in errors)
    spread = sum(error**4 / dof for error, dof in errors)
    return total**2 / spread if spread > 0 else math.inf


def quantile(standard_errors: float, dof: float) -> float:
    """Returns how many standard errors hold as much of Student's distribution as so many of the normal one.

    Args:
        standard_errors: of a normal distribution, e.g. 2 for a two-sided interval of 95.4 %.
        dof: degrees of freedom.
    """
    if not math.isfinite(dof):
        return standard_errors
    # Only here: the import takes as long as most figures need for their drawing.
    from scipy import special

    return float(special.stdtrit(dof, special.ndtr(standard_errors)))


def standard_error(values: Float[np.ndarray, " R"]) -> float:
    """Returns the standard error of the mean of independent repeats; NaN for a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else math.nan


def sampling_error(values: Float[np.ndarray, " N"], whole: bool) -> float:
    """Returns the standard error that a mean over samples has because others could have been drawn.

    Args:
        values: at each sample.
        whole: the samples are all that there are, as those of a whole test set are: then 0.
    """
    return 0.0 if whole else standard_error(values)


def draws_error(counts: Float[np.ndarray, "R N"], num: int) -> float:
    """Returns how much the noise of draws can add, at most, to the error of a mean fraction of draws.

    Of one predictor it is the error itself, estimated without bias. Predictors that see the same draws err alike at
    worst; what they average out is not known from the counts.

    Args:
        counts: how many of the draws at each sample count, of each predictor.
        num: independent draws at each sample, at least 2.
    """
    counts = np.asarray(counts, np.float64)
    variances = counts * (num - counts) / (num**2 * (num - 1))
    return float(np.sqrt(variances.sum(-1)).mean() / counts.shape[-1])


def mean_error(std: ArrayLike, num: ArrayLike, images: ArrayLike = 0.0) -> np.ndarray:
    """Returns the standard error of means over ensembles that share their samples; NaN for a single ensemble.

    Args:
        std: over the ensembles.
        num: ensembles.
        images: error of the mean over samples (``sampling_error``).
    """
    std, num = np.asarray(std, np.float64), np.asarray(num)
    return np.where(num > 1, np.hypot(std / np.sqrt(num), images), np.nan)


def sample_std(values: Float[np.ndarray, " R"]) -> float:
    """Returns the standard deviation (ddof 1) of repeats; NaN for a single one."""
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan
