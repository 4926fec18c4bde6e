"""Ways to learn the pendulum's dynamics: what has the symmetry built in commutes with it, to double precision."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.dynamics_training import DynamicsMethod, Family, PlainDynamics, ScalarDynamics, TensorDynamics
from emergent.dynamics.integrators import hamiltonian_field, runge_kutta
from emergent.dynamics.springs import Springs, angular_momentum, energy, initial_states
from emergent.errors import ConfigError
from emergent.groups.equivariant_maps import invariant_tensors
from emergent.groups.matrix_groups import matrix_group
from emergent.groups.tensors import TensorAction
from emergent.models.scalar_dynamics import ScalarEnergy, ScalarVelocities, scalar_products
from emergent.training.dynamics_methods import (
    STATES,
    LearnedDynamics,
    draw_about_z,
    make_dynamics,
    move_states,
    piece_error,
)
from emergent.training.dynamics_tests import equivariance_error

NUM = 30
FAMILIES: tuple[Family, ...] = ("hamiltonian", "neural_ode")
SPAN = jnp.array([-6.0, 20.0])


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def states(num: int = NUM) -> jax.Array:
    return jnp.asarray(initial_states(num, np.random.default_rng(0)))


def parameters(method: LearnedDynamics, seed: int = 5) -> Any:
    """Returns parameters with biases that are not 0."""
    start = jax.jit(method.initialise)(jax.random.key(seed))
    return jax.tree.map(lambda leaf: leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), start)


SCALARS = ScalarDynamics(method="scalars", width=8, depth=2, gaussians=10)
PLAIN = PlainDynamics(method="mlp", width=8, depth=2)


def tensors(group: Any, relaxed: bool = False) -> TensorDynamics:
    return TensorDynamics(method="tensors", group=group, relaxed=relaxed, channels=60, depth=1)


def error(family: Family, settings: DynamicsMethod, group: str) -> float:
    method = make_dynamics(family, settings)
    drawn = TensorAction.of(matrix_group(group), STATES, np.float64).draw(jax.random.key(4), NUM)
    field = method.field(parameters(method), SPAN)
    return float(jax.jit(lambda values: equivariance_error(field, values, drawn))(states()))


@pytest.mark.parametrize(("family", "group"), [("hamiltonian", "D2_z"), ("neural_ode", "O(2)_z")])
def test_layers_on_tensors_commute_with_their_group(family: Family, group: str) -> None:
    assert error(family, tensors(group), group) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("group", ["O(2)_z", "SO(2)_z", "D2_z", "D6_z"])
def test_published_layers_commute_with_their_group(group: Any) -> None:
    assert error("neural_ode", TensorDynamics(method="tensors", group=group), group) < 1e-12


@pytest.mark.parametrize("family", FAMILIES)
def test_scalars_commute_with_all_that_leaves_gravity(family: Family) -> None:
    assert error(family, SCALARS, "O(2)_z") < 1e-13


def test_networks_for_a_smaller_group_or_none_do_not_commute() -> None:
    assert error("neural_ode", tensors("SO(2)_z"), "O(2)_z") > 1e-4
    assert error("neural_ode", tensors("D2_z"), "O(2)_z") > 1e-4
    for family in FAMILIES:
        assert error(family, PLAIN, "O(2)_z") > 0.01


def test_scalars_are_thirty_and_turn_with_gravity() -> None:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    moved = move_states(states(), jnp.broadcast_to(jnp.asarray(turn), (NUM, 3, 3)))
    turned = tuple(turn @ [0, 0, -1.0])
    assert scalar_products(states()).shape == (NUM, 30)
    np.testing.assert_allclose(scalar_products(moved, turned), scalar_products(states()), atol=1e-12)
    assert float(jnp.abs(scalar_products(moved) - scalar_products(states())).max()) > 0.1
    pairs: list[tuple[Any, Any, tuple[Any, ...]]] = [
        (ScalarEnergy(8, 2), ScalarEnergy(8, 2, turned), ()),
        (ScalarVelocities(8, 2, 10), ScalarVelocities(8, 2, 10, turned), (SPAN,)),
    ]
    for module, other, given in pairs:
        start = module.init(jax.random.key(0), states(), *given)
        outputs, expected = other.apply(start, moved, *given), module.apply(start, states(), *given)
        if given:
            expected = move_states(expected, jnp.broadcast_to(jnp.asarray(turn), (NUM, 3, 3)))
        np.testing.assert_allclose(outputs, expected, atol=1e-10)


def test_gaussians_by_hand() -> None:
    module: Any = ScalarVelocities(4, 1, 3)
    start = module.init(jax.random.key(0), states(1), SPAN)
    assert start["params"]["FeedForward_0"]["Dense_0"]["kernel"].shape == (90, 4)
    # gamma is twice the distance of centres, 13 here: a scalar on a centre is seen as 1, others fall off at once.
    narrow = module.apply(start, states(1), SPAN)
    assert narrow.shape == (1, 12) and bool(jnp.isfinite(narrow).all())


@pytest.mark.parametrize("family", FAMILIES)
def test_ensembles_have_the_mean_velocities(family: Family) -> None:
    method = make_dynamics(family, PLAIN)
    several = [parameters(method, seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *several)
    expected = sum(method.field(one, SPAN)(states()) for one in several) / 3
    np.testing.assert_allclose(method.mean_field(stacked, SPAN)(states()), expected, atol=1e-12)


def test_energies_that_rotations_leave_keep_angular_momentum() -> None:
    changes = {}
    for name, settings in (("scalars", SCALARS), ("plain", PLAIN)):
        method = make_dynamics("hamiltonian", settings)
        field = method.field(jax.tree.map(lambda leaf: 0.3 * leaf, parameters(method)), SPAN)
        found = jax.jit(lambda start, field=field: runge_kutta(field, start, 10, 0.05, 4))(states())
        momenta = angular_momentum(np.asarray(found))
        changes[name] = np.abs(momenta - momenta[:, :1]).max()
    assert changes["scalars"] < 1e-6 < 1e-4 < changes["plain"]


@pytest.mark.parametrize("relaxed", [False, True])
def test_projected_layers_are_the_same_network(relaxed: bool) -> None:
    method = make_dynamics("neural_ode", tensors("D6_z", relaxed))
    start = parameters(method)
    expected = jax.jit(method.module.apply)(start, states())
    np.testing.assert_allclose(jax.jit(method.field(start, SPAN))(states()), expected, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_relaxed_layers_commute_until_their_factor_grows(family: Family) -> None:
    method = make_dynamics(family, tensors("O(2)_z", relaxed=True))
    drawn = TensorAction.of(matrix_group("O(2)_z"), STATES, np.float64).draw(jax.random.key(4), NUM)
    start = method.initialise(jax.random.key(5))
    share = start["params"]["share"]
    found = []
    for factor in (0.0, 0.3):
        start["params"]["share"] = share + factor
        field = method.field(start, SPAN)
        found.append(float(jax.jit(lambda values, field=field: equivariance_error(field, values, drawn))(states())))
    assert method.group is None and float(share) == 0 and found[0] < 1e-13 < 1e-3 < found[1]
    project = method.module.project  # pyright: ignore[reportAttributeAccessIssue]
    once, twice = project(start), project(project(start))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), once, twice)


def test_random_elements_about_z_are_uniform() -> None:
    drawn = np.asarray(draw_about_z(jax.random.key(0), 20000))
    np.testing.assert_allclose(drawn @ drawn.swapaxes(1, 2), np.broadcast_to(np.eye(3), drawn.shape), atol=1e-12)
    np.testing.assert_allclose(drawn[:, 2], np.broadcast_to([0, 0, 1.0], (20000, 3)), atol=1e-15)
    np.testing.assert_allclose(drawn.mean(0), np.diag([0, 0, 1.0]), atol=0.02)
    assert abs(np.linalg.det(drawn).mean()) < 0.02


def test_the_true_field_has_no_piece_error_and_augmentation_leaves_it() -> None:
    field = hamiltonian_field(lambda values: energy(values, Springs.of_ones()))
    pieces = runge_kutta(field, states(), 5, 0.2, 2)
    assert float(piece_error(field, pieces, 0.2, 2)) < 1e-25
    moved = move_states(pieces, draw_about_z(jax.random.key(1), NUM))
    assert float(jnp.abs(moved - pieces).max()) > 0.1
    assert float(piece_error(field, moved, 0.2, 2)) < 1e-25


@pytest.mark.parametrize("group", ["O(2)_z", "SO(2)_z", "D2_z", "D6_z"])
def test_invariant_tensors_are_as_many_as_characters_say(group: str) -> None:
    # Vectors are a scalar z and a vector of the plane, of character 1 + 2 cos(angle), or 1 under reflections.
    found = tuple(invariant_tensors(group, rank).shape[1] for rank in range(1, 5))
    angles = 2 * np.pi * np.arange(60) / 60
    order = {"D2_z": 2, "D6_z": 6}.get(group, 60)
    turns = 1 + 2 * np.cos(angles[:: 60 // order])
    expected = [np.mean(turns**rank) for rank in range(1, 5)]
    if not group.startswith("S"):
        # D2 as released: half turns, and mirrors of x or of y.
        expected = [(value + 1) / 2 for value in expected]
    assert found == tuple(round(value) for value in expected)


def test_groups_about_z_are_named() -> None:
    assert matrix_group("D6_z").discrete.shape == (2, 3, 3) and not len(matrix_group("D6_z").lie_algebra)
    assert matrix_group("C3_z").discrete.shape == (1, 3, 3)
    assert matrix_group("O(2)_z").discrete.shape == (1, 3, 3) and len(matrix_group("SO(2)_z").lie_algebra) == 1
    for name in ("D1_z", "O(3)_z", "T_z"):
        with pytest.raises(ConfigError, match="expected O"):
            matrix_group(name)
