"""Solutions of dz/dt = f(z) from many states at a time: by fixed steps, which training goes through, or adaptive ones.

References:
    Adaptive steps are those of diffrax (Dormand and Prince's method of order five).
"""

from collections.abc import Callable

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from emergent.errors import ConfigError

VectorField = Callable[[Float[Array, "N d"]], Float[Array, "N d"]]
"""States to their velocities, all at a time."""
Energy = Callable[[Float[Array, "N d"]], Float[Array, " N"]]
"""States to their energies, each on its own."""

MAX_STEPS = 4096
"""Of a trajectory; a true one takes about 700 over 30 units of time where errors of a step are a millionth."""


def hamiltonian_field(energy: Energy) -> VectorField:
    """Returns the dynamics of an energy of positions and momenta (q, p): dq/dt = dH/dp, dp/dt = -dH/dq."""

    def field(states: Float[Array, "N d"]) -> Float[Array, "N d"]:
        slope = jax.grad(lambda values: energy(values).sum())(states)
        of_positions, of_momenta = jnp.split(slope, 2, -1)
        return jnp.concatenate([of_momenta, -of_positions], -1)

    return field


def runge_kutta(
    field: VectorField, start: Float[Array, "N d"], num_times: int, interval: float, steps: int
) -> Float[Array, "N T d"]:
    """Returns states at T equidistant times, the start among them, by the classical method of order four.

    Everything is a scan, through which gradients are taken step by step.

    Args:
        field: the dynamics.
        start: states at time 0.
        num_times: T.
        interval: between two times.
        steps: of equal length, in each interval.

    Raises:
        ConfigError: no time, or no step.
    """
    if num_times < 1 or steps < 1:
        raise ConfigError(f"integration: expected one time and one step or more, found {num_times} and {steps}.")
    h = interval / steps
    # Each stage begins where the one before points to, so that a scan over stages holds the field once.
    stages = jnp.asarray([[0.0, 1 / 6], [0.5, 1 / 3], [0.5, 1 / 3], [1.0, 1 / 6]], start.dtype) * h

    def step(states: Array, _: None) -> tuple[Array, None]:
        def stage(carry: tuple[Array, Array], ahead_and_weight: Array) -> tuple[tuple[Array, Array], None]:
            before, total = carry
            ahead, weight = ahead_and_weight
            velocity = field(states + ahead * before)
            return (velocity, total + weight * velocity), None

        ends, _ = jax.lax.scan(stage, (jnp.zeros_like(states), states), stages)
        return ends[1], None

    def over(states: Array, _: None) -> tuple[Array, Array]:
        after, _ = jax.lax.scan(step, states, length=steps)
        return after, after

    _, later = jax.lax.scan(over, start, length=num_times - 1)
    return jnp.concatenate([start[:, None], later.swapaxes(0, 1)], 1)


def adaptive(
    field: VectorField,
    start: Float[Array, "N d"],
    num_times: int,
    interval: float,
    rtol: float,
    atol: float,
    max_steps: int = MAX_STEPS,
) -> Float[Array, "N T d"]:
    """Returns states at T equidistant times, the start among them, by steps that each trajectory chooses itself.

    Where a trajectory leaves the range of numbers, or takes more steps than allowed, what follows is infinite.

    Args:
        field: the dynamics.
        start: states at time 0.
        num_times: T.
        interval: between two times.
        rtol: error of a step, relative to the state.
        atol: the same, absolute.
        max_steps: of a trajectory.
    """
    times = interval * jnp.arange(num_times, dtype=start.dtype)
    term = diffrax.ODETerm(lambda t, state, args: field(state[None])[0])
    controller = diffrax.PIDController(rtol=rtol, atol=atol)

    def one(state: Float[Array, " d"]) -> Float[Array, "T d"]:
        found = diffrax.diffeqsolve(
            term,
            diffrax.Dopri5(),
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=state,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=controller,
            max_steps=max_steps,
            throw=False,
        )
        return found.ys  # pyright: ignore[reportReturnType]

    return jax.vmap(one)(start)
