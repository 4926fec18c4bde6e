"""Springy double pendulum: its energy by hand, what its dynamics keep, its symmetry, and both integrators."""

import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from emergent.dynamics.integrators import VectorField, adaptive, hamiltonian_field, runge_kutta
from emergent.dynamics.springs import Springs, angular_momentum, energy, initial_states
from emergent.dynamics.trajectories import draw_pieces, require_finite, true_states
from emergent.errors import ConfigError, DataError

NUM = 20


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def starts(num: int = NUM) -> jax.Array:
    return jnp.asarray(initial_states(num, np.random.default_rng(0)))


def field(springs: Springs | None = None) -> VectorField:
    return hamiltonian_field(lambda states: energy(states, springs or Springs.of_ones()))


def exact(num: int, num_times: int, tolerance: float = 1e-10) -> jax.Array:
    return jax.jit(lambda states: adaptive(field(), states, num_times, 0.2, tolerance, tolerance))(starts(num))


def fixed(num: int, num_times: int, steps: int) -> jax.Array:
    return jax.jit(lambda states: runge_kutta(field(), states, num_times, 0.2, steps))(starts(num))


def test_energy_by_hand() -> None:
    state = jnp.array([0, 0, -2.0, 0, 3.0, -6.0, 1.0, 2.0, 0, 0, 0, 4.0])
    # Springs of length 2 and 5; the second has no factor 1/2.
    assert energy(state, Springs.of_ones()) == pytest.approx(2.5 + 8 + 0.5 * 1 + 1.0 * 16 - 2 - 6)
    springs = Springs(jnp.array([2.0, 4.0]), jnp.array([3.0, 5.0]), jnp.array([1.5, 4.0]), jnp.array([0, 1.0, -2.0]))
    expected = 5 / 4 + 16 / 8 + 1.5 * 0.25 + 5 * 1 - 2 * 4 - 4 * (3 + 12)
    assert energy(state, springs) == pytest.approx(expected)
    many = Springs(*(jnp.stack([a, b]) for a, b in zip(Springs.of_ones(), springs, strict=True)))
    np.testing.assert_allclose(energy(jnp.stack([state, state]), many), [19.0, expected])


def test_velocities_are_those_of_newton() -> None:
    q1, q2, p1, p2 = np.split(np.asarray(starts()), 4, 1)
    lengths = [np.linalg.norm(v, axis=1, keepdims=True) for v in (q1, q1 - q2)]
    first = -(lengths[0] - 1) * q1 / lengths[0]
    second = -2 * (lengths[1] - 1) * (q1 - q2) / lengths[1]
    down = np.array([0, 0, -1.0])
    expected = np.concatenate([p1, p2, first + second + down, -second + down], 1)
    np.testing.assert_allclose(field()(starts()), expected, atol=1e-12)


def test_adaptive_steps_agree_with_another_library() -> None:
    found = np.asarray(exact(3, 20))
    times = 0.2 * np.arange(20)
    velocity = jax.jit(lambda state: field()(state[None])[0])
    for start, ours in zip(np.asarray(starts(3)), found, strict=True):
        theirs = solve_ivp(lambda _, z: velocity(z), (0, times[-1]), start, "DOP853", times, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours, theirs.y.T, atol=1e-8)


def test_fixed_steps_are_of_order_four() -> None:
    errors = [float(jnp.abs(fixed(NUM, 6, steps) - exact(NUM, 6)).max()) for steps in (2, 4, 8)]
    assert all(13 < coarse / fine < 19 for coarse, fine in itertools.pairwise(errors))
    np.testing.assert_array_equal(runge_kutta(field(), starts(), 1, 0.2, 2)[:, 0], starts())
    with pytest.raises(ConfigError, match="one time and one step or more, found 5 and 0"):
        runge_kutta(field(), starts(), 5, 0.2, 0)


