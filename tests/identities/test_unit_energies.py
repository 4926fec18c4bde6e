"""Pendulums in other units: dimensions of what networks see, exact equivariance, and the same motion in all units."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.dynamics.integrators import hamiltonian_field
from emergent.dynamics.springs import Springs, UnitChange, draw_springs, energy, initial_states
from emergent.dynamics.trajectories import draw_pieces, true_states
from emergent.models.unit_energies import (
    NUM_ENERGIES,
    NUM_INPUTS,
    Scaling,
    UnitEnergy,
    dimensionless_inputs,
    energies,
    plain_inputs,
)

NUM = 6


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def pendulums() -> tuple[jax.Array, Springs]:
    generator = np.random.default_rng(0)
    springs = draw_springs(NUM, 1.0, 2.0, (1.0, 2.0), generator)
    return jnp.asarray(initial_states(NUM, generator)), Springs(*(jnp.asarray(part) for part in springs))


def change(**given: float) -> UnitChange:
    return UnitChange(*(jnp.full(NUM, given.get(name, 1.0)) for name in ("mass", "length", "time")))


ALL = {"mass": 3.0, "length": 0.4, "time": 1.7}


def test_pendulums_have_their_law() -> None:
    springs = draw_springs(20000, 1.0, 2.0, (1.0, 3.0), np.random.default_rng(1))
    constants = np.concatenate([springs.masses, springs.stiffness, springs.lengths], 1)
    assert constants.min() >= 1 and constants.max() <= 2
    np.testing.assert_allclose(constants.mean(0), 1.5, atol=0.01)
    pull = np.linalg.norm(springs.gravity, axis=1)
    assert pull.min() >= 1 and pull.max() <= 3
    np.testing.assert_allclose(pull.mean(), 2.0, atol=0.02)
    np.testing.assert_allclose((springs.gravity / pull[:, None]).mean(0), 0, atol=0.02)


def test_motion_is_the_same_in_all_units() -> None:
    states, springs = pendulums()
    own = change(**ALL)
    moved, others = states * own.of_state(), own.of_springs(springs)
    np.testing.assert_allclose(energy(moved, others), energy(states, springs) * own.of_energy, rtol=1e-12)
    given = hamiltonian_field(lambda z: energy(z, springs))(states)
    found = hamiltonian_field(lambda z: energy(z, others))(moved)
    np.testing.assert_allclose(found, given * own.of_velocity(), rtol=1e-10, atol=1e-12)
    # A change of the unit of mass leaves times as they are, so that whole trajectories can be compared.
    heavy = change(mass=5.0)
    start = np.asarray(states)
    truth = true_states(start, 20, 0.2, 1e-11, springs)
    again = true_states(start * np.asarray(heavy.of_state()), 20, 0.2, 1e-11, heavy.of_springs(springs))
    np.testing.assert_allclose(again, truth * np.asarray(heavy.of_state())[:, None], rtol=1e-6, atol=1e-7)


def test_every_pendulum_moves_by_its_own_constants() -> None:
    states, springs = pendulums()
    together = true_states(np.asarray(states), 10, 0.2, 1e-10, springs)
    for index in (0, 3):
        alone = Springs(*(part[index : index + 1] for part in springs))
        found = true_states(np.asarray(states)[index : index + 1], 10, 0.2, 1e-10, alone)
        np.testing.assert_allclose(found[0], together[index], atol=1e-12)
    assert np.abs(true_states(np.asarray(states), 10, 0.2, 1e-10) - together).max() > 0.1


def test_pieces_end_where_they_need_not_go_on() -> None:
    _, springs = pendulums()
    given = (NUM, 20, 5, 0.2, 1e-9)
    pieces, followed = draw_pieces(*given, np.random.default_rng(4), springs)
    shorter, same = draw_pieces(*given, np.random.default_rng(4), springs, follow=False)
    assert followed.shape == (NUM, 20, 12) and same.shape == shorter.shape == (NUM, 5, 12)
    np.testing.assert_allclose(shorter, pieces, atol=1e-6)


def test_dimensions_of_what_networks_see() -> None:
    states, springs = pendulums()
    own = change(**ALL)
    moved, others = states * own.of_state(), own.of_springs(springs)
    pure = dimensionless_inputs(states, springs)
    assert pure.shape == (NUM, NUM_INPUTS) and plain_inputs(states, springs).shape == (NUM, NUM_INPUTS)
    np.testing.assert_allclose(dimensionless_inputs(moved, others), pure, rtol=1e-10)
    found = energies(states, springs)
    assert found.shape == (NUM, NUM_ENERGIES)
    np.testing.assert_allclose(energies(moved, others), found * own.of_energy[:, None], rtol=1e-10)
    # Ratios of constants do not move, of numbers with units nearly all do.
    ratio = plain_inputs(moved, others) / plain_inputs(states, springs)
    assert (jnp.abs(ratio - 1) > 0.01).all()
    # No two of them are the same number.
    for seen in (pure, found, plain_inputs(states, springs)):
        scaled = np.asarray(seen) / np.linalg.norm(seen, axis=0)
        assert (np.abs(scaled.T @ scaled) - np.eye(seen.shape[1])).max() < 1 - 1e-9


def test_inputs_by_hand() -> None:
    one = jnp.ones((1, 2))
    springs = Springs(2 * one, 3 * one, one, jnp.array([[0.0, 0.0, -2.0]]))
    state = jnp.array([[0, 0, -1.0, 0, 0, -3.0, 1.0, 0, 0, 0, 2.0, 0]])
    pure = np.asarray(dimensionless_inputs(state, springs))[0]
    np.testing.assert_allclose(pure[:6], 1)
    # How far each mass stretches its spring, and the inverse.
    np.testing.assert_allclose(pure[6:10], [4 / 3, 4 / 3, 3 / 4, 3 / 4])
    np.testing.assert_allclose(pure[10:14], [0, 0, 1, 1])
    np.testing.assert_allclose(pure[14:20], [0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(pure[20:24], [1 / 6**0.5, 2 / 6**0.5, 1, 2])
    np.testing.assert_allclose(pure[24:], np.square(pure[[6, 7, 8, 9, 20, 21, 22, 23]]))
    own = np.asarray(energies(state, springs))[0]
    np.testing.assert_allclose(own[:12], 3 * np.array([1, 1, 1, 1, 4, 2, 1, 1, 1, 1, 4, 2]))
    np.testing.assert_allclose(own[12:18], np.array([1, 4, 0, 1, 4, 0]) / 2)
    np.testing.assert_allclose(own[18:], 2 * np.array([2, 4, 2, 2, 2, 4, 2, 2]))


@pytest.mark.parametrize(
    ("dimensionless", "shifted", "error"), [(True, False, 0.0), (True, True, 1e-3), (False, True, 1e-3)]
)
def test_only_energies_that_are_not_shifted_are_the_same_in_all_units(
    dimensionless: bool, shifted: bool, error: float
) -> None:
    states, springs = pendulums()
    inputs = (dimensionless_inputs if dimensionless else plain_inputs)(states, springs)
    scaling = Scaling.over(inputs, energies(states, springs))
    module = UnitEnergy(8, 2, dimensionless, shifted)
    parameters = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float64), module.init(jax.random.key(0), states, springs, scaling)
    )
    own = change(**ALL)

    def velocities(z: jax.Array, of: Springs) -> jax.Array:
        return hamiltonian_field(lambda z: module.apply(parameters, z, of, scaling))(z)  # pyright: ignore

    found = velocities(states * own.of_state(), own.of_springs(springs)) / own.of_velocity()
    away = float(jnp.abs(found - velocities(states, springs)).max())
    assert away < 1e-10 if error == 0 else away > error


def test_energies_do_not_see_rotations() -> None:
    states, springs = pendulums()
    turn = jnp.asarray(np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0])
    moved = (states.reshape(-1, 4, 3) @ turn.T).reshape(-1, 12)
    turned = springs._replace(gravity=springs.gravity @ turn.T)
    for function in (plain_inputs, dimensionless_inputs, energies):
        np.testing.assert_allclose(function(moved, turned), function(states, springs), atol=1e-10)
