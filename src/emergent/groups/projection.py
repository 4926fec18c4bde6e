"""Planar images on the sphere: stereographic projection, each image turned by a rotation of its own; grids, resampling.

The sphere, of radius 1, touches the plane at its south pole, and rays start at its north pole: a point at angle theta
from the south pole sees the plane at distance 2 tan(theta / 2) from where they touch. The image is the square of half
side 1.5 there; its outermost pixels have their centres on the border. What sees no pixel is 0.

Grids are those of Driscoll and Healy, 2 b x 2 b points (``emergent.groups.rotation_spectra``): rows are polar angles
from the north pole on, columns angles about the axis. A rotated image has at p what the image has at R^-1 p.

References:
    arXiv:2202.03990 and released code.
"""

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from emergent.groups.rotation_spectra import sphere_angles, turns

HALF_SIDE = 1.5
"""Of the image in the plane, in radii of the sphere."""
AT_A_TIME = 256


def grid_points(bandwidth: int) -> Float[np.ndarray, "K A 3"]:
    """Returns the unit vectors of the grid of 2 b x 2 b points."""
    polar, about = np.meshgrid(sphere_angles(bandwidth), turns(bandwidth), indexing="ij")
    return np.stack([np.sin(polar) * np.cos(about), np.sin(polar) * np.sin(about), np.cos(polar)], -1)


def random_rotations(generator: np.random.Generator, num: int) -> Rotation:
    """Returns independent Haar-uniform rotations."""
    return Rotation.from_quat(generator.normal(size=(num, 4)))


def seen_from(points: Float[np.ndarray, "*points 3"], rotations: Rotation) -> Float[np.ndarray, "N *points 3"]:
    """Returns R^-1 p of all points, for each of N rotations."""
    return np.einsum("nji,...j->n...i", rotations.as_matrix(), points)


def plane_positions(points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 2"]:
    """Returns where rays through points of the sphere meet the plane (x, y); infinitely far from the north pole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        positions = 2 * points[..., :2] / (1 - points[..., 2:])
    return np.where(1 - points[..., 2:] > 1e-12, positions, np.inf)


def project(
    images: UInt8[np.ndarray, "N H W"], grid: int | Float[np.ndarray, "*points 3"], rotations: Rotation | None = None
) -> UInt8[np.ndarray, "N ..."]:
    """Returns square images on a grid of the sphere, bilinear, each of brightest value 255.

    Args:
        images: rows go from y = 1.5 down.
        grid: bandwidth b of a grid of 2 b x 2 b points, or points of another one.
        rotations: one for each image; None rotates none.
    """
    points, side = grid_points(grid) if isinstance(grid, int) else grid, images.shape[1]
    results, axes = np.empty((len(images), *points.shape[:-1]), np.uint8), tuple(range(1, points.ndim))
    for first in range(0, len(images), AT_A_TIME):
        some = images[first : first + AT_A_TIME]
        turned = rotations[first : first + AT_A_TIME] if rotations is not None else Rotation.identity(len(some))
        positions = plane_positions(seen_from(points, turned))
        # Far beyond the image, but finite.
        places = (np.clip(positions, -1e6, 1e6) / HALF_SIDE + 1) * (side - 1) / 2
        index = np.broadcast_to(np.arange(len(some)).reshape(-1, *np.ones(len(axes), int)), places.shape[:-1])
        # Rounding must not take a pixel on the border out of the image.
        where = np.stack([index, np.round(side - 1 - places[..., 1], 9), np.round(places[..., 0], 9)])
        values = map_coordinates(some.astype(np.float64), where, order=1, mode="constant")
        brightest = np.maximum(values.max(axes, keepdims=True), 1e-9)
        results[first : first + len(some)] = np.round(255 * values / brightest)
    return results


def resample(
    values: Float[np.ndarray, "N K A C"], points: Float[np.ndarray, "N K A 3"]
) -> Float[np.ndarray, "N K A C"]:
    """Returns values on the grid, bilinear in both angles, at other points of the sphere, of each sample its own.

    South of the last row the values are those of that row.
    """
    side = values.shape[1]
    row = np.arccos(np.clip(points[..., 2], -1, 1)) * side / np.pi
    column = (np.arctan2(points[..., 1], points[..., 0]) % (2 * np.pi)) * side / (2 * np.pi)
    above = np.minimum(row.astype(int), side - 1)
    below, left = np.minimum(above + 1, side - 1), column.astype(int) % side
    right, sample = (left + 1) % side, np.arange(len(values))[:, None, None]
    down, along = (row - above)[..., None], (column - np.floor(column))[..., None]
    upper = (1 - along) * values[sample, above, left] + along * values[sample, above, right]
    lower = (1 - along) * values[sample, below, left] + along * values[sample, below, right]
    return (1 - down) * upper + down * lower
