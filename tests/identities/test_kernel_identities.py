"""Exact properties of infinite-width kernels, in float64."""

from typing import Literal

import jax
import numpy as np
import pytest
from group_recursion import group_network_kernels

from emergent.config.networks import CLOSED_FORMS
from emergent.errors import ConfigError
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
    "mlp_gelu": mlp_kernel(2, "gelu", 1.4, 0.1),
    "mlp_leaky_relu": mlp_kernel(2, "leaky_relu", 1.4, 0.1),
    "cnn_flatten_gelu": cnn_kernel([1, 2], "flatten", "gelu", 1.4, 0.1, num_hidden_dense=1),
    "cnn_mean_leaky_relu": cnn_kernel([1, 2, 1], "mean", "leaky_relu", 1.4, 0.1),
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


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_relu_angle_of_an_input_with_itself_is_zero(activation):
    # The NTK of one hidden layer on the diagonal is 2 K; an angle of 1e-8 instead of 0 would show at 1e-9.
    inputs = np.random.default_rng(1).normal(size=(50, 333))
    kernels = mlp_kernel(1, activation)(inputs, inputs)
    np.testing.assert_allclose(np.diagonal(kernels.ntk), 2 * np.diagonal(kernels.nngp), rtol=1e-13)


@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_zero_image(activation):
    images = np.stack([np.zeros((4, 4, 1)), np.ones((4, 4, 1))])
    for kernel_function in (mlp_kernel(2, activation), cnn_kernel([1, 1], "mean", activation)):
        kernels = kernel_function(images, images)
        np.testing.assert_array_equal(kernels.nngp[0], 0)
        np.testing.assert_array_equal(kernels.ntk[0], 0)
        assert kernels.ntk[1, 1] > 0


@pytest.mark.parametrize("activation", CLOSED_FORMS)
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


def linear_strided_nngp(first: np.ndarray, second: np.ndarray, stride: int) -> float:
    """Returns the kernel of one zero-padded 3 x 3 convolution without activation, mean over the positions kept."""
    patches = [
        np.stack([padded[i : i + 3, j : j + 3] for i, j in positions(padded.shape[0] - 2, stride)])
        for padded in (np.pad(image, ((1, 1), (1, 1), (0, 0))) for image in (first, second))
    ]
    return float((patches[0] * patches[1]).sum((1, 2, 3)).mean() / (9 * first.shape[-1]))


def positions(side: int, stride: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(0, side, stride) for j in range(0, side, stride)]


@pytest.mark.parametrize("side", [4, 5, 6, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_strided_convolution_pads_both_sides_alike(stride: int, side: int) -> None:
    """As the networks do, on even and odd sizes; by loops over patches."""
    first, second = np.random.default_rng(side).normal(size=(2, 1, side, side, 2))
    kernel = cnn_kernel([1], "flatten", strides=[stride], last_activation=False)
    for pair in ((first, second), (first, first)):
        expected = linear_strided_nngp(pair[0][0], pair[1][0], stride)
        np.testing.assert_allclose(kernel(*pair).nngp[0, 0], expected, rtol=1e-12)


def test_one_bright_pixel_of_an_even_image() -> None:
    """Every kept position but the last sees the pixel at (1, 1): with padding on the far side only one would."""
    image = np.zeros((1, 4, 4, 1))
    image[0, 1, 1] = 1.0
    nngp = cnn_kernel([1], "flatten", strides=[2], last_activation=False)(image, image).nngp
    np.testing.assert_allclose(nngp[0, 0], (1 + 1 + 1 + 1) / 4 / 9)


def test_sizes_on_which_a_kernel_is_not_that_of_a_network_are_refused() -> None:
    odd, even = np.ones((1, 5, 5, 1)), np.ones((1, 4, 4, 1))
    with pytest.raises(ConfigError, match="average pool 1: expected a divisor of the 5 positions"):
        cnn_kernel([2], "mean")(odd, odd)
    with pytest.raises(ConfigError, match="average pool 1"):
        gcnn_kernel(group_from_name("C4"), cnn_kernel([2], "mean"))(odd, odd)
    strided = cnn_kernel([1], "mean", strides=[2])
    with pytest.raises(ConfigError, match="reads an image and its turned copy at different places"):
        gcnn_kernel(group_from_name("C4"), strided)(even, even)
    assert np.isfinite(strided(even, even).ntk).all()
    image = np.random.default_rng(0).normal(size=(1, 5, 5, 1))
    invariant = gcnn_kernel(group_from_name("C4"), strided)
    turned = np.rot90(image, axes=(1, 2))
    np.testing.assert_allclose(invariant(image, turned).ntk, invariant(image, image).ntk, rtol=1e-10)


@pytest.mark.parametrize("activation", CLOSED_FORMS)
@pytest.mark.parametrize("readout", ["flatten", "mean"])
def test_derivatives_are_finite_at_zero_patches_and_identical_images(
    readout: Literal["flatten", "mean"], activation: str
) -> None:
    """MNIST's corners: where a branch is not taken its infinite slope must not be seen."""
    kernel = cnn_kernel([1, 1], readout, activation)
    image = np.zeros((1, 6, 6, 1))
    image[0, 2:4, 2:4] = np.random.default_rng(0).normal(size=(2, 2, 1))
    other = np.roll(image, 1, axis=1)
    for second in (other, image, np.zeros_like(image)):
        for name in ("nngp", "ntk"):
            slope = jax.grad(lambda first, second=second, name=name: getattr(kernel(first, second), name).sum())(image)
            assert np.isfinite(slope).all(), name

    # Against differences, in a direction that leaves no patch without variance.
    direction = np.random.default_rng(1).normal(size=image.shape)
    base = image + 0.1 * direction
    exact = (jax.grad(lambda first: kernel(first, other).nngp.sum())(base) * direction).sum()
    step = 1e-6
    difference = kernel(base + step * direction, other).nngp - kernel(base - step * direction, other).nngp
    np.testing.assert_allclose(exact, difference.sum() / (2 * step), rtol=1e-6)
