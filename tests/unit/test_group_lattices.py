"""Index maps on lattices have the orientation of the image actions; points turn with them."""

import jax
import numpy as np
import pytest

from emergent.errors import ConfigError
from emergent.groups.images import image_action
from emergent.groups.lattices import lattice_action
from emergent.groups.points import angle_matrices, point_matrices, uniform_angles
from emergent.point_groups import group_from_name


@pytest.mark.parametrize("name", ["C1", "C2", "C4", "D1", "D2", "D4"])
def test_lattice_equals_image_action(name):
    group = group_from_name(name)
    index = lattice_action(group, 5)
    assert index.dtype == np.int32
    np.testing.assert_array_equal(index, image_action(group, 5, 5).indices[:, :, 0])


def test_quarter_turn_is_counter_clockwise():
    index = lattice_action(group_from_name("C4"), 3)
    np.testing.assert_array_equal(index[1].reshape(3, 3), [[2, 5, 8], [1, 4, 7], [0, 3, 6]])


def test_pixels_move_like_points():
    group = group_from_name("D4")
    index, matrices = lattice_action(group, 3), point_matrices(group)
    spot = np.zeros(9)
    spot[2] = 1
    for g in range(group.order):
        row, column = divmod(int(np.argmax(spot[index[g]])), 3)
        np.testing.assert_array_equal([column - 1, 1 - row], matrices[g] @ [1, 1])


def test_rotations_that_miss_the_lattice():
    with pytest.raises(ConfigError, match="C8 does not act"):
        lattice_action(group_from_name("C8"), 4)


def test_uniform_angles():
    angles = np.asarray(uniform_angles(jax.random.key(1), 4000))
    assert angles.min() >= 0
    assert angles.max() < 2 * np.pi
    # The mean of cos over uniform angles has standard error sqrt(1 / 2 / 4000) = 0.011.
    assert abs(np.cos(angles).mean()) < 4 * np.sqrt(0.5 / 4000)


def test_angle_matrices():
    np.testing.assert_allclose(angle_matrices(np.array([np.pi / 2]))[0] @ [1, 0], [0, 1], atol=1e-15)
