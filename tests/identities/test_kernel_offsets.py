"""Kernels by offsets are those of the layers, of the literal recursion and of neural-tangents, to rounding."""

import itertools

import jax
import numpy as np
import pytest
from group_recursion import group_network_kernels

from emergent.config.networks import CLOSED_FORMS
from emergent.errors import ConfigError
from emergent.kernels import offsets
from emergent.kernels.architectures import CnnKernel, cnn_kernel, gcnn_kernel
from emergent.kernels.gram import gram, nngp_within, orbit_gram
from emergent.kernels.neural_tangents import stax
from emergent.kernels.offset_activations import DEGREES, arcsine_coefficients
from emergent.kernels.offset_program import Program, offset_program
from emergent.kernels.offsets import OffsetKernel
from emergent.point_groups import group_from_name

GAINS = (1.3, 0.2)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def images(num: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Random images, of which one is blank and one has a blank half, like MNIST's corners."""
    drawn = np.random.default_rng(seed).normal(size=(num, height, width, channels))
    drawn[0] = 0
    drawn[1, : height // 2] = 0
    return drawn


CASES = [
    *itertools.product([2], ["relu", "erf"], ["SAME", "VALID", "CIRCULAR"], [3], [True, False]),
    (1, "relu", "SAME", 3, True),
    (4, "relu", "SAME", 3, True),
    (2, "relu", "CIRCULAR", 5, True),
    (2, "relu", "SAME", 5, True),
    (1, "erf", "VALID", 5, True),
    (3, "erf", "VALID", 1, True),
    (3, "gelu", "SAME", 3, True),
    (2, "gelu", "VALID", 3, False),
    (3, "leaky_relu", "SAME", 3, True),
    (2, "leaky_relu", "CIRCULAR", 3, True),
]


@pytest.mark.parametrize(("num_layers", "activation", "padding", "size", "last"), CASES)
def test_offsets_equal_the_layers(num_layers, activation, padding, size, last):
    first, second = images(5, 7, 9, 2), images(11, 7, 9, 2, seed=1)
    # An image with itself, an even and an odd side, more images than fill a register and a number that does not.
    second[4] = first[2]
    options = {"filter_size": size, "padding": padding, "last_activation": last}
    layered = cnn_kernel([1] * num_layers, "mean", activation, *GAINS, **options).layered(first, second)
    kernel = OffsetKernel(num_layers, activation, *GAINS, size, padding, last)
    found = kernel(first, second, threads=1)
    for ours, theirs in zip(found, layered, strict=True):
        assert ours.dtype == np.float64
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    for ours, theirs in zip(kernel(first, second, threads=3), found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("padding", ["SAME", "VALID", "CIRCULAR"])
def test_offsets_equal_neural_tangents_own_layers(padding):
    """Generic images: the angle of a patch with itself rounds to 1e-8 there."""
    first, second = (np.random.default_rng(seed).normal(size=(4, 8, 8, 3)) for seed in (2, 3))
    layers = []
    for _ in range(3):
        layers += [stax.Conv(1, (3, 3), padding=padding, W_std=1.3, b_std=0.2), stax.Relu()]
    theirs = stax.serial(*layers, stax.GlobalAvgPool(), stax.Dense(1, W_std=1.3, b_std=0.2))[2](
        first, second, ("nngp", "ntk")
    )
    ours = OffsetKernel(3, "relu", *GAINS, padding=padding)(first, second)
    np.testing.assert_allclose(ours[0], theirs.nngp, rtol=1e-10)
    np.testing.assert_allclose(ours[1], theirs.ntk, rtol=1e-10)


@pytest.mark.parametrize("name", ["C4", "D4", "C2"])
@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_group_mean_of_offsets_equals_the_literal_recursion(name, activation):
    first, second = images(3, 5, 5, 2)[1:], images(3, 5, 5, 2, seed=1)[1:]
    group = group_from_name(name)
    fast = gcnn_kernel(group, cnn_kernel([1, 1], "mean", activation, *GAINS))(first, second)
    for i, j in itertools.product(range(2), range(2)):
        nngp, ntk = group_network_kernels(first[i], second[j], group, 2, activation, *GAINS, "SAME")
        np.testing.assert_allclose([fast.nngp[i, j], fast.ntk[i, j]], [nngp, ntk], rtol=1e-10)


@pytest.mark.parametrize(("activation", "num"), [("relu", 19), ("gelu", 8), ("erf", 3)])
def test_symmetric_kernels_are_those_of_all_pairs_from_one_half(activation, num, monkeypatch):
    samples, computed = images(num, 6, 6, 2), []
    kernel = OffsetKernel(2, activation, *GAINS)
    whole = kernel(samples, samples)
    program = offset_program("float64", activation, 3, "SAME")

    def counted(pixels, others, firsts, seconds, pairs, *rest):
        computed.extend(map(tuple, pairs))
        program.run(pixels, others, firsts, seconds, pairs, *rest)

    monkeypatch.setattr(offsets, "offset_program", lambda *kind: Program(counted, program.lanes))
    halves = kernel(samples, samples, symmetric=True)
    assert sorted(computed) == [(i, j) for i in range(num) for j in range(i, num)]
    for ours, theirs in zip(halves, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        np.testing.assert_array_equal(ours, ours.T)
    # Of an image and another's half turn too: k(x, rho y) = k(rho x, y) = k(y, rho x).
    turned = np.rot90(samples, 2, axes=(1, 2))
    np.testing.assert_allclose(kernel(samples, turned, symmetric=True)[1], kernel(samples, turned)[1], rtol=1e-12)
    with pytest.raises(ConfigError, match=f"as many images on both sides, found {num} and 2"):
        kernel(samples, samples[:2], symmetric=True)


def test_kernel_functions_choose_offsets_where_there_are_some():
    assert cnn_kernel([1, 1], "mean").by_offsets == OffsetKernel(2)
    for layered in (
        cnn_kernel([1, 1], "flatten"),
        cnn_kernel([2, 1], "mean"),
        cnn_kernel([1, 1], "mean", strides=[2, 1]),
        cnn_kernel([1, 1], "mean", num_hidden_dense=1),
    ):
        assert isinstance(layered, CnnKernel) and layered.by_offsets is None
    # What JAX traces goes through the layers, which have derivatives.
    first, second = images(2, 5, 5, 1), images(2, 5, 5, 1, seed=1)
    kernel = cnn_kernel([1, 1], "mean")
    slope = jax.grad(lambda x: kernel(x, second).ntk.sum())(first)
    assert np.isfinite(slope).all()
    np.testing.assert_allclose(jax.jit(lambda x: kernel(x, second).ntk)(first), kernel(first, second).ntk, rtol=1e-12)


def test_gram_matrices_by_offsets_are_symmetric_and_those_of_orbits():
    samples = images(6, 5, 5, 1)
    group = group_from_name("C4")
    kernel = gcnn_kernel(group, cnn_kernel([1, 1], "mean", "relu", *GAINS))
    matrices = gram(kernel, samples, tile_size=4)
    np.testing.assert_array_equal(matrices.ntk, matrices.ntk.T)
    assert np.linalg.eigvalsh(matrices.ntk)[0] > -1e-12
    turned = np.stack([np.rot90(samples, turns, axes=(1, 2)) for turns in range(4)])
    np.testing.assert_allclose(orbit_gram(kernel, turned, group, 3).ntk[1], matrices.ntk, rtol=1e-12)
    within = nngp_within(kernel, turned.swapaxes(0, 1))
    np.testing.assert_allclose(within[:, 0, 0], np.diag(matrices.nngp), rtol=1e-12)


@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_single_precision_is_that_of_the_images(activation):
    first, second = images(3, 8, 8, 3), images(17, 8, 8, 3, seed=1)
    second[3] = first[2]
    kernel = OffsetKernel(3, activation, *GAINS)
    double = kernel(first, second)
    for ours, theirs in zip(kernel(first.astype("f4"), second.astype("f4")), double, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize(("precision", "error"), [("float64", 2.3e-16), ("float32", 6e-8)])
def test_arcsine_is_exact_to_rounding(precision, error):
    coefficients = arcsine_coefficients(DEGREES[precision])
    s = np.linspace(0, 0.5, 100_001)
    found = s + s**3 * np.polynomial.polynomial.polyval(s**2, coefficients)
    assert np.abs(found - np.arcsin(s)).max() < error


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (np.zeros((2, 5, 5, 1)), np.zeros((2, 5, 6, 1)), r"of one size on both sides, found \(2, 5, 5, 1\)"),
        (np.zeros((2, 25)), np.zeros((2, 25)), "expected images"),
        (np.zeros((0, 5, 5, 1)), np.zeros((2, 5, 5, 1)), "expected images"),
        (np.zeros((2, 5, 5, 1)), np.zeros((2, 5, 5, 1), np.float32), "found float64 and float32"),
        (np.zeros((2, 5, 5, 1), int), np.zeros((2, 5, 5, 1), int), "expected images in float64"),
        (np.zeros((2, 5, 5, 1)), np.stack([np.ones((5, 5, 1)), np.full((5, 5, 1), np.nan)]), r"second images \[1\]"),
    ],
)
def test_images_that_do_not_fit_are_refused(first, second, words):
    with pytest.raises(ConfigError, match=words):
        OffsetKernel(2)(first, second)


@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_constant_images_and_those_of_one_pixel_have_kernels(activation):
    for shape in ((2, 4, 4, 1), (3, 1, 1, 2)):
        flat = np.ones(shape) * np.arange(shape[0])[:, None, None, None]
        for ours, theirs in zip(
            OffsetKernel(2, activation, *GAINS)(flat, flat),
            cnn_kernel([1, 1], "mean", activation, *GAINS).layered(flat, flat),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bias_std", [0.0, 0.2])
@pytest.mark.parametrize("activation", CLOSED_FORMS)
def test_patches_without_variance_have_the_kernels_of_the_layers(activation, bias_std):
    """Without biases a blank patch has no variance, no angle, and kernels of exactly 0."""
    first = images(3, 6, 6, 1)
    kernel = OffsetKernel(2, activation, 1.3, bias_std)
    layered = cnn_kernel([1, 1], "mean", activation, 1.3, bias_std).layered(first, first)
    for ours, theirs in zip(kernel(first, first), layered, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
        assert (np.abs(ours[0]).max() == 0) == (bias_std == 0)


def test_unknown_activations_are_refused():
    with pytest.raises(ConfigError, match="'tanh' has no kernel by offsets: expected one of relu, leaky_relu, gelu"):
        OffsetKernel(2, "tanh")(images(2, 5, 5, 1), images(2, 5, 5, 1))


def test_filters_that_leave_nothing_are_refused():
    with pytest.raises(ConfigError, match=r"3 convolutions of 3 x 3 leave nothing of images of 6 x 8 pixels"):
        OffsetKernel(3, padding="VALID")(images(2, 6, 8, 1), images(2, 6, 8, 1))
