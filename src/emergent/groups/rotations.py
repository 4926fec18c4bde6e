"""Uniform (Haar) rotations of space, drawn on the device."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from emergent.groups.fitting import require


def random_rotations(key: PRNGKeyArray, num_rotations: int) -> Float[Array, "R 3 3"]:
    """Returns independent Haar-uniform rotation matrices, acting on column vectors.

    A Gaussian vector in R^4 has a uniform direction, and unit quaternions cover SO(3) evenly (twice).
    """
    quaternions = jax.random.normal(key, (num_rotations, 4))
    w, x, y, z = (quaternions / jnp.linalg.norm(quaternions, axis=-1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def rotate(rotations: Float[Array, "... 3 3"], points: Float[Array, "... P 3"]) -> Float[Array, "... P 3"]:
    """Returns every cloud turned about the origin by its own rotation, in full precision on every device."""
    # Neither a transposed cloud nor one rotation for several clouds, which would be broadcast.
    require(
        rotations.shape[-2:] == (3, 3) and points.shape[-1:] == (3,) and points.shape[:-2] == rotations.shape[:-2],
        f"one cloud [P, 3] for each of the rotations {rotations.shape}",
        points,
    )
    return jnp.einsum("...ij,...pj->...pi", rotations, points, precision="highest")
