"""Actions on images: exact where they can be, of the stated convention elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.errors import ConfigError
from emergent.groups.images import image_action, matrix_action, orbit, orbit_size, transform
from emergent.groups.points import angle_matrices
from emergent.point_groups import group_from_name


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype(np.float32)


@pytest.mark.parametrize("name", ["C4", "C8", "C12", "C16", "D4", "D8"])
@pytest.mark.parametrize("size", [5, 6])
def test_quarter_turns_and_flips_are_exact(images, name, size):
    images = images[:, :size, :size]
    group = group_from_name(name)
    copies = np.asarray(jax.jit(orbit)(image_action(group, size, size, fill=7.0), images))
    for k in range(4):
        element = k * group.num_rotations // 4
        np.testing.assert_array_equal(copies[element], np.rot90(images, k, axes=(1, 2)))
        if group.reflections.any():
            mirrored = np.rot90(images[:, :, ::-1], k, axes=(1, 2))
            np.testing.assert_array_equal(copies[group.num_rotations + element], mirrored)


def test_twelfths_of_a_turn():
    """An image that grows to the right grows to the upper right after a twelfth, the sine of which is a half."""
    rows, columns = np.mgrid[0:9, 0:9] - 4.0
    ramp = np.broadcast_to(columns[None, :, :, None], (1, 9, 9, 3)).astype(np.float32)
    copies = np.asarray(orbit(image_action(group_from_name("C12"), 9, 9), ramp))
    assert copies.shape == (12, 1, 9, 9, 3)
    middle = np.hypot(rows, columns) < 3
    for element in range(12):
        angle = 2 * np.pi * element / 12
        # Bilinear interpolation is exact on a linear image.
        expected = columns * np.cos(angle) - rows * np.sin(angle)
        np.testing.assert_allclose(copies[element, 0, :, :, 1][middle], expected[middle], atol=1e-5)


def test_one_tap_only_where_every_element_is_exact():
    assert image_action(group_from_name("D4"), 6, 6).indices.shape == (8, 36, 1)
    assert image_action(group_from_name("C8"), 6, 6).indices.shape == (8, 36, 4)
    assert image_action(group_from_name("C8"), 6, 6, interpolation="nearest").indices.shape == (8, 36, 1)


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_action_is_a_homomorphism(images, name):
    group = group_from_name(name)
    action = image_action(group, 6, 6)
    copies = orbit(action, images)
    for g in range(group.order):
        np.testing.assert_array_equal(orbit(action, copies[g]), copies[group.product[:, g]])


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_transform_agrees_with_orbit(images, interpolation):
    action = image_action(group_from_name("D8"), 6, 6, interpolation, fill=-0.5)
    copies = orbit(action, images)
    elements = jnp.array([3, 11, 0])
    expected = np.stack([copies[3, 0], copies[11, 1], copies[0, 2]])
    np.testing.assert_allclose(transform(action, images, elements), expected, atol=1e-6)


def test_transform_under_vmap(images):
    action = image_action(group_from_name("C8"), 6, 6)
    elements = jnp.array([[0, 1, 2], [5, 6, 7]])
    result = jax.vmap(transform, in_axes=(None, None, 0))(action, images, elements)
    np.testing.assert_allclose(result[1], transform(action, images, elements[1]), atol=1e-6)


def test_integer_images_become_float(images):
    pixels = (images * 50).astype(np.uint8)
    copies = orbit(image_action(group_from_name("C4"), 6, 6), pixels)
    assert copies.dtype == jnp.float32
    np.testing.assert_array_equal(copies[1], np.rot90(pixels, 1, axes=(1, 2)))


def test_constant_image_with_its_own_value_as_fill_stays_constant():
    constant = np.full((1, 7, 7, 1), 0.25, np.float32)
    for interpolation in ("bilinear", "nearest"):
        copies = orbit(image_action(group_from_name("C16"), 7, 7, interpolation, fill=0.25), constant)
        np.testing.assert_allclose(copies, 0.25, atol=1e-6)


def test_fill_outside_the_frame(images):
    eighth_turn = orbit(image_action(group_from_name("C8"), 6, 6, fill=3.0), images)[1]
    np.testing.assert_array_equal(eighth_turn[:, 0, 0], 3.0)


def test_two_rotations_whose_angles_add_up_on_a_smooth_image():
    x = np.linspace(-1, 1, 41)
    blob = np.exp(-8 * ((x[None] - 0.3) ** 2 + (x[:, None] - 0.1) ** 2))[None, :, :, None].astype(np.float32)
    action = matrix_action(angle_matrices(np.array([0.3, 0.6])), 41, 41)
    copies = orbit(action, blob)
    twice = orbit(action, copies[0])[0]
    np.testing.assert_allclose(twice, copies[1], atol=0.02)
    assert np.abs(copies[0] - copies[1]).max() > 0.1


def test_orbit_sizes():
    action = image_action(group_from_name("D4"), 4, 4)
    generic = np.arange(16.0).reshape(1, 4, 4, 1)
    constant = np.ones((1, 4, 4, 1))
    half_turn_symmetric = np.zeros((1, 4, 4, 1))
    half_turn_symmetric[0, 0, 1] = half_turn_symmetric[0, 3, 2] = 1
    sizes = orbit_size(action, np.concatenate([generic, constant, half_turn_symmetric]))
    np.testing.assert_array_equal(sizes, [8, 1, 4])


def test_rectangular_images():
    image = np.arange(12.0, dtype=np.float32).reshape(1, 3, 4, 1)
    copies = orbit(image_action(group_from_name("D2"), 3, 4), image)
    np.testing.assert_array_equal(copies[1], image[:, ::-1, ::-1])
    np.testing.assert_array_equal(copies[2], image[:, :, ::-1])
    for name in ("C3", "C4", "D8"):
        with pytest.raises(ConfigError, match="3 x 4 pixels"):
            image_action(group_from_name(name), 3, 4)


def test_wrong_shapes_and_names(images):
    action = image_action(group_from_name("C4"), 5, 5)
    with pytest.raises(ValueError, match=r"\[N, 5, 5, C\]"):
        orbit(action, images)
    with pytest.raises(ConfigError, match="bilinear"):
        image_action(group_from_name("C8"), 5, 5, interpolation="cubic")
