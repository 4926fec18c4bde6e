"""Laws of floors in the width: exponents are found with honest errors, and not where there is no floor."""

import warnings

import numpy as np
import pytest

from emergent.statistics.estimate import Estimate
from emergent.statistics.width_fits import inverse_width_fit, width_exponent

WIDTHS = (4.0, 8.0, 16.0, 32.0, 64.0)
ERRORS = 1e-3 * np.array([1.0, 1.5, 2.0, 3.0, 4.0])


def squares(exponent: float, level: float, generator: np.random.Generator) -> list[Estimate]:
    truth = level / np.array(WIDTHS) ** (2 * exponent)
    noisy = truth + ERRORS * generator.normal(size=len(WIDTHS))
    return [Estimate(float(y), float(error), 100, "unbiased") for y, error in zip(noisy, ERRORS, strict=True)]


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_errors_of_exponents_cover_the_truth(exponent: float) -> None:
    generator, misses = np.random.default_rng(0), []
    for _ in range(300):
        found = width_exponent(WIDTHS, squares(exponent, 4.0, generator))
        assert found is not None
        misses.append(abs(found.value - exponent) / found.stderr)
    for width, share in ((1.0, 0.683), (2.0, 0.954)):
        # Three standard errors of a share among so many fits.
        assert abs(np.mean(np.array(misses) < width) - share) < 3 * np.sqrt(share * (1 - share) / 300)


def test_a_law_of_another_exponent_is_told_apart() -> None:
    generator = np.random.default_rng(1)
    found = width_exponent(WIDTHS, squares(0.25, 1.0, generator))
    assert found is not None and found.value + 4 * found.stderr < 0.5
    assert inverse_width_fit(WIDTHS, squares(0.25, 1.0, generator))[1].value > 6


def test_without_a_floor_there_is_mostly_no_exponent() -> None:
    generator = np.random.default_rng(2)
    with warnings.catch_warnings():
        # Fits without a minimum say that their covariance could not be estimated.
        warnings.simplefilter("ignore")
        found = [width_exponent(WIDTHS, squares(1.0, 0.0, generator)) for _ in range(200)]
    assert sum(one is not None for one in found) < 20