def test_four_steps_to_an_interval_are_as_exact_as_published_tolerances() -> None:
    # What rollouts rest on, see ``benchmarks/pendulum.py``.
    published = jnp.abs(exact(NUM, 60, 2e-6) - exact(NUM, 60)).max()
    assert float(jnp.abs(fixed(NUM, 60, 4) - exact(NUM, 60)).max()) < 0.5 * float(published)


def test_energy_and_angular_momentum_are_kept() -> None:
    states = exact(NUM, 50)
    energies, momenta = np.asarray(energy(states, Springs.of_ones())), angular_momentum(np.asarray(states))
    np.testing.assert_allclose(energies, np.broadcast_to(energies[:, :1], energies.shape), atol=1e-7)
    np.testing.assert_allclose(momenta, np.broadcast_to(momenta[:, :1], momenta.shape), atol=1e-7)
    # A wind along x turns about z.
    windy = Springs.of_ones()._replace(gravity=jnp.array([0.3, 0, -1.0]))
    blown = angular_momentum(np.asarray(runge_kutta(field(windy), starts(), 50, 0.2, 4)))
    assert np.abs(blown - blown[:, :1]).max() > 0.1


def test_rotations_move_energy_nowhere_if_gravity_turns_too() -> None:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    moved = (starts().reshape(-1, 4, 3) @ turn.T).reshape(-1, 12)
    springs = Springs.of_ones()
    turned = springs._replace(gravity=turn @ springs.gravity)
    np.testing.assert_allclose(energy(moved, turned), energy(starts(), springs), atol=1e-12)
    assert float(jnp.abs(energy(moved, springs) - energy(starts(), springs)).max()) > 0.1


def test_gradients_go_through_fixed_steps() -> None:
    @jax.jit
    def end(factor: jax.Array) -> jax.Array:
        springs = Springs.of_ones()
        scaled = springs._replace(stiffness=factor * springs.stiffness)
        return runge_kutta(field(scaled), starts(2), 5, 0.2, 2)[:, -1].sum()

    slope = (end(jnp.float64(1 + 1e-6)) - end(jnp.float64(1 - 1e-6))) / 2e-6
    np.testing.assert_allclose(jax.grad(end)(jnp.float64(1)), slope, rtol=1e-6)


def test_starts_have_their_law() -> None:
    states = initial_states(20000, np.random.default_rng(3))
    np.testing.assert_allclose(states.mean(0), [0, 0, -1.5, 0, 0, -3, *[0] * 6], atol=0.015)
    np.testing.assert_allclose(states.std(0), [0.2] * 6 + [0.4] * 6, rtol=0.03)
    np.testing.assert_array_equal(initial_states(5, np.random.default_rng(3)), states[:5])


def test_pieces_are_of_trajectories() -> None:
    pieces, followed = draw_pieces(NUM, 30, 5, 0.2, 1e-9, np.random.default_rng(4))
    assert pieces.shape == (NUM, 5, 12)
    np.testing.assert_array_equal(followed[:, :5], pieces)
    np.testing.assert_allclose(true_states(pieces[:, 0], 30, 0.2, 1e-9), followed, atol=1e-5)
    # At all times, and not at the start alone.
    start = initial_states(NUM, np.random.default_rng(4))
    at_once = np.abs(pieces[:, 0] - start).max(1) < 1e-9
    assert 0 < at_once.sum() < NUM / 2
    with pytest.raises(ConfigError, match="pieces of 4 points do not divide trajectories of 30"):
        draw_pieces(NUM, 30, 4, 0.2, 1e-6, np.random.default_rng(0))


def test_trajectories_that_leave_the_range_of_numbers_are_named() -> None:
    wild = np.asarray(starts(3)).copy()
    wild[1, :3] = 1e200
    with pytest.raises(DataError, match=r"trajectory 1 leaves the range .* at step \d"):
        true_states(wild, 5, 0.2, 1e-6)
    states = np.zeros((4, 5, 12))
    states[2, 3, 1] = np.nan
    with pytest.raises(DataError, match=r"trajectory 2 leaves the range .* at step 3 \(time 0.6\)"):
        require_finite(states, 0.2)
