"""Kernels on the sphere: the recursion on pairs of rotations, the mean over rotated inputs, finite networks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import erf

from emergent.config.spherical import SphericalGcnnModel
from emergent.errors import ConfigError
from emergent.groups.rotation_harmonics import (
    degrees,
    rotation_basis,
    rotation_degrees,
    rotation_grid,
    sphere_grid,
    spherical_harmonics,
    wigner_matrices,
)
from emergent.kernels.architectures import mlp_kernel
from emergent.kernels.spherical import SphericalKernel
from emergent.models.registry import build

GAINS = (1.2, 0.3)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def signals(num: int, channels: int, band_limit: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    return size * np.random.default_rng(seed).normal(size=(num, channels, band_limit**2))


def turned(inputs: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Inputs as functions x -> f(Q x), for the rotation of the Euler angles."""
    limit = math.isqrt(inputs.shape[2])
    matrices = wigner_matrices(angles[:, None], limit)[:, 0]
    result = np.empty_like(inputs)
    for degree, (own, part) in enumerate(zip(degrees(limit), rotation_degrees(limit), strict=True)):
        size = 2 * degree + 1
        matrix = matrices[part].reshape(size, size) / math.sqrt(size)
        result[:, :, own] = inputs[:, :, own] @ matrix
    return result


