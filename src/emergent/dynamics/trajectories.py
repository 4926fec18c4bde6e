"""Pieces of true trajectories of the springy double pendulum: random starts, integrated and cut.

In: how many, on which times, and a generator. Out: of every trajectory one piece, at a random time, and how it goes on.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from emergent.dynamics.integrators import adaptive, hamiltonian_field
from emergent.dynamics.springs import Springs, energy, initial_states
from emergent.errors import ConfigError, DataError


def true_states(
    start: Float[np.ndarray, "N 12"], num_times: int, interval: float, tolerance: float, springs: Springs | None = None
) -> Float[np.ndarray, "N T 12"]:
    """Returns the true trajectories of pendulums at T equidistant times, the start among them.

    Args:
        start: states at time 0.
        num_times: T.
        interval: between two times.
        tolerance: error of a step, absolute and relative.
        springs: constants of each pendulum; None for ones, with gravity downwards.

    Raises:
        DataError: one leaves the range of numbers (named with its time).
    """
    # In the precision of JAX: an array of NumPy would be one of 64 bits.
    given = springs and Springs(*(jnp.asarray(part) for part in springs))
    found = np.asarray(_solve(jnp.asarray(start), given, num_times, interval, tolerance))
    require_finite(found, interval)
    return found


@partial(jax.jit, static_argnums=(2, 3, 4))
def _solve(
    start: Float[Array, "N 12"], springs: Springs | None, num_times: int, interval: float, tolerance: float
) -> Float[Array, "N T 12"]:
    def several(start: Float[Array, "n 12"], springs: Springs) -> Float[Array, "n T 12"]:
        field = hamiltonian_field(lambda states: energy(states, springs))
        return adaptive(field, start, num_times, interval, tolerance, tolerance)

    if springs is None:
        return several(start, Springs.of_ones())
    return jax.vmap(lambda state, own: several(state[None], own)[0])(start, springs)


def require_finite(states: Float[np.ndarray, "N T d"], interval: float) -> None:
    """Checks trajectories.

    Raises:
        DataError: one has a number that is not finite; the message names it and the first time.
    """
    bad = np.argwhere(~np.isfinite(states))
    if len(bad):
        index, time = (int(number) for number in bad[0, :2])
        raise DataError(
            f"trajectory {index} leaves the range of numbers, or takes too many steps, at step {time} (time "
            f"{time * interval:g}); nothing was written. Start it nearer to rest, or raise the tolerance of its "
            "integration."
        )


def draw_pieces(
    num: int,
    num_times: int,
    piece: int,
    interval: float,
    tolerance: float,
    generator: np.random.Generator,
    springs: Springs | None = None,
    follow: bool = True,
) -> tuple[Float[np.ndarray, "N P 12"], Float[np.ndarray, "N T 12"]]:
    """Returns one piece each of random trajectories, and the trajectory from the beginning of the piece on.

    A piece is chosen uniformly among the consecutive ones of the first T points that do not overlap.

    Args:
        num: trajectories.
        num_times: T, points of a trajectory, ``interval`` apart.
        piece: P, points of a piece; divides ``num_times``.
        interval: between two points.
        tolerance: of the integration.
        generator: of starts and pieces.
        springs: constants of each pendulum; None for ones, with gravity downwards.
        follow: trajectories go on for T points from the beginning of the piece; otherwise no further than the piece.

    Raises:
        ConfigError: pieces do not divide trajectories.
        DataError: a trajectory leaves the range of numbers.
    """
    if num_times % piece:
        raise ConfigError(f"pieces of {piece} points do not divide trajectories of {num_times}; choose a divisor.")
    # In one run, so that the last piece too can be followed for as long.
    total, kept = (2 * num_times - piece, num_times) if follow else (num_times, piece)
    states = true_states(initial_states(num, generator), total, interval, tolerance, springs)
    begins = piece * generator.integers(num_times // piece, size=num)
    followed = states[np.arange(num)[:, None], begins[:, None] + np.arange(kept)]
    return followed[:, :piece], followed
