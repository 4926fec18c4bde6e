"""Points of the plane and of space: matrices of point groups, and uniform SO(2) angles."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from emergent.errors import ConfigError
from emergent.point_groups import FiniteGroup


def point_matrices(group: FiniteGroup) -> Float[np.ndarray, "G d d"]:
    """Returns the orthogonal float64 matrix of every element, acting on column vectors of the plane or of space.

    Matrices of quarter turns and of their products with mirror images hold the exact integers 0, 1, -1.
    """
    return group.matrices


def require_plane(group: FiniteGroup, what: str) -> None:
    """Checks that a group acts on the plane.

    Raises:
        ConfigError: it acts on space; ``what`` cannot be moved by it.
    """
    if group.dimension != 2:
        raise ConfigError(f"group {group.name} turns space and cannot act on {what}: use a group of the plane, C4 ...")


def angle_matrices(angles: Float[np.ndarray, " R"]) -> Float[np.ndarray, "R 2 2"]:
    """Returns the float64 matrices of counter-clockwise rotations by ``angles`` (radians)."""
    cosine, sine = np.cos(np.asarray(angles, np.float64)), np.sin(np.asarray(angles, np.float64))
    return np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(-1, 2, 2)


def uniform_angles(key: PRNGKeyArray, num_angles: int) -> Float[Array, " R"]:
    """Returns ``num_angles`` independent angles of uniform SO(2) rotations, in [0, 2 pi) radians."""
    return jax.random.uniform(key, (num_angles,), maxval=2 * jnp.pi)
