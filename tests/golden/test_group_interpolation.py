"""Interpolated rotations against scipy.ndimage, an independent implementation of the same convention."""

import numpy as np
import pytest
from scipy import ndimage

from emergent.groups.images import image_action, orbit
from emergent.groups.points import point_matrices
from emergent.point_groups import group_from_name

# Array axes (row, column) in terms of (x, y): row = -y, column = x.
TO_POINT = np.array([[0, 1], [-1, 0]])


# Nearest interpolation only where no sampling point lies half way between two pixels: there rounding decides.
@pytest.mark.parametrize(
    ("interpolation", "order", "size", "name"),
    [("bilinear", 1, 8, "D8"), ("bilinear", 1, 9, "D8"), ("nearest", 0, 9, "D8"), ("nearest", 0, 8, "D6")],
)
def test_against_scipy(interpolation, order, size, name):
    image = np.random.default_rng(2).normal(size=(size, size))
    group = group_from_name(name)
    fill = 0.7
    copies = orbit(image_action(group, size, size, interpolation, fill), image[None, :, :, None].astype(np.float32))
    centre = np.full(2, (size - 1) / 2)
    for g, matrix in enumerate(point_matrices(group)):
        source = TO_POINT.T @ matrix.T @ TO_POINT
        expected = ndimage.affine_transform(
            image, source, centre - source @ centre, order=order, mode="grid-constant", cval=fill
        )
        np.testing.assert_allclose(copies[g, 0, :, :, 0], expected, atol=2e-6)
