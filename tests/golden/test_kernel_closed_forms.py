"""Kernels and predictions against independent implementations: arc-cosine formulas, quadrature, neural_tangents."""

import math

import jax
import numpy as np
import pytest
import scipy.special
from group_recursion import dual_activation

from emergent.config.networks import LEAKY_SLOPE
from emergent.kernels.activations import rectifier_kernels
from emergent.kernels.architectures import cnn_kernel, mlp_kernel
from emergent.kernels.neural_tangents import gradient_descent_mse_ensemble, stax
from emergent.point_groups import group_from_name
from emergent.prediction.gradient_flow import Schedule, covariance, diagonalise, mean
from emergent.prediction.regression import fit_infinite_ensemble


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def arc_cosine_mlp(first, second, depth, weight_std, bias_std):
    """NNGP and NTK of a ReLU network in the form of Cho and Saul (2009): J0 and J1 of the angle."""
    gain, shift = weight_std**2, bias_std**2
    dimension = first.shape[1]
    norms = [shift + gain * np.sum(inputs**2, axis=1) / dimension for inputs in (first, second)]
    nngp = shift + gain * first @ second.T / dimension
    ntk = nngp
    for _ in range(depth):
        root = np.sqrt(np.outer(*norms))
        angle = np.arccos(np.clip(nngp / root, -1, 1))
        j0, j1 = np.pi - angle, np.sin(angle) + (np.pi - angle) * np.cos(angle)
        nngp = shift + gain * root * j1 / (2 * np.pi)
        ntk = nngp + gain * ntk * j0 / (2 * np.pi)
        norms = [shift + gain * norm / 2 for norm in norms]
    return nngp, ntk


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_relu_network_against_arc_cosine_formulas(depth):
    first, second = np.random.default_rng(0).normal(size=(2, 8, 10))
    kernels = mlp_kernel(depth, "relu", 1.4, 0.3)(first, second)
    nngp, ntk = arc_cosine_mlp(first, second, depth, 1.4, 0.3)
    np.testing.assert_allclose(kernels.nngp, nngp, rtol=1e-12)
    np.testing.assert_allclose(kernels.ntk, ntk, rtol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_one_hidden_layer_against_quadrature(activation):
    first, second = np.random.default_rng(1).normal(size=(2, 3, 4))
    # The trapezoidal rule converges exponentially for smooth integrands that vanish at both ends.
    nodes, step = np.linspace(-9, 9, 1201, retstep=True)
    weights = step * np.exp(-(nodes**2) / 2)
    u = nodes[:, None]
    weight = np.outer(weights, weights) / (2 * np.pi)
    kernels = mlp_kernel(1, activation)(first, second)
    erf = scipy.special.erf
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            a, b, c = x @ x / 4, y @ y / 4, x @ y / 4
            left = math.sqrt(a) * u
            right = c / math.sqrt(a) * u + math.sqrt(b - c * c / a) * nodes[None, :]
            if activation == "relu":
                value = np.sum(weight * np.maximum(left, 0) * np.maximum(right, 0))
                slope = np.sum(weight * (left > 0) * (right > 0))
            else:
                value = np.sum(weight * erf(left) * erf(right))
                slope = np.sum(weight * 4 / np.pi * np.exp(-(left**2)) * np.exp(-(right**2)))
            # The kink of ReLU and the step of its derivative limit the quadrature to these digits.
            accuracy = {"relu": (1e-4, 1e-2), "erf": (1e-10, 1e-10)}[activation]
            assert kernels.nngp[i, j] == pytest.approx(value, abs=accuracy[0])
            assert kernels.ntk[i, j] == pytest.approx(value + c * slope, abs=accuracy[1])
            np.testing.assert_allclose(dual_activation(activation, c, a, b)[0], kernels.nngp[i, j], rtol=1e-12)


def phi(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize(
    ("first", "second", "cosine"),
    [(1, 1, 0.3), (0.5, 2, -0.7), (3, 3, 1.0), (4, 1, -1.0), (2, 0.1, 0.99), (10, 7, 0.9), (0, 2, 0.0), (0, 0, 0.0)],
)
def test_gelu_against_quadrature(first, second, cosine):
    """Identical, opposite and constant inputs too: of inputs of given variances and cosine, to 1e-12."""
    nodes, step = np.linspace(-9.5, 9.5, 1601, retstep=True)
    weight = np.outer(step * phi(nodes), step * phi(nodes))
    left = math.sqrt(first) * nodes[:, None]
    right = math.sqrt(second) * (cosine * nodes[:, None] + math.sqrt(1 - cosine**2) * nodes[None, :])
    distribution = scipy.special.ndtr
    value = np.sum(weight * left * distribution(left) * right * distribution(right))
    slope = np.sum(weight * (distribution(left) + left * phi(left)) * (distribution(right) + right * phi(right)))
    # Two coordinates, of which the kernel takes the mean.
    x = math.sqrt(2 * first) * np.array([[1.0, 0.0]])
    y = math.sqrt(2 * second) * np.array([[cosine, math.sqrt(1 - cosine**2)]])
    kernels = mlp_kernel(1, "gelu")(x, y)
    covariance = math.sqrt(first * second) * cosine
    np.testing.assert_allclose(kernels.nngp[0, 0], value, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(kernels.ntk[0, 0], value + covariance * slope, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        dual_activation("gelu", covariance, first, second), (value, slope), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("slope", [0.0, LEAKY_SLOPE, 0.3, 1.0, -1.0])
def test_rectifiers_of_any_slope_are_two_rectifiers(slope):
    """s(u) = r(u) - slope r(-u); slope 1 is linear, and -1 the absolute value."""
    generator = np.random.default_rng(5)
    first, second, cosine = generator.uniform(0.1, 3, 20), generator.uniform(0.1, 3, 20), generator.uniform(-1, 1, 20)
    cosine[:2] = 1, -1
    scale = np.sqrt(first * second)
    covariance = scale * cosine
    found = np.array([rectifier_kernels(slope, *moments) for moments in zip(covariance, first, second, strict=True)])
    angle = np.arccos(cosine)

    def rectified(angle):
        return scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi), (np.pi - angle) / (2 * np.pi)

    alike, opposite = rectified(angle), rectified(np.pi - angle)
    nngp = (1 + slope**2) * alike[0] - 2 * slope * opposite[0]
    derivative = (1 + slope**2) * alike[1] + 2 * slope * opposite[1]
    np.testing.assert_allclose(found, np.stack([nngp, derivative], 1), rtol=1e-12, atol=1e-14)
    if slope == 1.0:
        np.testing.assert_allclose(found[:, 0], covariance, rtol=1e-12)


def test_leaky_relu_is_its_slope():
    """Another slope, such as 0 or 0.02, would show."""
    first, second = np.random.default_rng(6).normal(size=(2, 4, 5))
    nngp = mlp_kernel(1, "leaky_relu")(first, second).nngp
    expected = dual_activation(
        "leaky_relu", first @ second.T / 5, (first**2).mean(1)[:, None], (second**2).mean(1)[None]
    )[0]
    np.testing.assert_allclose(nngp, expected, rtol=1e-12)
    assert np.abs(nngp - mlp_kernel(1, "relu")(first, second).nngp).max() > 1e-3


def test_relu_layer_agrees_with_neural_tangents_own():
    """Ours is written anew because theirs gives the angle of an input with itself only to 1e-8."""
    first, second = np.random.default_rng(2).normal(size=(2, 3, 6, 6, 2))
    convolution = stax.Conv(1, (3, 3), padding="SAME", W_std=1.4, b_std=0.1)
    head = stax.Dense(1, W_std=1.4, b_std=0.1)
    layers = [convolution, stax.Relu(), stax.AvgPool((2, 2), (2, 2)), convolution, stax.Relu()]
    theirs = stax.serial(*layers, stax.GlobalAvgPool(), head)[2]
    expected = jax.jit(lambda x, y: tuple(theirs(x, y, ("nngp", "ntk"))))(first, second)
    kernels = cnn_kernel([2, 1], "mean", "relu", 1.4, 0.1)(first, second)
    np.testing.assert_allclose(kernels.nngp, expected[0], rtol=1e-12)
    np.testing.assert_allclose(kernels.ntk, expected[1], rtol=1e-12)


@pytest.mark.parametrize("time", [0.0, 1.0, 100.0, math.inf])
def test_predictions_against_neural_tangents(time):
    train, test = np.random.default_rng(3).normal(size=(2, 12, 9))
    targets = np.random.default_rng(4).normal(size=(12, 2))
    theirs = stax.serial(stax.Dense(1, b_std=0.1), stax.Erf(), stax.Dense(1, b_std=0.1))[2]
    predict = gradient_descent_mse_ensemble(theirs, train, targets, learning_rate=0.5, diag_reg=0.0)
    expected = predict(t=None if math.isinf(time) else time, x_test=test, get="ntk", compute_cov=True)
    kernel_function = mlp_kernel(1, "erf", 1.0, 0.1)
    on_train, cross, on_test = (kernel_function(*pair) for pair in ((train, train), (test, train), (test, test)))
    spectrum = diagonalise(np.array(on_train.ntk))
    # Their loss is also a mean over output channels: half the learning rate for two channels.
    schedule = Schedule(0.25, time)
    result = mean(spectrum, cross.ntk, targets, schedule)
    np.testing.assert_allclose(result, expected.mean, atol=1e-10)
    result_covariance = covariance(spectrum, on_train.nngp, cross.nngp, on_test.nngp, cross.ntk, schedule)
    np.testing.assert_allclose(result_covariance, expected.covariance, atol=1e-10)
    ensemble = fit_infinite_ensemble(kernel_function, group_from_name("C1"), train[None], targets[None])
    np.testing.assert_allclose(ensemble.predict(test, schedule).mean, expected.mean, atol=1e-10)
