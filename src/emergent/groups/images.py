"""Rotations and mirror images of images as one gather: precomputed pixel indices and weights for every group element.

Convention: pixels are points at their centres, the image turns about its centre, counter-clockwise as seen, and
(g.f)(p) = f(g^-1 p). Multiples of 90 degrees and mirror images are exact index maps, equal to ``numpy.rot90`` on the
axes (H, W); other angles are interpolated, with ``fill`` outside the frame, like torchvision's rotation of tensors
(``align_corners=False``).
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from emergent.errors import ConfigError
from emergent.groups.fitting import require, require_elements
from emergent.groups.lattices import exact_index
from emergent.groups.points import point_matrices, require_plane
from emergent.point_groups import FiniteGroup
from emergent.prng import random_index


@partial(jax.tree_util.register_dataclass, data_fields=["indices", "weights", "offset"], meta_fields=["frame"])
@dataclass(frozen=True)
class ImageAction:
    """Gather tables of G transformations of images with P = H * W pixels and T taps per output pixel.

    An action in the sense of ``emergent.groups.actions``.

    T is 1 when every transformation is exact or the interpolation is nearest, else 4. Output pixel p of
    transformation g is ``sum_t weights[g, p, t] * image[indices[g, p, t]] + offset[g, p]``.

    Attributes:
        indices: int32 [G, P, T], input pixels, rows first.
        weights: float32 [G, P, T], 0 for taps outside the frame.
        offset: float32 [G, P], the fill value times the weight that fell outside the frame.
        frame: (H, W); static, so that an image of another shape is refused even if it has as many pixels.
    """

    indices: Int[Array, "G P T"]
    weights: Float[Array, "G P T"]
    offset: Float[Array, "G P"]
    frame: tuple[int, int]

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        return self.indices.shape[0]

    def draw(self, key: PRNGKeyArray, num: int) -> Int[Array, " N"]:
        """Returns one uniformly drawn element for each of ``num`` images."""
        return random_index(key, num, self.order)

    def transform(
        self, values: Shaped[Array | np.ndarray, "N H W C"], elements: Int[Array, " N"]
    ) -> Float[Array, "N H W C"]:
        """Returns every image transformed by its own element."""
        return transform(self, values, elements)

    def orbit(self, values: Shaped[Array | np.ndarray, "N H W C"]) -> Float[Array, "G N H W C"]:
        """Returns all transformed copies of every image."""
        return orbit(self, values)


def image_action(
    group: FiniteGroup,
    height: int,
    width: int,
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
    fill: float = 0.0,
) -> ImageAction:
    """Returns the action of a group on images of ``height`` x ``width`` pixels.

    Raises:
        ConfigError: the group turns space, the image is not square and the group has other rotations than by 180
            degrees, or the interpolation is unknown.
    """
    require_plane(group, f"images of {height} x {width} pixels")
    if height != width and group.num_rotations > 2:
        raise ConfigError(
            f"group {group.name} cannot act on images of {height} x {width} pixels: its rotations need a square image. "
            "Crop or resize the images, or use C1, C2, D1 or D2."
        )
    return matrix_action(point_matrices(group), height, width, interpolation, fill)


def matrix_action(
    matrices: Float[np.ndarray, "G 2 2"],
    height: int,
    width: int,
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
    fill: float = 0.0,
) -> ImageAction:
    """Returns the action of any orthogonal matrices (x right, y up), for example of uniform SO(2) rotations."""
    if interpolation not in ("bilinear", "nearest"):
        raise ConfigError(f"interpolation {interpolation!r}: expected 'bilinear' or 'nearest'.")
    integer = np.all(matrices == np.rint(matrices), axis=(1, 2))
    # A quarter turn exchanges the axes, which maps the pixel grid onto itself only when it is square.
    exact = integer & ((height == width) | (matrices[:, 0, 1] == 0))
    taps = 1 if exact.all() or interpolation == "nearest" else 4
    indices = np.zeros((len(matrices), height * width, taps), np.int32)
    weights = np.zeros((len(matrices), height * width, taps))
    for g, matrix in enumerate(matrices):
        if exact[g]:
            # Beside interpolated elements all four taps read one pixel, the first with weight 1: exact copies.
            indices[g] = exact_index(matrix, height, width)[:, None]
            weights[g, :, 0] = 1
        else:
            indices[g], weights[g] = _interpolate(matrix, height, width, interpolation)
    offset = fill * (1 - weights.sum(axis=-1))
    tables = jnp.asarray(indices), jnp.asarray(weights, jnp.float32), jnp.asarray(offset, jnp.float32)
    return ImageAction(*tables, frame=(height, width))


def _interpolate(
    matrix: np.ndarray, height: int, width: int, interpolation: str
) -> tuple[Int[np.ndarray, "P T"], Float[np.ndarray, "P T"]]:
    rows, columns = np.divmod(np.arange(height * width), width)
    # The value at p comes from g^-1 p, and the inverse of an orthogonal matrix is its transpose.
    source = matrix.T @ np.stack([columns - (width - 1) / 2, (height - 1) / 2 - rows])
    # Rounding to 1e-9 pixels decides ties of nearest interpolation alike on every machine.
    row = np.round((height - 1) / 2 - source[1], 9)
    column = np.round(source[0] + (width - 1) / 2, 9)
    if interpolation == "nearest":
        tap_rows, tap_columns, weights = np.rint(row)[:, None], np.rint(column)[:, None], np.ones((len(row), 1))
    else:
        top, left = np.floor(row), np.floor(column)
        down, right = row - top, column - left
        tap_rows = np.stack([top, top, top + 1, top + 1], axis=-1)
        tap_columns = np.stack([left, left + 1, left, left + 1], axis=-1)
        weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=-1)
    inside = (tap_rows >= 0) & (tap_rows < height) & (tap_columns >= 0) & (tap_columns < width)
    # Taps outside read a pixel of the edge with weight 0, so that all indices are in bounds, as the gathers promise.
    index = np.clip(tap_rows, 0, height - 1) * width + np.clip(tap_columns, 0, width - 1)
    return index.astype(np.int32), np.where(inside, weights, 0.0)


def _flatten(action: ImageAction, images: Shaped[Array | np.ndarray, "N H W C"]) -> Shaped[Array, "N P C"]:
    height, width = action.frame
    require(images.ndim == 4 and images.shape[1:3] == action.frame, f"images [N, {height}, {width}, C]", images)
    return jnp.asarray(images).reshape(images.shape[0], height * width, images.shape[3])


def transform(
    action: ImageAction, images: Shaped[Array | np.ndarray, "N H W C"], elements: Int[Array, " N"]
) -> Float[Array, "N H W C"]:
    """Returns every image transformed by its own group element.

    Args:
        action: gather tables of the group.
        images: float images, or integer ones, which become float32.
        elements: for each image the index of its group element.
    """
    flat = _flatten(action, images)
    require_elements(action.order, len(images), elements)
    indices, weights, offset = action.indices[elements], action.weights[elements], action.offset[elements]
    # Tap by tap, so that the four neighbours of all pixels never exist in memory at once; no matrix product, whose
    # reduced precision on some devices would spoil exact rotations.
    result = offset[:, :, None]
    for t in range(action.indices.shape[2]):
        values = jnp.take_along_axis(flat, indices[:, :, t, None], axis=1, mode="promise_in_bounds")
        result = result + weights[:, :, t, None] * values
    return result.reshape(images.shape)


def orbit(action: ImageAction, images: Shaped[Array | np.ndarray, "N H W C"]) -> Float[Array, "G N H W C"]:
    """Returns all transformed copies of every image; element 0 of a group leaves the images as they are."""
    flat = _flatten(action, images)
    result = action.offset[:, None, :, None]
    for t in range(action.indices.shape[2]):
        values = flat.at[:, action.indices[:, :, t]].get(mode="promise_in_bounds")
        result = result + action.weights[:, None, :, t, None] * jnp.swapaxes(values, 0, 1)
    return result.reshape(action.indices.shape[0], *images.shape)


def orbit_size(action: ImageAction, images: Shaped[np.ndarray, "N H W C"]) -> Int[np.ndarray, " N"]:
    """Returns the number of distinct images in each orbit: G divided by the order of the image's stabiliser."""
    copies = np.asarray(orbit(action, jnp.asarray(images)))
    copies = copies.reshape(*copies.shape[:2], -1)
    # Compared bit by bit: stabilisers are found where elements are exact, not where they interpolate.
    return np.array([len(np.unique(copies[:, n], axis=0)) for n in range(copies.shape[1])])
