"""Ways to learn functions with a symmetry: those that have it built in commute with the group, to double precision."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.data_efficiency_training import (
    SUBGROUPS,
    FrameMethod,
    Function,
    Method,
    PlainMethod,
    ScalarMethod,
    TensorMethod,
)
from emergent.datasets.symmetric_functions import DRAW, inertia, o5_invariant, scattering
from emergent.groups.matrix_groups import matrix_group
from emergent.groups.tensors import TensorAction, TensorSpace, exponential, move
from emergent.models.scalar_networks import all_signs, frame_coordinates
from emergent.models.tensor_layers import spread_channels
from emergent.training.symmetric_methods import Spaces, equivariance_error, make_method

FUNCTIONS: tuple[Function, ...] = ("o5_invariant", "inertia", "scattering")
NUM = 40


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def elements(spaces: Spaces, num: int = NUM) -> jax.Array:
    return TensorAction.of(spaces.group, spaces.inputs, np.float64).draw(jax.random.key(3), num)


@pytest.mark.parametrize("name", ["O(5)", "O(3)", "O(1,3)", "SO+(1,3)"])
def test_drawn_elements_keep_the_metric_and_reach_all_components(name: str) -> None:
    group = matrix_group(name)
    drawn = np.asarray(
        TensorAction.of(group, TensorSpace(group.dimension, ((1, 1),)), np.float64).draw(jax.random.key(0), 400)
    )
    eta = np.diag(group.metric)
    np.testing.assert_allclose(np.einsum("nji,jk,nkl->nil", drawn, eta, drawn), np.broadcast_to(eta, drawn.shape),
                               atol=1e-11)  # fmt: skip
    np.testing.assert_allclose(group.inverse(drawn) @ drawn, np.broadcast_to(np.eye(len(eta)), drawn.shape), atol=1e-11)
    signs = set(np.round(np.linalg.det(drawn)))
    assert signs == ({1.0} if name.startswith("S") else {1.0, -1.0})
    if "1,3" in name:
        assert set(np.sign(drawn[:, 0, 0])) == ({1.0} if name == "SO+(1,3)" else {1.0, -1.0})


def test_exponential_is_that_of_the_library() -> None:
    generators = jax.random.normal(jax.random.key(1), (4, 4, 10))
    expected = jax.vmap(jax.scipy.linalg.expm, 2, 2)(generators)
    np.testing.assert_allclose(exponential(generators), expected, rtol=1e-11, atol=1e-11)


def test_tensors_move_as_their_definition_says() -> None:
    space, group = TensorSpace(3, ((1, 0), (2, 1), (1, 2))), matrix_group("SO(3)")
    values = jax.random.normal(jax.random.key(2), (NUM, space.size))
    drawn = TensorAction.of(group, space, np.float64).draw(jax.random.key(3), NUM)
    scalar, vectors, matrix = space.split(move(space, values, drawn))
    before = space.split(values)
    np.testing.assert_array_equal(scalar, before[0])
    np.testing.assert_allclose(vectors, jnp.einsum("nij,nmj->nmi", drawn, before[1]), atol=1e-13)
    turned = drawn @ before[2].reshape(-1, 3, 3) @ drawn.swapaxes(1, 2)
    np.testing.assert_allclose(matrix[:, 0], turned.reshape(NUM, 9), atol=1e-12)
    with pytest.raises(ValueError, match=r"expected \[N, 16\]"):
        move(space, values[:, 1:], drawn)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_have_their_symmetry(function: Function) -> None:
    spaces = Spaces.of(function)
    drawn = DRAW[function](NUM, np.random.default_rng(0))
    moved = np.asarray(move(spaces.inputs, jnp.asarray(drawn.inputs), elements(spaces)))
    expected = move(spaces.outputs, jnp.asarray(drawn.targets), elements(spaces))
    if function == "o5_invariant":
        found = o5_invariant(moved.reshape(-1, 2, 5))[:, None]
    elif function == "inertia":
        found = inertia(moved[:, :5], moved[:, 5:].reshape(-1, 5, 3)).reshape(-1, 9)
    else:
        found = scattering(moved.reshape(-1, 4, 4))[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def require_commuting(function: Function, settings: Method) -> None:
    """Checks a network with biases that are not 0 on elements of its own group."""
    spaces, method = Spaces.of(function), make_method(function, settings)
    inputs = jnp.asarray(DRAW[function](NUM, np.random.default_rng(1)).inputs)
    group = matrix_group(settings.group) if isinstance(settings, TensorMethod) else spaces.group
    drawn = TensorAction.of(group, spaces.inputs, np.float64).draw(jax.random.key(4), NUM)
    parameters = jax.jit(method.module.init)(jax.random.key(5), jnp.zeros((1, method.num_inputs)))
    parameters = jax.tree.map(lambda leaf: leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), parameters)
    outputs = jax.jit(partial(method.outputs, parameters))
    first, second = outputs(move(spaces.inputs, inputs, drawn)), move(spaces.outputs, outputs(inputs), drawn)
    scale = float(jnp.abs(second).max())
    assert method.equivariant and scale > 1e-3
    # Axes of nearly equal length magnify rounding.
    tolerance = 1e-9 if isinstance(settings, FrameMethod) and function == "scattering" else 1e-12
    np.testing.assert_allclose(first / scale, second / scale, atol=tolerance, err_msg=str(settings))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("method", ["frames", "scalars", "tensors"])
def test_what_is_called_equivariant_commutes_with_the_group(function: Function, method: str) -> None:
    group = {"o5_invariant": "O(5)", "inertia": "SO(3)", "scattering": "O(1,3)"}[function]
    settings: dict[str, Method] = {
        "frames": FrameMethod(method="frames", width=8, depth=2),
        "scalars": ScalarMethod(method="scalars", width=8, depth=1),
        "tensors": TensorMethod(method="tensors", group=group, channels=60, depth=1),
    }
    require_commuting(function, settings[method])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "group"), [(function, group) for function in FUNCTIONS for group in SUBGROUPS[function]]
)
def test_deep_networks_on_tensors_commute_with_all_groups(function: Function, group: str) -> None:
    require_commuting(function, TensorMethod(method="tensors", group=group, channels=400, depth=2))


def test_a_network_for_rotations_does_not_commute_with_reflections() -> None:
    spaces = Spaces.of("inertia")
    method = make_method("inertia", TensorMethod(method="tensors", group="SO(3)", channels=60, depth=1))
    inputs = jnp.asarray(DRAW["inertia"](NUM, np.random.default_rng(1)).inputs)
    parameters = jax.jit(method.module.init)(jax.random.key(5), jnp.zeros((1, method.num_inputs)))
    reflection = jnp.broadcast_to(jnp.asarray(spaces.group.discrete[0])[None], (NUM, 3, 3))
    outputs = jax.jit(partial(method.outputs, parameters))
    first = outputs(move(spaces.inputs, inputs, reflection))
    assert float(jnp.abs(first - move(spaces.outputs, outputs(inputs), reflection)).max()) > 1e-6


def test_relaxed_networks_start_equivariant_and_leave_it() -> None:
    spaces = Spaces.of("inertia")
    settings = TensorMethod(method="tensors", group="O(3)", channels=60, depth=1, relaxed=True)
    method = make_method("inertia", settings)
    inputs, drawn = jnp.asarray(DRAW["inertia"](NUM, np.random.default_rng(1)).inputs), elements(spaces)
    start = jax.jit(method.module.init)(jax.random.key(5), jnp.zeros((1, method.num_inputs)))

    def difference(parameters: Any) -> float:
        outputs = partial(method.outputs, parameters)
        moved, expected = outputs(move(spaces.inputs, inputs, drawn)), move(spaces.outputs, outputs(inputs), drawn)
        return float(jnp.abs(moved - expected).max() / jnp.abs(expected).max())

    assert not method.equivariant and difference(start) < 1e-12
    # The factor learns although it is 0, and the free network with it afterwards.
    slope = jax.grad(lambda parameters: jnp.square(method.outputs(parameters, inputs) - 1).mean())(start)
    assert float(jnp.abs(slope["params"]["share"])) > 1e-3
    freed = {"params": {**start["params"], "share": jnp.asarray(0.5)}}
    assert difference(freed) > 0.01


def test_plain_networks_are_not_equivariant_and_are_measured_so() -> None:
    spaces, method = Spaces.of("inertia"), make_method("inertia", PlainMethod(method="mlp", width=16))
    inputs = jnp.asarray(DRAW["inertia"](NUM, np.random.default_rng(1)).inputs)
    parameters = method.module.init(jax.random.key(5), jnp.zeros((1, method.num_inputs)))
    drawn = elements(spaces)
    first = method.outputs(parameters, move(spaces.inputs, inputs, drawn))
    second = move(spaces.outputs, method.outputs(parameters, inputs), drawn)
    error = equivariance_error(np.asarray(first), np.asarray(second), np.asarray(drawn), NUM // 2)
    assert not method.equivariant and error > 0.01
    # By hand, on the first half and the second.
    halves = []
    for part in (slice(0, NUM // 2), slice(NUM // 2, NUM)):
        a, b, g = np.asarray(first[part]), np.asarray(second[part]), np.asarray(drawn[part])
        roots = [np.sqrt(np.mean(values**2)) for values in (a - b, a, b)]
        halves.append(roots[0] / (roots[1] + roots[2] + np.abs(g - np.eye(3)).mean()))
    np.testing.assert_allclose(error, np.mean(halves), rtol=1e-12)


@pytest.mark.parametrize("function", ["inertia", "scattering"])
def test_augmented_outputs_are_moved_back(function: Function) -> None:
    # For an equivariant network in place of the plain one augmentation changes nothing.
    spaces, method = Spaces.of(function), make_method(function, PlainMethod(method="mlp", augmented=True))
    drawn = DRAW[function](NUM, np.random.default_rng(1))
    exact = make_method(function, ScalarMethod(method="scalars", width=8, depth=1))
    parameters = exact.module.init(jax.random.key(5), jnp.zeros((1, exact.num_inputs)))
    network, inputs = partial(exact.outputs, parameters), jnp.asarray(drawn.inputs)
    moved = method.augmented(network, inputs, elements(spaces))
    np.testing.assert_allclose(moved, network(inputs), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("function", "axes"), [("o5_invariant", 2), ("inertia", 3), ("scattering", 4)])
def test_frames_are_orthonormal_in_the_metric_and_hold_the_vectors(function: Function, axes: int) -> None:
    spaces = Spaces.of(function)
    vectors = spaces.inputs.vectors(jnp.asarray(DRAW[function](NUM, np.random.default_rng(1)).inputs))
    coordinates, frame, metric = frame_coordinates(vectors, spaces.group.metric)
    assert metric.tolist() == spaces.group.metric[:axes].tolist() and len(all_signs(axes)) == 2**axes
    products = jnp.einsum("ndr,d,nds->nrs", frame, jnp.asarray(spaces.group.metric), frame)
    np.testing.assert_allclose(products, np.broadcast_to(np.diag(metric), products.shape), atol=1e-9)
    np.testing.assert_allclose(jnp.einsum("ndr,nkr->nkd", frame, coordinates), vectors, atol=1e-10)


def test_channels_are_spread_as_published() -> None:
    assert spread_channels(128, 3).types == ((38, 0), (12, 1), (3, 2), (1, 3))
    for dimension in (3, 4, 5):
        assert spread_channels(384, dimension).size == 384
