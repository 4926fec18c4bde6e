"""Exact properties of infinite-width kernels, in float64."""

import jax
import numpy as np
import pytest
from group_recursion import group_network_kernels

from emergent.groups.images import image_action, orbit
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel, mlp_kernel
from emergent.kernels.neural_tangents import stax
from emergent.point_groups import group_from_name


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def random_images(num, size, channels, seed=0):
    return np.random.default_rng(seed).normal(size=(num, size, size, channels))


@pytest.mark.parametrize("num_layers", [1, 2, 3, 6])
def test_linear_layers_have_ntk_of_depth_times_nngp(num_layers):
    inputs = np.random.default_rng(0).normal(size=(5, 7))
    for std in (1.0, 1.3):
        kernel_of_network = stax.serial(*[stax.Dense(1, W_std=std) for _ in range(num_layers)])[2]
        kernels = kernel_of_network(inputs, inputs[:4], ("nngp", "ntk"))
        np.testing.assert_allclose(kernels.nngp, std ** (2 * num_layers) * inputs @ inputs[:4].T / 7, rtol=1e-12)
        np.testing.assert_allclose(kernels.ntk, num_layers * kernels.nngp, rtol=1e-12)


def test_first_layer_has_equal_kernels():
    inputs = random_images(4, 5, 2)
    kernels = mlp_kernel(0, weight_std=1.2, bias_std=0.4)(inputs, inputs)
    np.testing.assert_allclose(kernels.ntk, kernels.nngp, rtol=1e-14)
    # A linear convolution under a linear head: two layers.
    linear = cnn_kernel([1], "mean", weight_std=1.1, last_activation=False)(inputs, inputs)
    np.testing.assert_allclose(linear.ntk, 2 * linear.nngp, rtol=1e-12)


KERNELS = {
    "mlp_relu": mlp_kernel(3, "relu", 1.4, 0.1),
    "mlp_erf": mlp_kernel(2, "erf", 1.4, 0.1),
    "cnn_flatten": cnn_kernel([1, 2], "flatten", "relu", 1.4, 0.1, num_hidden_dense=1),
    "cnn_mean": cnn_kernel([1, 2, 1], "mean", "relu", 1.4, 0.1),
    "cnn_mean_erf": cnn_kernel([1, 1], "mean", "erf", 1.2, 0.3, padding="VALID"),
}


@pytest.mark.parametrize("architecture", sorted(KERNELS))
@pytest.mark.parametrize("name", ["C4", "D4"])
def test_kernels_are_invariant_under_simultaneous_transformations(architecture, name):
    images = random_images(6, 6, 2)
    # An image that a half turn leaves unchanged, and one with identical rows: angles of exactly 0 between patches.
    images[4] += images[4, ::-1, ::-1]
    images[5] = images[5, :1]
    kernel_function = KERNELS[architecture]
    reference = kernel_function(images, images[3:])
    for copies in orbit(image_action(group_from_name(name), 6, 6), images):
        for transformed, expected in zip(kernel_function(copies, copies[3:]), reference, strict=True):
            np.testing.assert_allclose(transformed, expected, atol=1e-12)
    one_sided = kernel_function(np.rot90(images, 1, axes=(1, 2)).copy(), images[3:])
    assert np.abs(one_sided.ntk - reference.ntk).max() > 1e-3


def test_relu_angle_of_an_input_with_itself_is_zero():
    # The NTK of one hidden layer on the diagonal is 2 K; an angle of 1e-8 instead of 0 would show at 1e-9.
    inputs = np.random.default_rng(1).normal(size=(50, 333))
    kernels = mlp_kernel(1)(inputs, inputs)
    np.testing.assert_allclose(np.diagonal(kernels.ntk), 2 * np.diagonal(kernels.nngp), rtol=1e-13)


def test_zero_image():
    images = np.stack([np.zeros((4, 4, 1)), np.ones((4, 4, 1))])
    for kernel_function in (mlp_kernel(2), cnn_kernel([1, 1], "mean")):
        kernels = kernel_function(images, images)
        np.testing.assert_array_equal(kernels.nngp[0], 0)
        np.testing.assert_array_equal(kernels.ntk[0], 0)
        assert kernels.ntk[1, 1] > 0


@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("padding", ["SAME", "CIRCULAR", "VALID"])
@pytest.mark.parametrize("name", ["C1", "C2", "C4", "D1", "D4"])
def test_gcnn_kernel_is_the_group_mean_of_the_cnn_kernel(activation, padding, name):
    group = group_from_name(name)
    first, second = random_images(2, 5, 3)
    fast = gcnn_kernel(group, cnn_kernel([1, 1], "mean", activation, 1.2, 0.3, padding=padding))
    kernels = fast(first[None], second[None])
    literal = group_network_kernels(first, second, group, 2, activation, 1.2, 0.3, padding)
    np.testing.assert_allclose([kernels.nngp[0, 0], kernels.ntk[0, 0]], literal, rtol=1e-10)


def test_gcnn_kernel_differs_from_the_cnn_kernel():
    first, second = random_images(2, 5, 3)
    cnn = cnn_kernel([1, 1], "mean", "relu", 1.2, 0.3, padding="VALID")
    group = group_from_name("C4")
    gcnn = gcnn_kernel(group, cnn)(first[None], second[None]).ntk[0, 0]
    assert abs(gcnn - cnn(first[None], second[None]).ntk[0, 0]) > 1e-2


def test_gcnn_kernel_is_invariant_in_each_argument():
    images = random_images(4, 6, 2)
    kernel_function = gcnn_kernel(group_from_name("D4"), cnn_kernel([1, 2], "mean", "relu", 1.4, 0.1))
    reference = kernel_function(images, images)
    for copies in orbit(image_action(group_from_name("D4"), 6, 6), images):
        np.testing.assert_allclose(kernel_function(images, copies).ntk, reference.ntk, atol=1e-12)
        np.testing.assert_allclose(kernel_function(copies, images).ntk, reference.ntk, atol=1e-12)
