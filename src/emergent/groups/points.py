"""Rotations of points of the plane: matrices of its point groups, and uniform SO(2) angles."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from emergent.point_groups import FiniteGroup


def point_matrices(group: FiniteGroup) -> Float[np.ndarray, "G 2 2"]:
    """Returns the orthogonal float64 matrix of every element, acting on column vectors (x right, y up).

    Matrices of quarter turns and of their products with the mirror image x -> -x hold the exact integers 0, 1, -1.
    """
    cosine, sine = np.cos(group.angles), np.sin(group.angles)
    # cos(pi / 2) is 6e-17 in floating point; the image actions recognise exact elements by their integers.
    exact = 4 * (np.arange(group.order) % group.num_rotations) % group.num_rotations == 0
    cosine, sine = np.where(exact, np.rint(cosine), cosine), np.where(exact, np.rint(sine), sine)
    matrices = np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(-1, 2, 2)
    matrices[group.reflections, :, 0] *= -1
    return matrices


def angle_matrices(angles: Float[np.ndarray, " R"]) -> Float[np.ndarray, "R 2 2"]:
    """Returns the float64 matrices of counter-clockwise rotations by ``angles`` (radians)."""
    cosine, sine = np.cos(np.asarray(angles, np.float64)), np.sin(np.asarray(angles, np.float64))
    return np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(-1, 2, 2)


def uniform_angles(key: PRNGKeyArray, num_angles: int) -> Float[Array, " R"]:
    """Returns ``num_angles`` independent angles of uniform SO(2) rotations, in [0, 2 pi) radians."""
    return jax.random.uniform(key, (num_angles,), maxval=2 * jnp.pi)
