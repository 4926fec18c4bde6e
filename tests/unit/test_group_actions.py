"""Actions: copies agree with single transformations, products with the group's table, and misfits are refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.domains.space import VectorAction
from emergent.errors import ConfigError
from emergent.groups import permutations
from emergent.groups.actions import (
    Action,
    GatherAction,
    HaarAction,
    MatrixAction,
    PixelAction,
    TrivialAction,
    require_pair,
    subset,
)
from emergent.groups.filters import commutator_norms, orbit_basis
from emergent.groups.images import image_action, orbit, transform
from emergent.groups.lattices import exact_index, lattice_action
from emergent.groups.points import point_matrices
from emergent.groups.rotations import random_rotations, rotate
from emergent.point_groups import fixed_rotations, group_from_name, orbit_matrices

D4 = group_from_name("D4")
KINDS = ("images", "pixels", "trivial", "matrices", "gather")


def action_and_values(kind: str) -> tuple[Action, np.ndarray]:
    generator = np.random.default_rng(0)
    if kind == "images":
        return image_action(D4, 5, 5), generator.normal(size=(6, 5, 5, 2))
    if kind == "pixels":
        return PixelAction(image_action(D4, 5, 5)), generator.normal(size=(6, 25))
    if kind == "trivial":
        return TrivialAction(8), np.arange(6)
    if kind == "matrices":
        return MatrixAction(jnp.asarray(point_matrices(D4))), generator.normal(size=(6, 3, 2))
    return GatherAction(jnp.asarray(lattice_action(D4, 3))), generator.normal(size=(6, 9, 2))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", KINDS)
def test_transform_agrees_with_orbit_and_follows_the_product(kind: str) -> None:
    action, values = action_and_values(kind)
    assert isinstance(action, Action) and action.order == 8
    copies = jax.jit(lambda action, values: action.orbit(values))(action, values)
    assert copies.shape == (8, *values.shape)
    np.testing.assert_array_equal(copies[0], values)
    elements = jnp.array([3, 0, 7, 5, 1, 6])
    moved = jax.jit(lambda action, *rest: action.transform(*rest))(action, values, elements)
    np.testing.assert_allclose(moved, copies[elements, jnp.arange(6)], atol=1e-14)
    for g in range(8):
        np.testing.assert_allclose(action.orbit(copies[g]), copies[D4.product[:, g]], atol=1e-14)
    if kind != "trivial":
        assert all(np.abs(copies[g] - values).max() > 0.1 for g in range(1, 8))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", KINDS)
def test_subset(kind: str) -> None:
    action, values = action_and_values(kind)
    part = subset(action, [2, 0, 5])
    assert part.order == 3 and type(part) is type(action)
    np.testing.assert_array_equal(part.orbit(values), action.orbit(values)[np.array([0, 2, 5])])
    with pytest.raises(ConfigError, match="identity"):
        subset(action, [1, 2])
    for wrong in ([0, 8], [0, 3, 3], [0, -1]):
        with pytest.raises(ConfigError, match="from 0 to 7"):
            subset(action, wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_uniform_and_the_same_for_all_actions_of_a_group(kind: str) -> None:
    action, _ = action_and_values(kind)
    elements = np.asarray(action.draw(jax.random.key(3), 8000))
    np.testing.assert_array_equal(elements, jax.random.randint(jax.random.key(3), (8000,), 0, 8))
    assert elements.dtype == np.int32
    # Each of 8 counts has mean 1000 and standard deviation sqrt(8000 * 1/8 * 7/8) = 29.6.
    assert np.abs(np.bincount(elements, minlength=8) - 1000).max() < 4 * 29.6


def test_methods_of_images_are_the_functions() -> None:
    action = image_action(group_from_name("C8"), 6, 6, fill=0.5)
    images = np.random.default_rng(1).normal(size=(3, 6, 6, 2)).astype(np.float32)
    np.testing.assert_array_equal(action.orbit(images), orbit(action, images))
    elements = jnp.array([1, 7, 0])
    np.testing.assert_array_equal(action.transform(images, elements), transform(action, images, elements))


def test_pixels_move_like_the_image() -> None:
    action, values = action_and_values("pixels")
    assert isinstance(action, PixelAction)
    maps = values.reshape(6, 5, 5, 1)
    np.testing.assert_array_equal(action.orbit(values).reshape(8, 6, 5, 5, 1), orbit(action.images, maps))


@pytest.mark.usefixtures("float64")
def test_haar_rotations() -> None:
    key, points = jax.random.key(0), np.random.default_rng(2).normal(size=(5, 7, 3))
    action = HaarAction()
    assert isinstance(action, Action) and action.order is None
    elements = action.draw(key, 5)
    np.testing.assert_array_equal(elements, random_rotations(key, 5))
    np.testing.assert_array_equal(action.transform(points, elements), rotate(elements, points))
    np.testing.assert_allclose(
        action.transform(points[:, 0], elements), np.einsum("nij,nj->ni", elements, points[:, 0]), atol=1e-14
    )
    # Targets that are vectors move with the same matrices, whatever finite part the action on them holds.
    vectors = MatrixAction(jnp.eye(3)[None])
    np.testing.assert_allclose(vectors.transform(points, elements), rotate(elements, points), atol=1e-14)
    with pytest.raises(ConfigError, match="infinite"):
        action.orbit(points)
    with pytest.raises(ConfigError, match="continuous"):
        subset(action, [0])


def test_fixed_rotations() -> None:
    few, many = fixed_rotations(3, 4), fixed_rotations(3, 2000)
    np.testing.assert_array_equal(many[:4], few)
    np.testing.assert_array_equal(many[0], np.eye(3))
    np.testing.assert_allclose(many @ many.swapaxes(1, 2), np.broadcast_to(np.eye(3), many.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(many), 1, atol=1e-13)
    assert np.abs(fixed_rotations(4, 4)[1:] - few[1:]).max(axis=(1, 2)).min() > 0.01
    # Entries of a Haar-uniform rotation have mean 0 and variance 1/3.
    assert np.abs(many[1:].mean(0)).max() < 4 / np.sqrt(3 * 1999)
    assert fixed_rotations(3, 1).shape == (1, 3, 3)


def test_matrices_of_the_elements_in_use() -> None:
    np.testing.assert_array_equal(orbit_matrices("SO3", 3, num_elements=5), fixed_rotations(3, 5))
    octahedral = group_from_name("octahedral").matrices
    np.testing.assert_array_equal(orbit_matrices("octahedral", 3), octahedral)
    part = subset(MatrixAction(jnp.asarray(octahedral)), [7, 0, 3])
    np.testing.assert_array_equal(orbit_matrices("octahedral", 3, [7, 0, 3]), part.matrices)
    with pytest.raises(ConfigError, match="identity"):
        orbit_matrices("octahedral", 3, [7])
    with pytest.raises(ConfigError, match="continuous"):
        orbit_matrices("SO3", 3)


@pytest.mark.parametrize(
    ("action", "shape"),
    [
        # As many pixels, but of another frame.
        (image_action(D4, 6, 6), (2, 4, 9, 1)),
        (image_action(D4, 6, 6), (2, 36)),
        (PixelAction(image_action(D4, 4, 4)), (2, 15)),
        (PixelAction(image_action(D4, 4, 4)), (2, 4, 4)),
        (MatrixAction(jnp.asarray(point_matrices(D4))), (2, 3)),
        (MatrixAction(jnp.asarray(point_matrices(D4))), (2,)),
        (GatherAction(jnp.asarray(lattice_action(D4, 3))), (2, 8)),
    ],
)
def test_misfits(action: Action, shape: tuple[int, ...]) -> None:
    values = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match="does not fit"):
        action.orbit(values)
    with pytest.raises(ValueError, match="does not fit"):
        action.transform(values, jnp.zeros(2, int))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "elements",
    [[3], [0, 1], [0] * 7, [0, 1, 2, 3, 4, 8], [-1, 0, 0, 0, 0, 0], [0.0] * 6, [[0] * 6], 0],
    ids=["one_for_all", "few", "many", "beyond", "negative", "fractions", "table", "number"],
)
def test_elements_that_are_not_one_for_each_sample(kind: str, elements: Any) -> None:
    """JAX would move every sample by the one element, and read the last one for an index out of bounds."""
    action, values = action_and_values(kind)
    for given in (np.asarray(elements), jnp.asarray(elements)):
        with pytest.raises(ValueError, match=r"does not fit: expected .*(6 samples|0 to 7), found"):
            action.transform(values, given)


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        ((4, 5, 2), (4, 3, 3)),
        ((3, 4, 5), (3, 3, 3)),
        ((4, 5, 3), (1, 3, 3)),
        ((4, 5, 3), (4, 2, 3)),
        ((4, 5, 3), (3, 3)),
    ],
    ids=["plane", "transposed", "one_for_all", "oblong", "single"],
)
def test_points_and_matrices_that_do_not_fit(values: tuple[int, ...], elements: tuple[int, ...]) -> None:
    points, rotations = jnp.ones(values), jnp.ones(elements)
    with pytest.raises(ValueError, match=r"vectors of 3 coordinates, \[N, 3 V\], found shape \(4, 7\)"):
        VectorAction(HaarAction()).transform(jnp.ones((4, 7)), rotations)
    for action in (HaarAction(), MatrixAction(jnp.eye(3)[None])):
        with pytest.raises(ValueError, match="does not fit"):
            action.transform(points, rotations)
    with pytest.raises(ValueError, match="does not fit"):
        rotate(rotations, points)


def test_grids_and_permutations_that_do_not_fit() -> None:
    turn = point_matrices(group_from_name("C4"))[1]
    with pytest.raises(ConfigError, match="expected a square"):
        exact_index(turn, 2, 3)
    for wrong in ([[0, 1, 1]], [[0, 1, 3]], [0, 1, 2], [[1, 2, 3]]):
        for function in (lambda moves: permutations.elements(moves), lambda moves: permutations.orbits(moves, 1)):
            with pytest.raises(ValueError, match="expected permutations"):
                function(np.array(wrong))
    for function in (orbit_basis, commutator_norms):
        with pytest.raises(ValueError, match=r"square mask \[k, k\], found shape \(3, 5\)"):
            function(np.ones((3, 5), bool))


def test_actions_of_two_groups() -> None:
    require_pair(image_action(D4, 4, 4), TrivialAction(8))
    require_pair(HaarAction(), TrivialAction(None))
    with pytest.raises(ConfigError, match="has 8 elements and that on targets 4"):
        require_pair(image_action(D4, 4, 4), TrivialAction(4))
    with pytest.raises(ConfigError, match="infinitely many"):
        require_pair(HaarAction(), TrivialAction(4))
