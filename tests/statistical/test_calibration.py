"""Stated errors hold the truth as often as they say: coverage of 68.3 and 95.4 % intervals over simulated pools.

Coverage of R pools scatters by sqrt(p (1 - p) / R). Errors that are meant to be too large rather than too small have an
upper bound that says by how much.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from emergent.statistics.estimate import Estimate, quantile
from emergent.statistics.jackknife import jackknifed
from emergent.statistics.laws import squared_gap_law, squared_norm_of_mean
from emergent.statistics.linear_risks import Theory, crossing, fitted_crossing
from emergent.summaries.risk_gap import ratio_of_means

LEVELS = {1.0: 0.6827, 2.0: 0.9545}
"""Standard errors of a normal distribution and the part of it that lies within."""


def coverage(make: Callable[[np.random.Generator], Estimate], truth: float, num: int) -> dict[float, float]:
    """Returns standard errors to the part of so many simulated estimates whose interval holds the truth."""
    found = [make(np.random.default_rng(seed)) for seed in range(num)]
    return {
        width: float(np.mean([abs(one.value - truth) <= quantile(width, one.dof) * one.stderr for one in found]))
        for width in LEVELS
    }


def assert_covered(found: dict[float, float], num: int, too_wide: float = 0.0, too_narrow: float = 0.0) -> None:
    """Checks coverage to four of its own errors, and as much more as is known to be off."""
    for width, level in LEVELS.items():
        error = 4 * np.sqrt(level * (1 - level) / num)
        assert level - error - too_narrow < found[width] < level + error + too_wide, (width, found)


@pytest.mark.parametrize("num", [2, 3, 4, 12])
def test_mean_of_few_repeats(num: int) -> None:
    """Two of them too: by Student's quantiles, with which Gaussian ones cover 50 % instead of 68 %."""
    found = coverage(lambda generator: Estimate.mean(3.0 + generator.normal(size=num)), 3.0, 4000)
    assert_covered(found, 4000)


def test_difference_of_means_of_different_spread() -> None:
    def make(generator: np.random.Generator) -> Estimate:
        return Estimate.mean(generator.normal(size=3)).minus(Estimate.mean(4 * generator.normal(size=8)))

    # Welch and Satterthwaite's degrees of freedom are themselves estimated.
    assert_covered(coverage(make, 0.0, 4000), 4000, too_wide=0.02, too_narrow=0.02)


def products(generator: np.random.Generator, num: int, dimension: int, floor: float) -> np.ndarray:
    vectors = 0.8 * generator.normal(size=(num, dimension)) + floor / np.sqrt(dimension)
    return vectors @ vectors.T


@pytest.mark.parametrize("floor", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(("num", "too_wide"), [(8, 0.08), (12, 0.05), (40, 0.02)])
def test_law_of_a_square(num: int, too_wide: float, floor: float) -> None:
    """Floor, slope and the squared norm of the mean of a whole pool; a floor of 0 lies inside its own interval."""
    dimension, spread = 60, 0.64 * 60
    makers = {
        "floor": (lambda one: squared_gap_law(one).floor, floor**2),
        "slope": (lambda one: squared_gap_law(one).slope, spread),
        "whole pool": (squared_norm_of_mean, floor**2 + spread / num),
    }
    for name, (make, truth) in makers.items():
        found = coverage(lambda generator, make=make: make(products(generator, num, dimension, floor)), truth, 1000)
        # Slopes of few members are skewed, and their intervals symmetric.
        assert_covered(found, 1000, too_wide, too_narrow=0.03), name


@pytest.mark.parametrize("num", [8, 20])
@pytest.mark.parametrize("floor", [0.0, 0.5, 1.5])
def test_root_of_a_square_that_may_be_negative(num: int, floor: float) -> None:
    """Distances: a floor of 0 lies within two errors of the root as often as within those of the square.

    With the distance to the upper end of the square's interval alone it did in 76 to 85 % of pools, instead of 95 %.
    One error is then wide where the square is about as large as its own error: up to 92 % instead of 68 %.
    """
    found = coverage(lambda generator: squared_gap_law(products(generator, num, 60, floor)).floor.root(), floor, 1000)
    low, high = (LEVELS[width] - 3 * np.sqrt(LEVELS[width] * (1 - LEVELS[width]) / 1000) for width in LEVELS)
    # As those of the square, whose errors of few members are themselves skewed.
    assert found[1.0] > low - 0.04 and found[2.0] > high - 0.02, found


def test_floor_is_unbiased_and_goes_below_zero() -> None:
    values = [squared_gap_law(products(np.random.default_rng(seed), 8, 60, 0.0)).floor.value for seed in range(1000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(1000)
    assert 0.3 < np.mean(np.array(values) < 0) < 0.7


def test_quantiles_are_those_of_scipy() -> None:
    for dof in (1.0, 2.5, 9.0, 1e6):
        np.testing.assert_allclose(quantile(2.0, dof), stats.t.ppf(stats.norm.cdf(2.0), dof), rtol=1e-9)
    assert quantile(2.0, np.inf) == 2.0


def test_root_of_a_negative_square_has_an_error() -> None:
    found = Estimate(-0.01, 0.02, 8, "unbiased").root()
    assert found.value == 0.0 and found.stderr == pytest.approx(np.sqrt(0.02))
    large = Estimate(4.0, 0.01, 8, "unbiased").root()
    assert large.value == 2.0 and large.stderr == pytest.approx(0.01 / 4, rel=1e-2)


@pytest.mark.parametrize("num", [4, 10])
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_ratio_of_means_that_share_their_noise(num: int, shared: float) -> None:
    """Pairs of risks on the same samples; to take the denominator as exact missed by the root of 2, or of 20."""
    truth = 0.8

    def make(generator: np.random.Generator) -> Estimate:
        common, first, second = 0.05 * generator.normal(size=(3, num))
        noise = [np.sqrt(shared) * common + np.sqrt(1 - shared) * own for own in (first, second)]
        return jackknifed(ratio_of_means, np.stack([truth * (1 + noise[0]), 1 + noise[1]], 1), "ratio")

    assert_covered(coverage(make, truth, 2000), 2000, too_wide=0.02, too_narrow=0.02)


def test_crossing_of_two_risks() -> None:
    """As many repeats and sizes as the published crossing is measured with, and noise that falls with the size."""
    smaller, larger = Theory(3, 1, 2, 0.0, 1 / 36), Theory(3, 1, 1, 0.00137, 1 / 36)
    sizes, num = np.arange(10.0, 40.0, 2.0), 10
    difference = larger.excess(sizes, "projected") - smaller.excess(sizes, "projected")

    def make(generator: np.random.Generator) -> Estimate:
        repeats = difference + 3e-4 / (sizes - 4) * generator.normal(size=(num, len(sizes)))
        return jackknifed(lambda some: fitted_crossing(sizes, some.mean(0), 3).size, repeats, "fit")

    assert_covered(coverage(make, crossing(smaller, larger), 1000), 1000)
