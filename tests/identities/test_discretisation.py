"""Augmentation by C_k in the plane: permutation of kernels, weights of training points, errors under SO(2), bound.

All in float64. The letters are those of arXiv 2403.03103: mean mu, kernel Theta, permutation Pi(g), distance kappa.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from emergent.config.discretisation import DiscretisationStage, PlaneSampling, WideNetwork
from emergent.kernels.architectures import mlp_kernel
from emergent.kernels.gram import gram
from emergent.point_groups import group_from_name
from emergent.prediction.discretisation import (
    Draw,
    covering_distance,
    discretisation_arrays,
    gradient_lipschitz,
    gradient_norms,
    measure,
)
from emergent.prediction.gradient_flow import Schedule, diagonalise
from emergent.prediction.regression import fit_infinite_ensemble
from emergent.prediction.symmetric_flow import weights_symmetric

pytestmark = pytest.mark.usefixtures("float64")
WEIGHT_STD, BIAS_STD = 2.0, 0.5
DRAW = Draw.of(5, "identities", 0, PlaneSampling(num_train=6, num_points=4, num_angles=12))


def rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def orbits_of(order: int) -> np.ndarray:
    return np.einsum("gij,nj->gni", group_from_name(f"C{order}").matrices, DRAW.inputs)


@pytest.mark.parametrize("order", [1, 2, 5, 16])
def test_kappa_is_the_largest_distance_to_the_nearest_element(order: int) -> None:
    elements = group_from_name(f"C{order}").matrices
    # The middle between two elements is among the angles.
    angles = np.linspace(0, 2 * np.pi, 2 * order * 24 + 1)
    distances = [min(np.linalg.norm(rotation(angle) - element, 2) for element in elements) for angle in angles]
    assert max(distances) == pytest.approx(covering_distance(order), rel=1e-12)


@pytest.mark.parametrize("name", ["C5", "D4"])
def test_functions_of_kernels_commute_with_the_permutation_of_the_training_set(name: str) -> None:
    """Pi(g) F(Theta, Theta^-1, K, K^-1) = F Pi(g), where Pi(g) sends every training point to its copy under g."""
    group = group_from_name(name)
    inputs = np.einsum("gij,nj->gni", group.matrices, DRAW.inputs).reshape(-1, 2)
    kernels = gram(mlp_kernel(2, "erf", WEIGHT_STD, BIAS_STD), inputs, 64)
    functions = {
        "residual": scipy.linalg.expm(-0.3 * kernels.ntk),
        "mixed": kernels.ntk @ kernels.nngp @ scipy.linalg.expm(-kernels.ntk),
        "inverse": np.linalg.inv(kernels.ntk + np.eye(len(inputs))) @ kernels.nngp,
    }
    num = len(DRAW.inputs)
    for element in range(1, group.order):
        moved = (group.product[element][:, None] * num + np.arange(num)).ravel()
        np.testing.assert_allclose(inputs @ group.matrices[element].T, inputs[moved], atol=1e-12)
        for function, matrix in functions.items():
            np.testing.assert_allclose(matrix[np.ix_(moved, moved)], matrix, atol=1e-9, err_msg=function)
    # A permutation that belongs to no element does not commute with them.
    swapped = np.r_[1, 0, 2 : len(inputs)]
    assert np.abs(functions["mixed"][np.ix_(swapped, swapped)] - functions["mixed"]).max() > 0.1


@pytest.mark.parametrize(("name", "invariant"), [("C4", True), ("C4", False), ("D3", False)])
def test_weights_of_training_points_are_those_of_the_whole_problem(name: str, invariant: bool) -> None:
    group, kernel = group_from_name(name), mlp_kernel(1, "erf", WEIGHT_STD, BIAS_STD)
    orbits = np.einsum("gij,nj->gni", group.matrices, DRAW.inputs)
    targets = np.broadcast_to(DRAW.targets, (group.order, *DRAW.targets.shape)) if invariant else orbits**2
    ensemble = fit_infinite_ensemble(kernel, group, orbits, targets, mean_only=invariant)
    plain = diagonalise(gram(kernel, orbits.reshape(-1, 2), 64).ntk)
    for time in (0.0, 1.0, 100.0):
        schedule = Schedule(1.0, time)
        expected = plain.solve(targets.reshape(-1, targets.shape[2]), schedule).reshape(targets.shape)
        np.testing.assert_allclose(weights_symmetric(ensemble.spectrum, targets, schedule), expected, atol=1e-10)


@pytest.mark.parametrize("order", [2, 3, 8])
def test_errors_vanish_at_the_start_and_for_elements_of_the_group(order: int) -> None:
    kernel = mlp_kernel(1, "erf", WEIGHT_STD, BIAS_STD)
    start = measure(kernel, order, [0.0], DRAW)
    np.testing.assert_array_equal(np.stack([start.error, start.terms, start.scale]), 0.0)
    # Elements, also beyond a whole turn, as angles: not even single terms change.
    inside = measure(kernel, order, [1.0, 100.0], DRAW._replace(angles=2 * np.pi / order * np.arange(-1, order + 2)))
    assert (inside.error < 20 * inside.rounding).all() and (inside.terms < 100 * inside.rounding).all()
    outside = measure(kernel, order, [1.0, 100.0], DRAW)
    assert (outside.error > 1e3 * outside.rounding).all()


def test_error_is_that_of_predictions_and_below_the_sum_of_its_terms_and_the_bound() -> None:
    kernel, order, times = mlp_kernel(1, "erf", WEIGHT_STD, BIAS_STD), 8, [1.0, 100.0]
    errors = measure(kernel, order, times, DRAW)
    targets = np.broadcast_to(DRAW.targets, (order, *DRAW.targets.shape))
    ensemble = fit_infinite_ensemble(kernel, group_from_name(f"C{order}"), orbits_of(order), targets)
    for time, found in zip(times, errors.error, strict=True):
        start = ensemble.predict_mean(DRAW.points, Schedule(1.0, time))
        moved = [ensemble.predict_mean(DRAW.points @ rotation(a).T, Schedule(1.0, time)) for a in DRAW.angles]
        np.testing.assert_allclose(found, np.abs(np.stack(moved) - start)[..., 0].max(0), atol=1e-12)
    lipschitz = gradient_lipschitz(kernel, np.linalg.norm(DRAW.inputs, axis=1).max())
    bound = covering_distance(order) * (gradient_norms(kernel, DRAW.points) @ lipschitz) * errors.scale
    assert (errors.error <= errors.terms).all() and (errors.terms < bound).all()
    # No looser than a factor of ten before cancellation: a bound that is always met proves nothing.
    assert (errors.terms > bound / 10).all()


@pytest.mark.parametrize("depth", [1, 2])
def test_lipschitz_constants_are_the_largest_stretch_of_gradients(depth: int) -> None:
    """Distances of gradients follow from kernels alone: Theta_l(x, x) + Theta_l(y, y) - 2 Theta_l(x, y)."""
    kernel, radius = mlp_kernel(depth, "erf", WEIGHT_STD, BIAS_STD), 2.0
    generator = np.random.default_rng(0)
    lengths = radius * np.sqrt(generator.uniform(0, 1, 100))
    angles = generator.uniform(0, 2 * np.pi, 100)
    inside = lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    near = np.linspace([0.0, 0.0], [radius, 0.0], 50)
    points = np.concatenate([inside, near, near + np.array([0.0, 1e-3])])
    kernels = kernel(points, points)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    pairs = distances > 1e-9
    lipschitz = gradient_lipschitz(kernel, radius)
    for layer, theta in enumerate((np.asarray(kernels.nngp), np.asarray(kernels.ntk - kernels.nngp))):
        norms = np.diagonal(theta)
        squares = (norms[:, None] + norms[None, :] - 2 * theta)[pairs]
        stretch = np.sqrt(np.maximum(squares, 0)) / distances[pairs]
        assert 0.98 * lipschitz[layer] < stretch.max() < 1.001 * lipschitz[layer]


def test_gradients_of_a_wide_network_have_these_norms_and_distances() -> None:
    """One network of finite width: sums over 40 000 units, each with a scatter of about its size, are good to 2 %."""
    width, (x, y) = 40_000, DRAW.points[:2]
    kernel = mlp_kernel(1, "erf", WEIGHT_STD, BIAS_STD)
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = {"w": (width, 2), "b": (width,), "a": (width,), "c": ()}
    parameters = {name: jax.random.normal(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}

    def network(p: dict[str, jax.Array], inputs: jax.Array) -> jax.Array:
        hidden = jax.scipy.special.erf(WEIGHT_STD / math.sqrt(2) * p["w"] @ inputs + BIAS_STD * p["b"])
        return WEIGHT_STD / math.sqrt(width) * p["a"] @ hidden + BIAS_STD * p["c"]

    first, second = (jax.grad(network)(parameters, jnp.asarray(point)) for point in (x, y))
    norms = gradient_norms(kernel, np.stack([x, y]))
    kernels = kernel(np.stack([x, y]), np.stack([x, y]))
    layers = {("a", "c"): np.asarray(kernels.nngp), ("w", "b"): np.asarray(kernels.ntk - kernels.nngp)}
    for place, (names, theta) in enumerate(layers.items()):
        norm = math.sqrt(sum(float(jnp.sum(first[name] ** 2)) for name in names))
        assert norm == pytest.approx(norms[0, place], rel=0.02)
        distance = sum(float(jnp.sum((first[name] - second[name]) ** 2)) for name in names)
        assert distance == pytest.approx(theta[0, 0] + theta[1, 1] - 2 * theta[0, 1], rel=0.04)


def test_a_training_set_does_not_depend_on_its_block() -> None:
    stage = DiscretisationStage(
        experiment="identities", seed=1, arm="erf", orders=(2, 4), times=(1, 10),
        network=WideNetwork(activation="erf", weight_std=WEIGHT_STD, bias_std=BIAS_STD),
        sampling=PlaneSampling(num_train=4, num_points=2, num_angles=3),
    )  # fmt: skip
    whole, part = discretisation_arrays(stage, range(3)), discretisation_arrays(stage, range(1, 3))
    assert {"error", "terms", "bound", "rounding"} <= set(whole)
    for name in ("error", "terms", "bound", "rounding"):
        assert whole[name].values.shape == (3, 2, 2, 2)
        np.testing.assert_array_equal(part[name].values, whole[name].values[1:])
    rough = stage.model_copy(update={"network": WideNetwork(activation="relu", weight_std=2.0, bias_std=0.5)})
    assert "bound" not in discretisation_arrays(rough, range(1))
