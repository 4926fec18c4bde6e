"""Estimates with their errors, and fits of floor and noise against ensemble size."""

import numpy as np
import pytest

from emergent.statistics.estimate import MEDIAN_ERROR, Estimate, draws_error, sample_std
from emergent.statistics.size_fits import disjoint_law, fit_noise_floor


def test_mean_and_error() -> None:
    found = Estimate.mean(np.array([1.0, 2.0, 6.0]))
    assert (found.value, found.num, found.estimator) == (3.0, 3, "mean")
    np.testing.assert_allclose(found.stderr, np.sqrt((4 + 1 + 9) / 2 / 3))
    found = Estimate.mean(np.array([5.0]), "disjoint ensembles")
    assert (found.value, found.num, found.estimator) == (5.0, 1, "disjoint ensembles") and np.isnan(found.stderr)
    assert np.isnan(sample_std(np.array([5.0]))) and sample_std(np.array([1.0, 3.0])) == np.sqrt(2)


def test_median_and_error() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 25))
    found = [Estimate.median(row) for row in values]
    assert found[0].value == np.median(values[0]) and found[0].estimator == "median"
    np.testing.assert_allclose(found[0].stderr, MEDIAN_ERROR * values[0].std(ddof=1) / 5)
    # The asymptotic error of the median of normal samples is 1 % off at 25 of them.
    assert abs(np.mean([f.stderr for f in found]) / np.std([f.value for f in found]) - 1) < 0.05
    assert np.isnan(Estimate.median(np.array([2.0])).stderr)


def test_exact_values_and_differences() -> None:
    exact = Estimate.exact(7)
    assert (exact.value, exact.stderr, exact.num, exact.estimator) == (7.0, 0.0, 1, "exact")
    difference = Estimate(5.0, 3.0, 10, "pool").minus(Estimate(4.0, 4.0, 20, "mean"))
    assert difference == Estimate(1.0, 5.0, 10, "pool")


def test_fit_of_exact_data_recovers_floor_and_noise() -> None:
    sizes = np.array([1.0, 3.0, 8.0, 100.0])
    (floor2, noise), covariance = fit_noise_floor(sizes, 0.04 + 2.5 / sizes, np.array([0.3, 0.1, 0.05, 0.01]))
    np.testing.assert_allclose([floor2, noise], [0.04, 2.5], rtol=1e-10)
    assert (np.diagonal(covariance) > 0).all()


def test_errors_of_the_fit_are_those_of_repeated_fits() -> None:
    generator = np.random.default_rng(0)
    sizes = np.array([1.0, 3.0, 8.0, 100.0])
    errors = np.array([0.3, 0.1, 0.05, 0.01])
    fits = [fit_noise_floor(sizes, 0.04 + 2.5 / sizes + generator.normal(size=4) * errors, errors) for _ in range(1500)]
    values = np.stack([coefficients for coefficients, _ in fits])
    stated = np.sqrt(np.diagonal(fits[0][1]))
    # Standard errors: std / sqrt(R) of the mean, 1 / sqrt(2 R) of the std, R = 1500.
    assert (np.abs(values.mean(0) - [0.04, 2.5]) < 4 * stated / np.sqrt(1500)).all()
    assert (np.abs(values.std(0, ddof=1) / stated - 1) < 4 / np.sqrt(3000)).all()


SIZES, NUM_MEMBERS, NUM_OUTPUTS = (2, 4, 8), 40, 60


def disjoint_values(seed: int, floor: float = 0.5) -> dict[int, np.ndarray]:
    """Mean squares of ensemble means: floor^2 + 1 / M in expectation."""
    members = floor + np.random.default_rng(seed).normal(size=(NUM_MEMBERS, NUM_OUTPUTS))
    means = {size: members.reshape(-1, size, NUM_OUTPUTS).mean(1) for size in SIZES}
    return {size: np.square(found).mean(1) for size, found in means.items()}


def test_law_of_disjoint_ensembles_is_right_and_its_errors_are_right_or_too_large() -> None:
    laws = [disjoint_law(disjoint_values(seed)) for seed in range(300)]
    for name, truth in (("floor", 0.25), ("slope", 1.0)):
        values = np.array([getattr(law, name).value for law in laws])
        # Weights that follow the values pull the fit down, by less than a tenth of the scatter of one fit.
        assert abs(values.mean() - truth) < 0.25 * values.std()
        reported = np.sqrt(np.mean([getattr(law, name).stderr ** 2 for law in laws]))
        # The scatter of 300 values is known to 4 %; errors from five ranges, where an error is uncertain by a third.
        assert 0.9 < reported / values.std() < 1.4, name
    assert laws[0].floor.num == NUM_MEMBERS and laws[0].floor.estimator == "fit"


def test_law_of_exact_values() -> None:
    law = disjoint_law({size: np.full(40 // size, 0.3 + 2 / size) for size in (1, 2, 5, 40)})
    np.testing.assert_allclose([law.floor.value, law.slope.value, law.ratio.value], [0.3, 2, 0.15], rtol=1e-10)
    np.testing.assert_allclose([law.floor.stderr, law.slope.stderr], 0, atol=1e-10)


def test_law_without_enough_ensembles() -> None:
    law = disjoint_law({2: np.array([1.0, 1.1]), 4: np.array([0.6])})
    assert np.isfinite(law.floor.value) and np.isnan(law.floor.stderr)
    with pytest.raises(ValueError, match="at least two ensemble sizes"):
        disjoint_law({2: np.ones(3)})


def test_error_of_draws_is_that_of_repeated_draws() -> None:
    generator = np.random.default_rng(2)
    chances = generator.beta(2, 1, 50)  # of the samples
    found = generator.binomial(6, chances, (4000, 1, 50))
    spread = (found / 6).mean((1, 2)).std()
    np.testing.assert_allclose(np.mean([draws_error(counts, 6) for counts in found]), spread, rtol=0.05)
    # Predictors with draws of their own average out; what is given is an upper bound.
    apart = generator.binomial(6, chances, (4000, 3, 50))
    assert (apart / 6).mean((1, 2)).std() < np.mean([draws_error(counts, 6) for counts in apart[:200]])
    assert draws_error(np.array([[0, 6, 6]]), 6) == 0