def test_harmonics_are_orthonormal_and_turn_by_wigner_matrices():
    grid = rotation_grid(5)
    basis = rotation_basis(5, 5)
    np.testing.assert_allclose((basis * grid.weights) @ basis.T, np.eye(len(basis)), atol=1e-13)
    points = np.random.default_rng(0).normal(size=(6, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    harmonics = spherical_harmonics(points, 5)
    # Orthonormal on the sphere: the mean over rotations of a product is 1 / 4 pi of its integral.
    moved = spherical_harmonics(np.einsum("qij,j->qi", grid.matrices, points[0]), 5)
    np.testing.assert_allclose((moved.T * grid.weights) @ moved, np.eye(25) / (4 * np.pi), atol=1e-13)
    for q in (3, 77):
        coefficients = signals(1, 2, 5)
        values = spherical_harmonics(points @ grid.matrices[q].T, 5) @ coefficients[0].T
        np.testing.assert_allclose(harmonics @ turned(coefficients, grid.angles[:, q])[0].T, values, atol=1e-13)


def test_round_trips_of_coefficients():
    values = np.random.default_rng(1).normal(size=(3, 286)) @ rotation_basis(6, 6)
    back = values @ (rotation_basis(6, 6) * rotation_grid(6).weights).T
    np.testing.assert_allclose(back @ rotation_basis(6, 6), values, atol=1e-12)
    points = sphere_grid(4)
    assert points.shape == (56, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-15)
    assert np.linalg.matrix_rank(spherical_harmonics(points, 4)) == 16, "the grid resolves its band limit"


@pytest.mark.parametrize(
    ("num_layers", "activation"), [(1, "relu"), (3, "relu"), (2, "leaky_relu"), (2, "gelu"), (3, "erf")]
)
def test_kernel_is_the_mean_of_fully_connected_ones_over_rotated_inputs(num_layers, activation):
    """arXiv:2406.06504, networks of fully connected and of group convolutional layers; kernels of neural-tangents."""
    first, second = signals(3, 2, 3), signals(4, 2, 3, seed=1)
    second[1] = first[0]
    first[2] = 0
    kernel = SphericalKernel(num_layers, activation, *GAINS, None, 3)
    found = kernel(first, second)
    # Its inner product is a mean over entries, ours 1 / 4 pi of an integral.
    scale = math.sqrt(9 / (4 * np.pi))
    grid = rotation_grid(3)
    flat = mlp_kernel(num_layers, activation, *GAINS)
    copies = np.concatenate([turned(second, angles) for angles in grid.angles.T])
    totals = [
        np.einsum("iqj,q->ij", np.asarray(part).reshape(3, len(grid.weights), 4), grid.weights)
        for part in flat(scale * first, scale * copies)
    ]
    for ours, theirs in zip(found, totals, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    plain = flat(scale * first, scale * second)
    assert np.abs(np.asarray(plain.ntk) / totals[1] - 1).max() > 1e-2, "without the mean it is another kernel"


def literal_kernels(inputs: np.ndarray, band_limit: int, resolution: int, num_layers: int) -> np.ndarray:
    """Both kernels of error-function networks by the recursion on all pairs of rotations, six angles each."""
    basis, weights = rotation_basis(resolution, band_limit), rotation_grid(resolution).weights
    parts = rotation_degrees(band_limit)
    gain, bias = GAINS[0] ** 2, GAINS[1] ** 2
    num, channels = inputs.shape[:2]

    def convolved(kernel: np.ndarray) -> np.ndarray:
        """int dS K_{RS, R'S}, filters of white noise of the band limit."""
        coefficients = (basis * weights) @ kernel @ (basis * weights).T
        result = np.zeros_like(coefficients)
        for degree, part in enumerate(parts):
            size = 2 * degree + 1
            block = coefficients[part, part].reshape(size, size, size, size)
            summed = np.einsum("mknk->mn", block) / size
            result[part, part] = np.einsum("mn,pq->mpnq", summed, np.eye(size)).reshape(size**2, size**2)
        return basis.T @ result @ basis

    found = np.zeros((2, num, num))
    for i in range(num):
        for j in range(num):
            lifted = {}
            for a in (i, j):
                for b in (i, j):
                    kernel = np.zeros((len(weights), len(weights)))
                    for degree, own in enumerate(degrees(band_limit)):
                        size = 2 * degree + 1
                        part = basis[parts[degree]].reshape(size, size, -1) / math.sqrt(size)
                        ours = np.einsum("cm,mkq->ckq", inputs[a][:, own], part)
                        theirs = np.einsum("cm,mkq->ckq", inputs[b][:, own], part)
                        kernel += np.einsum("ckq,ckr->qr", ours, theirs) / (4 * np.pi * channels)
                    lifted[a, b] = bias + gain * kernel
            kernels, theta = lifted, dict(lifted)
            for layer in range(num_layers):
                if layer > 0:
                    convolutions = {key: bias + gain * convolved(value) for key, value in kernels.items()}
                    theta = {key: convolutions[key] + gain * convolved(value) for key, value in theta.items()}
                    kernels = convolutions
                activated = {}
                for a, b in kernels:
                    first = 1 + 2 * np.diagonal(kernels[a, a])[:, None]
                    second = 1 + 2 * np.diagonal(kernels[b, b])[None]
                    activated[a, b] = 2 / np.pi * np.arcsin(2 * kernels[a, b] / np.sqrt(first * second))
                    slope = 4 / np.pi / np.sqrt(first * second - 4 * kernels[a, b] ** 2)
                    theta[a, b] = theta[a, b] * slope
                kernels = activated
            pooled = [weights @ value[i, j] @ weights for value in (kernels, theta)]
            found[:, i, j] = bias + gain * pooled[0], bias + gain * (pooled[0] + pooled[1])
    return found


def test_kernel_is_that_of_the_literal_recursion():
    """On a grid of pairs of rotations; small inputs, for which its quadrature is exact up to 1e-10."""
    inputs = signals(2, 2, 2, size=0.05)
    literal = literal_kernels(inputs, 2, 4, 3)
    found = SphericalKernel(3, "erf", *GAINS, 2, 8)(inputs, inputs)
    for ours, theirs in zip(found, literal, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.parametrize("band_limit", [None, 3])
def test_kernel_is_invariant_under_rotations_of_either_input(band_limit):
    inputs = signals(4, 2, 4, size=0.3)
    kernel = SphericalKernel(2, "erf", *GAINS, band_limit, 14)
    plain, moved = kernel(inputs, inputs), kernel(inputs, turned(inputs, np.array([0.4, 1.1, 2.9])))
    for ours, theirs in zip(plain, moved, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    coarse = SphericalKernel(2, "erf", *GAINS, band_limit, 4)
    assert coarse.quadrature_error(inputs) > 10 * kernel.quadrature_error(inputs)


def test_blank_and_identical_inputs_and_threads():
    inputs = signals(40, 2, 3)
    inputs[3], inputs[5] = 0, inputs[4]
    for activation in ("relu", "erf"):
        kernel = SphericalKernel(2, activation, 1.0, 0.0, None, 3)
        found = kernel(inputs, inputs, threads=1)
        assert all(np.isfinite(part).all() for part in found)
        assert not found.ntk[3].any(), "without biases a blank input has no kernel"
        np.testing.assert_array_equal(found.ntk[4], found.ntk[5])
        for part, other in zip(kernel(inputs, inputs, threads=3), found, strict=True):
            np.testing.assert_array_equal(part, other)
        single = kernel(inputs.astype(np.float32), inputs.astype(np.float32))
        assert single.ntk.dtype == np.float32
        np.testing.assert_allclose(single.ntk, found.ntk, rtol=2e-3, atol=1e-4)


def test_bad_inputs_are_refused():
    kernel, inputs = SphericalKernel(2, "erf", resolution=3), signals(2, 2, 3)
    with pytest.raises(ConfigError, match=r"coefficients \[N, channels, L\^2\].*found \(2, 2, 8\)"):
        kernel(inputs[:, :, :8], inputs[:, :, :8])
    with pytest.raises(ConfigError, match=r"float64 .*found float32 and float64"):
        kernel(inputs.astype(np.float32), inputs)
    with pytest.raises(ConfigError, match=r"first inputs \[1\] are not finite"):
        kernel(np.where(np.arange(2)[:, None, None] == 1, np.nan, inputs), inputs)
    with pytest.raises(ConfigError, match=r"resolution 3 integrates squares of degrees below 3 only.*at least 4"):
        kernel(signals(2, 2, 4), signals(2, 2, 4))
    with pytest.raises(ConfigError, match=r"expected 1 to 12 .*found 13"):
        spherical_harmonics(np.eye(3), 13)
    with pytest.raises(ConfigError, match="expected one with a closed form"):
        SphericalKernel(1, "tanh")(inputs, inputs)


def model(**changes: object) -> SphericalGcnnModel:
    fields = {"family": "spherical_gcnn", "channels": (3, 2), "band_limit": 3, "resolution": 6, "num_outputs": 2}
    return SphericalGcnnModel.model_validate({**fields, **changes})


def test_convolutions_are_integrals():
    """One network, its layers by coefficients against quadratures of filters over the sphere and over SO(3)."""
    network = build(model(channels=(1, 1), num_outputs=1))
    inputs = signals(1, 2, 3)
    parameters = network.init(jax.random.key(0), jnp.asarray(inputs))
    params = jax.tree.map(np.asarray, parameters)["params"]
    grid, basis = rotation_grid(6), rotation_basis(6, 3)
    filters = params["SphericalLifting_0"]["kernel"][:, :, 0]
    # The sphere is integrated over as rotations of one point.
    points = grid.matrices @ np.array([0.0, 0.0, 1.0])
    values = spherical_harmonics(points, 3) @ inputs[0].T
    lifted = np.empty(len(points))
    for q, matrix in enumerate(grid.matrices):
        kernel = spherical_harmonics(points @ matrix, 3) @ filters
        lifted[q] = math.sqrt(4 * np.pi / 2) * grid.weights @ (kernel * values).sum(1)
    activated = np.asarray(erf(lifted))
    conv = params["RotationConv_0"]["kernel"][:, 0, 0]
    coefficients = (basis * grid.weights) @ activated
    band_limited = coefficients @ basis
    outputs = []
    for q in (0, 100, 333):
        # R^-1 S for all S: Wigner matrices are multiplied, degree by degree.
        kernel = np.zeros(len(points))
        for degree, part in enumerate(rotation_degrees(3)):
            size = 2 * degree + 1
            matrices = basis[part].reshape(size, size, -1) / math.sqrt(size)
            relative = np.einsum("kp,kns->pns", matrices[:, :, q], matrices) * math.sqrt(size)
            kernel += np.einsum("pn,pns->s", conv[part].reshape(size, size), relative)
        outputs.append(grid.weights @ (kernel * band_limited))
    found = np.zeros(len(points))
    for degree, part in enumerate(rotation_degrees(3)):
        size = 2 * degree + 1
        block = coefficients[part].reshape(size, size) @ conv[part].reshape(size, size).T / math.sqrt(size)
        found += block.ravel() @ basis[part]
    np.testing.assert_allclose(found[[0, 100, 333]], outputs, atol=1e-12)
    head = params["Dense_0"]["kernel"][0, 0]
    np.testing.assert_allclose(
        np.asarray(network.apply(parameters, jnp.asarray(inputs)))[0, 0],
        head * (grid.weights @ np.asarray(erf(found))),
        rtol=1e-12,
    )


def test_networks_are_invariant_as_far_as_the_quadrature_resolves():
    inputs = signals(2, 2, 3)
    errors = []
    for resolution in (4, 14):
        network = build(model(resolution=resolution))
        parameters = network.init(jax.random.key(1), jnp.asarray(inputs))
        plain = network.apply(parameters, jnp.asarray(inputs))
        moved = network.apply(parameters, jnp.asarray(turned(inputs, np.array([0.3, 1.2, 2.2]))))
        errors.append(float(jnp.abs(plain - moved).max() / jnp.abs(plain).max()))
    assert errors[1] < 1e-5 < errors[0], errors


def test_networks_that_cannot_be_are_refused():
    network = build(model(band_limit=None))
    with pytest.raises(ValueError, match="filters of all degrees have infinitely many weights"):
        network.init(jax.random.key(0), jnp.zeros((1, 2, 9)))
    with pytest.raises(ValueError, match=r"expected coefficients \[channels, L\^2\]"):
        build(model()).init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    with pytest.raises(ValueError, match="use a resolution of at least as much"):
        model(resolution=2)
    assert "more than resolution 6" in str(model(band_limit=None).missing_kernel((2, 49)))
    assert model().missing_kernel((2, 49)) is None
