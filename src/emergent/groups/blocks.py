"""Permutations of pixels within the squares of a grid: layout of the squares, and random elements of the group."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray


def block_pixels(side: int, blocks: int) -> Int[np.ndarray, "K M"]:
    """Returns the pixels of each of K = blocks^2 squares, row by row, as numbers in an image of side x side.

    Raises:
        ValueError: the blocks do not divide the side.
    """
    if blocks < 1 or side % blocks:
        raise ValueError(f"blocks: expected a divisor of the {side} pixels of a side, found {blocks}.")
    size = side // blocks
    grid = np.arange(side**2).reshape(blocks, size, blocks, size)
    return grid.transpose(0, 2, 1, 3).reshape(blocks**2, size**2)


def to_blocks(images: Float[Array, "N P ..."], blocks: int) -> Float[Array, "N K M ..."]:
    """Returns pixels [N, P, ...], row by row, by the square that they lie in."""
    num, side, rest = images.shape[0], _side(images), images.shape[2:]
    size = side // blocks
    # Moved axes and no gather, whose gradient would be a scatter.
    grid = images.reshape(num, blocks, size, blocks, size, *rest).swapaxes(2, 3)
    return grid.reshape(num, blocks**2, size**2, *rest)


def from_blocks(values: Float[Array, "N K M ..."]) -> Float[Array, "N P ..."]:
    """Returns what ``to_blocks`` has cut up."""
    num, blocks, size = values.shape[0], round(values.shape[1] ** 0.5), round(values.shape[2] ** 0.5)
    rest = values.shape[3:]
    grid = values.reshape(num, blocks, blocks, size, size, *rest).swapaxes(2, 3)
    return grid.reshape(num, (blocks * size) ** 2, *rest)


def draw_permutations(key: PRNGKeyArray, num: int, side: int, blocks: int) -> Int[Array, "N P"]:
    """Returns uniform elements of the group, ``(g x)[p] = x[g[p]]``: all permutations within each square."""
    pixels = jnp.asarray(block_pixels(side, blocks))
    # Ranks of independent numbers are a uniform permutation.
    order = jnp.argsort(jax.random.uniform(key, (num, *pixels.shape)), -1)
    return from_blocks(jnp.take_along_axis(jnp.broadcast_to(pixels, order.shape), order, -1))


def move(images: Float[Array | np.ndarray, "N P"], permutations: Int[Array, "N P"]) -> Float[Array, "N P"]:
    """Returns every image moved by its own element."""
    return jnp.take_along_axis(jnp.asarray(images), permutations, 1)


def mirror(images: Float[Array, "N P"]) -> Float[Array, "N P"]:
    """Returns images mirrored across the vertical axis."""
    side = _side(images)
    return images.reshape(-1, side, side)[:, :, ::-1].reshape(images.shape)


def _side(images: Array) -> int:
    return round(images.shape[1] ** 0.5)
