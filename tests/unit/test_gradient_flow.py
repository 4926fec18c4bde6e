"""Spectral responses: limits, conventions and refusals."""

import math

import numpy as np
import pytest

from emergent.errors import ConfigError
from emergent.prediction.gradient_flow import Schedule, covariance, diagonalise, max_learning_rate, mean


def random_kernel(num, seed=0):
    factor = np.random.default_rng(seed).normal(size=(num, num + 2))
    return factor @ factor.T / num


def test_zero_eigenvalue_has_the_linear_limit():
    eigenvalues = np.array([0.0, 1e-14, 1e-9])
    for discrete in (False, True):
        response = Schedule(0.5, 30, discrete).response(eigenvalues, 10, 0.0)
        np.testing.assert_allclose(response, 0.5 * 30 / 10, rtol=1e-7)
    np.testing.assert_array_equal(Schedule(0.5, math.inf).response(np.array([0.0, 1e-13, 2.0]), 10, 1e-12), [0, 0, 0.5])


def test_flow_and_descent_match_direct_integration():
    kernel, rng = random_kernel(5), np.random.default_rng(1)
    targets, cross = rng.normal(size=(5, 2)), rng.normal(size=(3, 5))
    spectrum = diagonalise(kernel)
    rate = 0.7 * max_learning_rate(spectrum)
    outputs, test_outputs = np.zeros((5, 2)), np.zeros((3, 2))
    for _ in range(40):
        residual = outputs - targets
        outputs, test_outputs = outputs - rate / 5 * kernel @ residual, test_outputs - rate / 5 * cross @ residual
    descent = Schedule(rate, 40, discrete=True)
    np.testing.assert_allclose(mean(spectrum, cross, targets, descent), test_outputs, atol=1e-12)
    np.testing.assert_allclose(mean(spectrum, kernel, targets, descent), outputs, atol=1e-12)
    # Gradient descent with steps 10^4 times smaller is gradient flow up to 10^-4.
    flow = mean(spectrum, cross, targets, Schedule(rate, 40.0))
    fine = mean(spectrum, cross, targets, Schedule(rate / 10**4, 40 * 10**4, discrete=True))
    np.testing.assert_allclose(fine, flow, atol=1e-3)
    assert np.abs(flow - test_outputs).max() > 1e-6


def test_singular_kernel_uses_the_pseudo_inverse():
    kernel = random_kernel(4)
    doubled = np.tile(kernel, (2, 2))
    targets = np.tile(np.random.default_rng(3).normal(size=(4, 1)), (2, 1))
    for schedule in (Schedule(0.1, math.inf), Schedule(0.1, 1e9)):
        fitted = mean(diagonalise(doubled), doubled, targets, schedule)
        np.testing.assert_allclose(fitted, targets, atol=1e-10)


def test_descent_that_diverges_is_refused():
    spectrum = diagonalise(random_kernel(5))
    limit = max_learning_rate(spectrum)
    kernel, targets = random_kernel(5), np.ones((5, 1))
    mean(spectrum, kernel, targets, Schedule(0.999 * limit, 10, discrete=True))
    with pytest.raises(ConfigError, match="stay below"):
        mean(spectrum, kernel, targets, Schedule(1.001 * limit, 10, discrete=True))
    mean(spectrum, kernel, targets, Schedule(1.001 * limit, 10))


@pytest.mark.parametrize("setting", [(0.0, 1.0, False), (0.1, -1.0, False), (math.nan, 1.0, False), (0.1, 1.5, True)])
def test_meaningless_schedules_are_refused(setting):
    with pytest.raises(ConfigError, match="training schedule"):
        Schedule(*setting)


def test_float32_kernels_are_refused():
    with pytest.raises(ValueError, match="float64"):
        diagonalise(random_kernel(3).astype(np.float32))


def test_covariance_at_both_ends():
    ntk, nngp = random_kernel(6, 4), random_kernel(6, 5)
    spectrum = diagonalise(ntk[:4, :4])
    blocks = (nngp[:4, :4], nngp[:, :4], nngp, ntk[:, :4])
    np.testing.assert_array_equal(covariance(spectrum, *blocks, Schedule(0.1, 0.0)), nngp)
    trained = covariance(spectrum, *blocks, Schedule(0.1, math.inf))
    np.testing.assert_allclose(trained[:4], 0, atol=1e-12)
    assert trained[4, 4] > 1e-3
    np.testing.assert_allclose(trained, trained.T, atol=1e-12)
