"""A convolution as products with the whole map that are laid over each other afterwards.

``sum_t x[p + t] K_t`` is computed as ``z = x K`` for all taps t at once and then ``sum_t z_t[p + t]``: the map is read
once and no copy of it is made for every tap. On accelerators such copies take longer than the products.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Window = tuple[jax.Array, int, int]
"""A map [N, a, b, C] that a tap reads, and the row and column of it that the first pixel of the result reads."""


def pixel_order(side: int, in_cells: bool) -> tuple[Int[np.ndarray, "P 1"], Int[np.ndarray, "P 1"]]:
    """Returns rows and columns of the pixels of a square map, line by line or by cells of 2 x 2."""
    pixels = np.arange(side**2).reshape(side, side)
    if in_cells:
        pixels = pixels.reshape(side // 2, 2, side // 2, 2).swapaxes(1, 2)
    return np.divmod(pixels.reshape(-1, 1), side)


def tap_products(
    windows: list[Window], kernel: Float[Array, "T C D"], side: int, in_cells: bool
) -> Float[Array, "N P D"]:
    """Returns the sum over taps of windows times weights; there are zeros beyond a map's edges.

    Args:
        windows: what each of the T taps reads; taps that read one map share its array.
        kernel: weights of the taps.
        side: of the result.
        in_cells: order the P = side * side pixels by cells of 2 x 2.
    """
    maps: dict[int, list[int]] = {}
    for tap, (image, _, _) in enumerate(windows):
        maps.setdefault(id(image), []).append(tap)
    rows, columns = pixel_order(side, in_cells)
    total = jnp.zeros((), kernel.dtype)
    for taps in maps.values():
        image = windows[taps[0]][0]
        num, height, width, channels = image.shape
        weights = jnp.moveaxis(kernel[np.array(taps)], 0, 1).reshape(channels, -1)
        products = image.reshape(num, height * width, channels) @ weights
        first = np.array([windows[tap][1:] for tap in taps])
        row, column = rows + first[:, 0], columns + first[:, 1]
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = (row * width + column) * len(taps) + np.arange(len(taps))
        table = np.where(inside, place, -1)
        total = total + _overlay(table, height * width * len(taps))(products.reshape(num, -1, kernel.shape[-1]))
    return total


def _overlay(table: Int[np.ndarray, "P T"], num_products: int) -> Callable[[jax.Array], jax.Array]:
    """Returns the function from products [N, Q, D] to their sums [N, P, D], of entries ``table``; -1 adds nothing.

    No product is used twice, so that the derivative is a look-up too, where that of a look-up would be a scatter.
    """
    inverse = np.full((num_products, 1), -1)
    pixel, tap = np.nonzero(table >= 0)
    inverse[table[pixel, tap], 0] = pixel

    @jax.custom_vjp
    def overlay(products: jax.Array) -> jax.Array:
        return _sum_of_entries(products, table)

    def forward(products: jax.Array) -> tuple[jax.Array, None]:
        return overlay(products), None

    def backward(_: None, slope: jax.Array) -> tuple[jax.Array]:
        return (_sum_of_entries(slope, inverse),)

    overlay.defvjp(forward, backward)
    return overlay


def _sum_of_entries(values: Float[Array, "N Q D"], table: Int[np.ndarray, "P T"]) -> Float[Array, "N P D"]:
    """Returns ``sum_t values[:, table[:, t]]``, where -1 stands for zero."""
    total = jnp.zeros((), values.dtype)
    for entries in table.T:
        found = values.at[:, np.maximum(entries, 0)].get(mode="promise_in_bounds")
        # Zeros only where there are some, for a mask is one more array to read.
        total = total + (found if (entries >= 0).all() else jnp.where((entries >= 0)[:, None], found, 0))
    return total
