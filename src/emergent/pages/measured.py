"""A number with its error, as it is written in a page."""

import math
from dataclasses import dataclass

TWO_DIGITS_UP_TO = 35
"""An error whose first two digits are at most this is written with both of them, a larger one with the first: rounding
then never changes it by more than one seventh."""


@dataclass(frozen=True)
class Measured:
    """A value with its standard error.

    Attributes:
        value: the number.
        stderr: its standard error; 0 or NaN if there is none, or none is known.
    """

    value: float
    stderr: float = math.nan

    def __str__(self) -> str:
        """Returns value and error, both rounded to the error's last digit; three digits if there is no error."""
        if not math.isfinite(self.value):
            return "–"
        if not self.has_error:
            return f"{self.value:.3g}"
        decimals = error_decimals(self.stderr)
        if decimals > 5:
            return f"{self.value:.3g} ± {self.stderr:.1g}"
        return f"{self.value:.{max(decimals, 0)}f} ± {self.stderr:.{max(decimals, 0)}f}"

    @property
    def has_error(self) -> bool:
        """Whether there is a positive, finite error."""
        return math.isfinite(self.stderr) and self.stderr > 0

    @property
    def percent(self) -> "Measured":
        """The same in per cent."""
        return self * 100

    @property
    def alone(self) -> str:
        """The value without its error, rounded by it."""
        return str(self).split(" ± ")[0]

    @property
    def power_of_ten(self) -> "Measured":
        """Ten to the power of this, with the error to first order."""
        value = 10.0**self.value
        return Measured(value, math.log(10) * value * self.stderr)

    def __mul__(self, factor: float) -> "Measured":
        """Returns this times an exact factor."""
        return Measured(self.value * factor, self.stderr * abs(factor))

    def __truediv__(self, other: "Measured | float") -> "Measured":
        """Returns this over an exact number, or over an independent measured one."""
        if not isinstance(other, Measured):
            return self * (1 / other)
        ratio = self.value / other.value
        errors = [part.stderr if part.has_error else 0.0 for part in (self, other)]
        return Measured(ratio, math.hypot(errors[0], ratio * errors[1]) / abs(other.value) or math.nan)

    def __sub__(self, other: "Measured") -> "Measured":
        """Returns the difference from an independent one."""
        return Measured(self.value - other.value, combined_error(self, other) or math.nan)


def error_decimals(error: float) -> int:
    """Returns to how many decimals an error is written; negative for an error of ten and more."""
    exponent = math.floor(math.log10(error))
    return 1 - exponent if round(error / 10.0 ** (exponent - 1)) <= TWO_DIGITS_UP_TO else -exponent


def combined_error(ours: Measured, published: Measured) -> float:
    """Returns the error of the difference of two independent numbers; 0 if neither has an error."""
    return math.hypot(*(part.stderr if part.has_error else 0.0 for part in (ours, published)))


def score(ours: Measured, published: Measured) -> float:
    """Returns ours minus published in units of their combined error; NaN if neither has one."""
    error = combined_error(ours, published)
    return (ours.value - published.value) / error if error > 0 else math.nan
