"""Uniform rotations and uniform points on surfaces: moments against their exact values, within 4 standard errors."""

import jax
import jax.numpy as jnp
import numpy as np

from emergent.domains.meshes import Meshes, draw_points
from emergent.groups.rotations import random_rotations

NUM = 20_000


def within(values: np.ndarray, expected: float | np.ndarray) -> None:
    error = values.std(0) / np.sqrt(len(values))
    assert (np.abs(values.mean(0) - expected) < 4 * error + 1e-12).all()


def test_moments_of_haar_rotations() -> None:
    draw = jax.jit(random_rotations, static_argnums=1)
    rotations = np.asarray(draw(jax.random.key(5), NUM)).astype(np.float64)
    within(rotations, 0.0)
    within(rotations**2, 1 / 3)
    trace = np.trace(rotations, axis1=1, axis2=2)
    # E tr^n counts the invariants in the n-th power of the vector representation, whose square is spin 0 + 1 + 2.
    for power, expected in ((1, 0.0), (2, 1.0), (3, 1.0), (4, 3.0)):
        within(trace**power, expected)
    # The law is the same from both sides.
    fixed = rotations[0]
    rotations = rotations[1:]
    within((fixed @ rotations)[:, 0, 0] ** 4, 1 / 5)
    within((rotations @ fixed)[:, 0, 0] ** 4, 1 / 5)


def test_points_are_uniform_on_the_surface() -> None:
    vertices = jnp.asarray([[0.0, 0, 0], [4, 0, 0], [0, 2, 0], [0, 0, 1], [9, 9, 9], [9, 9, 8], [9, 8, 9]])
    faces = jnp.asarray([[4, 5, 6], [0, 1, 2], [0, 2, 3]])
    # The second mesh has faces of areas 4 and 1.
    starts = np.array([0, 0, 0.8 * 2**32]).astype(np.uint32)
    meshes = Meshes(vertices, faces, jnp.asarray(starts), jnp.asarray([0, 1, 3]), jnp.asarray([0, 1]))
    draw = jax.jit(draw_points, static_argnums=3)
    points = np.asarray(draw(meshes, jnp.asarray(1), jax.random.key(0), NUM)).astype(np.float64)
    on_first = np.abs(points[:, 2]) < 1e-6
    within(on_first.astype(float), 0.8)
    x, y = points[on_first, :2].T / np.array([[4.0], [2.0]])
    assert (x >= 0).all() and (y >= 0).all() and (x + y <= 1 + 1e-6).all()
    # Uniform on the triangle x, y >= 0, x + y <= 1.
    within(x, 1 / 3)
    within(x * x, 1 / 6)
    within(x * y, 1 / 12)
    others = points[~on_first]
    np.testing.assert_allclose(others[:, 0], 0, atol=1e-6)
    within(others[:, 1:] / np.array([2.0, 1.0]), np.array([1 / 3, 1 / 3]))
