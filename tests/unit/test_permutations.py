"""Groups of permutations: their elements, the orbits of points and pairs, and the shapes that they move."""

import itertools

import numpy as np
import pytest

from emergent.datasets.shapes import shapes
from emergent.groups.images import image_action
from emergent.groups.permutations import elements, orbits, pixel_generators, relabelling, relabelling_generators
from emergent.point_groups import group_from_name


@pytest.mark.parametrize(("num_nodes", "num_points", "expected"), [(4, 2, 15), (6, 2, 15), (6, 1, 2), (3, 2, 14)])
def test_orbits_of_entries_under_relabelling(num_nodes: int, num_points: int, expected: int) -> None:
    """Patterns of equal indices, a Bell number; three nodes cannot fill four different indices."""
    found = orbits(relabelling_generators(num_nodes), num_points)
    assert len(found) == num_nodes ** (2 * num_points) and found.max() + 1 == expected


def test_orbits_are_what_every_relabelling_leaves() -> None:
    found = orbits(relabelling_generators(4), 2).reshape(16, 16)
    for order in itertools.permutations(range(4)):
        move = relabelling(np.asarray(order))
        np.testing.assert_array_equal(found[np.ix_(move, move)], found)


@pytest.mark.parametrize(
    ("group", "order", "points", "pairs"),
    # Shifts act freely and transitively: pairs of points are differences. Turns identify the four turned differences.
    [("C4", 4, 4, 64), ("shifts_x", 4, 4, 64), ("shifts_xy", 16, 1, 16), ("C4_shifts_xy", 64, 1, 6)],
)
def test_groups_of_pixels(group: str, order: int, points: int, pairs: int) -> None:
    """On 4 x 4 pixels."""
    generators = pixel_generators(group, 4)
    every = elements(generators)
    assert every.shape == (order, 16) and len(np.unique(every, axis=0)) == order
    np.testing.assert_array_equal(every[0], np.arange(16))
    assert (np.sort(every, 1) == np.arange(16)).all()
    assert orbits(generators, 1).max() + 1 == points
    assert orbits(generators, 2).max() + 1 == pairs
    # Burnside: orbits of pairs are the mean number of fixed pairs.
    fixed = (every == np.arange(16)).sum(1)
    assert np.mean(fixed**2) == pairs and np.mean(fixed) == points


def test_turns_are_those_of_images() -> None:
    every = elements(pixel_generators("C4", 6))
    action = image_action(group_from_name("C4"), 6, 6)
    theirs = np.asarray(action.indices).reshape(4, -1)
    assert {tuple(move) for move in every} == {tuple(move) for move in theirs}


def test_shapes_are_what_is_said() -> None:
    images, masks = shapes(400, 14, 1.0, np.random.default_rng(0))
    assert images.shape == (400, 14, 14) and masks.shape == (400, 14, 14, 2)
    assert images.min() == 0 and images.max() == 1 and set(np.unique(masks)) == {0, 1}
    absent = masks.reshape(400, -1, 2).min(1) == 1
    assert (absent.sum(1) == 1).all(), "one of the two is there, its mask is not 1 everywhere"
    triangles = absent[:, 1]
    assert abs(triangles.mean() - 0.5) < 4 * 0.5 / 20
    there = np.take_along_axis(masks, (~triangles).astype(int)[:, None, None, None], 3)[..., 0]
    np.testing.assert_array_equal(there, images >= 0.5)
    # Areas 3 sqrt(3) / 4 r^2 and 2.378 r^2 of a frame of area 4; the frame cuts some off.
    area = images.mean((1, 2)) * 4
    assert area[triangles].max() < 1.299 * 0.64 + 0.05 and area[~triangles].max() < 2.378 * 0.64 + 0.05
    assert area[triangles].mean() > 0.9 * 1.299 * 0.5633 and area[~triangles].mean() > 0.85 * 2.378 * 0.5633
    zero = shapes(3, 14, 0.0, np.random.default_rng(0))[1]
    assert (zero.reshape(3, -1, 2).max(1) == 0).sum() == 3
