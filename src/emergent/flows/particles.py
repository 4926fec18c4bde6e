"""Particles in the plane under the gradient flow of a potential with mirror symmetry.

In: the stage of an arm. Out: positions of a block of particles at the configured times, in float64.

References:
    arXiv 2410.01452, schematic figure: an equivariant flow pushes an invariant law to an invariant law.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from emergent.config.flow import FlowPotential, FlowStage, FlowStart, Well
from emergent.errors import DataError
from emergent.prng import member_key
from emergent.storage import Array

# All arms push the same draws about, so that they differ in their symmetry only.
START = "start"
MIRROR = np.array([1.0, -1.0])


def initial_positions(seed: int, experiment: str, start: FlowStart, members: Sequence[int]) -> Float[np.ndarray, "M 2"]:
    """Returns where particles start; a particle's place depends on its index alone."""
    index = np.asarray(members)
    # Both particles of a pair take the draw of the first.
    source = index - index % 2 if start.paired else index
    keys = jax.vmap(lambda member: member_key(seed, experiment, START, member, "initialise"))(jnp.asarray(source))
    # In float32, so that it does not matter whether x64 is on.
    draws = np.asarray(jax.vmap(lambda key: jax.random.normal(key, (2,), jnp.float32))(keys), np.float64)
    positions = np.asarray(start.center) + start.spread * draws
    return np.where((index % 2 == 1)[:, None], positions * MIRROR, positions) if start.paired else positions


def force(potential: FlowPotential, positions: Float[np.ndarray, "M 2"]) -> Float[np.ndarray, "M 2"]:
    """Returns minus the gradient of the potential; mirrored positions have exactly mirrored forces, bit by bit."""
    x, y = positions.T
    force_x, force_y = -potential.confinement * x, -potential.confinement * y
    for well in potential.wells:
        # A well and its mirror image are added to each other first: their sum does not depend on the order.
        pair = [_pull_of_well(well.x, center, well, x, y) for center in ((well.y, -well.y) if well.y else (0.0,))]
        force_x = force_x + sum(pull[0] for pull in pair)
        force_y = force_y + sum(pull[1] for pull in pair)
    for ring in potential.rings:
        radius = np.hypot(x - ring.x, y)
        slope = _slope(radius - ring.radius, ring.depth, ring.width)
        # The profile of a ring is not smooth in its centre, where the force has no direction: none is applied.
        scale = np.divide(slope, radius, out=np.zeros_like(radius), where=radius > 0)
        force_x, force_y = force_x - scale * (x - ring.x), force_y - scale * y
    return np.stack([force_x, force_y], axis=1)


def _slope(distance: np.ndarray, depth: float, width: float) -> np.ndarray:
    return depth * np.exp(-(distance**2) / (2 * width**2)) * distance / width**2


def _pull_of_well(center_x: float, center_y: float, well: Well, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    dx, dy = (x - center_x) / well.width_x, (y - center_y) / well.width_y
    value = well.depth * np.exp(-(dx**2 + dy**2) / 2)
    return -value * dx / well.width_x, -value * dy / well.width_y


def integrate(
    potential: FlowPotential, tilt: float, start: Float[np.ndarray, "M 2"], times: Sequence[float], tolerance: float
) -> Float[np.ndarray, "T M 2"]:
    """Returns the positions at the given times of particles that follow the force, plus ``-tilt`` across the line.

    Step sizes are shared by the particles of one call: a path depends on its company within the tolerance.

    Raises:
        DataError: the integrator gave up.
    """
    push = np.array([0.0, -tilt])

    def velocity(time: float, state: np.ndarray) -> np.ndarray:
        del time
        return (force(potential, state.reshape(-1, 2)) + push).reshape(-1)

    # Of high order, because tolerances may be as small as 1e-13.
    found = solve_ivp(velocity, (times[0], times[-1]), start.reshape(-1), method="DOP853", t_eval=list(times),
                      rtol=tolerance, atol=tolerance)  # fmt: skip
    if not found.success:
        raise DataError(f"the flow could not be integrated to time {times[-1]}: {found.message} Raise the tolerance.")
    return found.y.T.reshape(len(times), -1, 2)


def flow_arrays(stage: FlowStage, members: Sequence[int]) -> dict[str, Array]:
    """Returns a block of particles as arrays to be stored.

    Args:
        stage: settings of one arm.
        members: indices over the whole cloud.
    """
    start = initial_positions(stage.seed, stage.experiment, stage.start, members)
    positions = integrate(stage.potential, stage.start.tilt, start, stage.times, stage.tolerance)
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over the whole cloud"),
        "times": Array(np.asarray(stage.times, float), ("time",), "1", "when positions were stored"),
        "positions": Array(positions, ("time", "member", "coordinate"), "1", "x along the line, y across it"),
    }
