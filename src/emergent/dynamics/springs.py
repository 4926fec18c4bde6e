"""Double pendulum whose two rods are springs: energy, law of initial states, angular momentum.

A state z = (q1, q2, p1, p2) has 12 numbers: positions and momenta of two masses in space, the pivot at the origin.
Positions, momenta and times are in the units in which the constants are 1.

References:
    arXiv 2104.09459 and arXiv 2106.06610. Their released code has no factor 1/2 in the energy of the second spring,
    which S. Villar's talk prints; here it is as in the code, which made the published numbers.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

NUM_VECTORS, DIMENSION = 4, 3
STATE = NUM_VECTORS * DIMENSION
DOWN = (0.0, 0.0, -1.0)
"""Direction of gravity."""
FIRST, SECOND = (0.0, 0.0, -1.5), (0.0, 0.0, -3.0)
"""Mean positions of both masses at the start."""
POSITION_STD, MOMENTUM_STD = 0.2, 0.4
"""Standard deviation of each coordinate at the start."""


class Springs(NamedTuple):
    """Constants of a pendulum, or of many with leading axes.

    Attributes:
        masses: of the first and the second body.
        stiffness: of the first and the second spring.
        lengths: of both springs at rest.
        gravity: acceleration, a vector.
    """

    masses: Float[Array, "... 2"]
    stiffness: Float[Array, "... 2"]
    lengths: Float[Array, "... 2"]
    gravity: Float[Array, "... 3"]

    @classmethod
    def of_ones(cls) -> "Springs":
        """Returns the pendulum all of whose constants are 1, with gravity downwards."""
        one = jnp.ones(2)
        return cls(one, one, one, jnp.asarray(DOWN))


def vectors(states: Float[Array, "... 12"]) -> tuple[Array, Array, Array, Array]:
    """Returns q1, q2, p1 and p2 [..., 3]."""
    q1, q2, p1, p2 = jnp.split(states, NUM_VECTORS, -1)
    return q1, q2, p1, p2


def energy(states: Float[Array, "... 12"], springs: Springs) -> Float[Array, "..."]:
    """Returns the Hamiltonian; the constants are those of all states, or of each.

    H = |p1|^2 / (2 m1) + |p2|^2 / (2 m2) + k1 / 2 (|q1| - l1)^2 + k2 (|q1 - q2| - l2)^2 - m1 g.q1 - m2 g.q2.
    """
    q1, q2, p1, p2 = vectors(states)
    masses, stiffness, lengths, gravity = (
        jnp.broadcast_to(part, (*states.shape[:-1], part.shape[-1])).astype(states.dtype) for part in springs
    )

    def square(vector: Array) -> Array:
        return jnp.square(vector).sum(-1)

    m1, m2 = masses[..., 0], masses[..., 1]
    first = stiffness[..., 0] / 2 * jnp.square(jnp.sqrt(square(q1)) - lengths[..., 0])
    second = stiffness[..., 1] * jnp.square(jnp.sqrt(square(q1 - q2)) - lengths[..., 1])
    kinetic = square(p1) / (2 * m1) + square(p2) / (2 * m2)
    return kinetic + first + second - m1 * (gravity * q1).sum(-1) - m2 * (gravity * q2).sum(-1)


def initial_states(num: int, generator: np.random.Generator) -> Float[np.ndarray, "num 12"]:
    """Returns random states: normal about both masses hanging down at rest.

    A smaller number of states is the beginning of a larger one.
    """
    normals = generator.standard_normal((num, STATE))
    stds = np.repeat([POSITION_STD, POSITION_STD, MOMENTUM_STD, MOMENTUM_STD], DIMENSION)
    return np.concatenate([FIRST, SECOND, np.zeros(2 * DIMENSION)]) + stds * normals


def angular_momentum(states: Float[np.ndarray, "... 12"]) -> Float[np.ndarray, "..."]:
    """Returns the component along z of q1 x p1 + q2 x p2, which gravity and the springs keep."""
    q1, q2, p1, p2 = np.split(np.asarray(states, np.float64), NUM_VECTORS, -1)
    return sum(q[..., 0] * p[..., 1] - q[..., 1] * p[..., 0] for q, p in ((q1, p1), (q2, p2)))  # pyright: ignore


def draw_springs(
    num: int,
    low: float,
    high: float,
    gravity: tuple[float, float],
    generator: np.random.Generator,
) -> Springs:
    """Returns random pendulums: six uniform constants each, and gravity in a uniform direction.

    Args:
        num: pendulums.
        low: smallest mass, stiffness and length.
        high: largest.
        gravity: smallest and largest acceleration.
        generator: of all of them.
    """
    masses, stiffness, lengths = np.split(generator.uniform(low, high, (num, 6)), 3, 1)
    direction = generator.standard_normal((num, DIMENSION))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return Springs(masses, stiffness, lengths, generator.uniform(*gravity, (num, 1)) * direction)  # pyright: ignore


class UnitChange(NamedTuple):
    """How many new units an old one is: of mass, length and time, one number or one for each state.

    A mass m becomes ``mass * m``; positions, momenta and the constants of pendulums become what their dimensions say.
    """

    mass: Float[Array, " N"]
    length: Float[Array, " N"]
    time: Float[Array, " N"]

    @property
    def of_energy(self) -> Float[Array, " N"]:
        """What energies become multiples by."""
        return self.mass * self.length**2 / self.time**2

    def of_state(self) -> Float[Array, "N 12"]:
        """What the entries of states become multiples by."""
        momentum = self.mass * self.length / self.time
        parts = jnp.stack(jnp.broadcast_arrays(self.length, self.length, momentum, momentum), -1)
        return jnp.repeat(parts, DIMENSION, -1)

    def of_velocity(self) -> Float[Array, "N 12"]:
        """What the entries of dz/dt become multiples by."""
        return self.of_state() / jnp.asarray(self.time)[..., None]

    def of_springs(self, springs: Springs) -> Springs:
        """Returns the constants in new units."""
        stiffness, acceleration = self.mass / self.time**2, self.length / self.time**2
        factors = (self.mass, stiffness, self.length, acceleration)
        return Springs(*(jnp.asarray(factor)[..., None] * part for factor, part in zip(factors, springs, strict=True)))
