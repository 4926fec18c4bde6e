"""Small grey images with a triangle or a pentagon, and masks of both (arXiv 2303.13458, first version)."""

import numpy as np
from jaxtyping import Float
from matplotlib.path import Path

CORNERS = (3, 5)
OVERSAMPLING = 4
"""Points per pixel and axis; the grey value is the share of them inside."""


def shapes(
    num: int, side: int, absent: float, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "N side side"], Float[np.ndarray, "N side side 2"]]:
    """Returns images on the square [-1, 1]^2 and, for triangle and pentagon, masks of 0 and 1.

    Regular polygons with a circumradius from 0.7 to 0.8, the centre in [-0.5, 0.5]^2 and a uniform orientation; what
    lies beyond the frame is cut off.

    Args:
        num: images.
        side: in pixels.
        absent: value of the mask of the shape that is not there.
        generator: of the random numbers.
    """
    fine = (np.arange(side * OVERSAMPLING) + 0.5) / (side * OVERSAMPLING) * 2 - 1
    points = np.stack(np.meshgrid(fine, fine), -1).reshape(-1, 2)
    images = np.zeros((num, side, side), np.float32)
    # In the images that come with the released code the mask of the absent shape is all ones.
    masks = np.full((num, side, side, len(CORNERS)), absent, np.float32)
    for index in range(num):
        kind = int(generator.integers(len(CORNERS)))
        radius, turn = generator.uniform(0.7, 0.8), generator.uniform(0, 2 * np.pi)
        angles = turn + 2 * np.pi * np.arange(CORNERS[kind] + 1) / CORNERS[kind]
        corners = generator.uniform(-0.5, 0.5, 2) + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        inside = Path(corners, closed=True).contains_points(points)
        images[index] = inside.reshape(side, OVERSAMPLING, side, OVERSAMPLING).mean((1, 3))
        masks[index, :, :, kind] = images[index] >= 0.5
    return images, masks
