"""Grids whose cells are nested: of every four cells in a row one coarser cell is made; HEALPix, and a square.

A square of side 2^k is cut into quarters, these into quarters, and so on: cells in this (Morton) order. HEALPix has
twelve such squares on the sphere, with cells of equal area. Neighbours in the order are neighbours in space, so that
windows are cells in a row. A shift moves cells by some steps along one direction, so that windows afterwards reach over
the borders of those before: on HEALPix along its rings of equal latitude, on the square along both axes.

References:
    arXiv:2307.07313 (HEAL-SWIN); arXiv:2103.14030 (shifted windows); Gorski et al., ApJ 622 (2005), HEALPix.
"""

from functools import cache
from typing import Literal, NamedTuple

import healpix
import numpy as np
from jaxtyping import Bool, Float, Int

from emergent.errors import ConfigError

Grid = Literal["healpix", "square"]
BASE_CELLS: dict[Grid, int] = {"healpix": 12, "square": 1}


class Shift(NamedTuple):
    """A shift of all cells.

    Attributes:
        order: shifted values are ``values[order]``.
        inverse: the way back.
        piece: number of the piece, in shifted order, that a cell belongs to; cells of different pieces were no
            neighbours before the shift.
    """

    order: Int[np.ndarray, " P"]
    inverse: Int[np.ndarray, " P"]
    piece: Int[np.ndarray, " P"]


def side_of(grid: Grid, num: int) -> int:
    """Returns the side, in cells, of the squares that a grid is made of (``nside`` of HEALPix).

    Raises:
        ConfigError: the grid has no such number of cells.
    """
    side = round((num / BASE_CELLS[grid]) ** 0.5)
    if side < 1 or side & (side - 1) or BASE_CELLS[grid] * side**2 != num:
        what = "12 squares of side 2^k (nside)" if grid == "healpix" else "a square of side 2^k"
        raise ConfigError(f"grid {grid}: expected the cells of {what}, found {num} cells.")
    return side


@cache
def square_places(num: int) -> Int[np.ndarray, "P 2"]:
    """Returns row and column of the cells of a square, in nested order."""
    side_of("square", num)
    index, places = np.arange(num), np.zeros((num, 2), int)
    for bit in range(num.bit_length() // 2):
        places[:, 1] |= ((index >> (2 * bit)) & 1) << bit
        places[:, 0] |= ((index >> (2 * bit + 1)) & 1) << bit
    return places


def square_order(side: int) -> Int[np.ndarray, " P"]:
    """Returns, for every cell in nested order, its number in the order of rows."""
    rows, columns = square_places(side**2).T
    return rows * side + columns


def healpix_points(nside: int) -> Float[np.ndarray, "P 3"]:
    """Returns the unit vectors of the centres of HEALPix cells, in nested order.

    Raises:
        ConfigError: nside is no power of two.
    """
    if nside < 1 or nside & (nside - 1):
        raise ConfigError(f"nside: expected a power of two (1, 2, 4, ...), found {nside}.")
    return np.stack(healpix.pix2vec(nside, np.arange(12 * nside**2), nest=True), -1)


@cache
def shift(grid: Grid, num: int, steps: int) -> Shift:
    """Returns the shift of the cells of a grid.

    Args:
        grid: which.
        num: P, of its cells.
        steps: along rings, or along both axes.
    """
    side = side_of(grid, num)
    if grid == "healpix":
        ring_of = healpix.nest2ring(side, np.arange(num))
        nest_of = np.argsort(ring_of)
        source = ring_of + steps
        # The last cells, at the south pole, come first.
        order, piece = nest_of[source % num], (source >= num).astype(int)
    else:
        places = square_places(num) + steps
        by_rows = np.argsort(square_order(side))
        rows, columns = (places % side).T
        order = by_rows[rows * side + columns]
        piece = ((places >= side) * np.array([2, 1])).sum(1)
    return Shift(order, np.argsort(order), piece)


@cache
def neighbours_before(grid: Grid, num: int, window: int, steps: int) -> Bool[np.ndarray, "W w w"]:
    """Returns which cells of each window of ``window`` cells may see which, after a shift."""
    piece = shift(grid, num, steps).piece.reshape(-1, window)
    return piece[:, :, None] == piece[:, None, :]


@cache
def offsets(window: int) -> Int[np.ndarray, "w w"]:
    """Returns, for each pair of cells of a square window, the number of their offset, of (2 s - 1)^2."""
    places = square_places(window)
    side = side_of("square", window)
    apart = places[:, None] - places[None, :] + side - 1
    return apart[..., 0] * (2 * side - 1) + apart[..., 1]
