"""Gram matrices in tiles: only tiles on and above the diagonal, and one representative of each group orbit of pairs.

A kernel of a network without spatial output is invariant under simultaneous transformations,
``k(rho(g) x, rho(g) x') = k(x, x')``. The Gram matrix of all |G| N points of an augmented training set is then given
by its first block row ``kappa[g, i, j] = k(x_i, rho(g) x_j)``, and ``kappa[g, j, i] = kappa[inverse of g, i, j]``
leaves half of that to be computed.

Tiles on the diagonal are symmetric. Kernels by offsets compute little more than one half of them; for others a single
tile would be all of the work twice, so that few inputs are cut into smaller ones.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from emergent.errors import ConfigError, ResourceError
from emergent.kernels.functions import KernelFunction, halves_symmetric_pairs, symmetric_kernels
from emergent.point_groups import FiniteGroup

# Tiles along a side, at least: of 4 x 4 tiles 10 are computed, and more of them would fill up more.
TILES_OF_FEW = 4


class GramMatrices(NamedTuple):
    """Both kernels of the same pairs of inputs, in float64.

    Attributes:
        nngp: covariance of the outputs at initialisation, K.
        ntk: neural tangent kernel, Theta.
    """

    nngp: Float[np.ndarray, "*pairs"]
    ntk: Float[np.ndarray, "*pairs"]


Tiles = Callable[[str, Callable[[], Float[np.ndarray, "2 rows columns"]]], Float[np.ndarray, "2 rows columns"]]
"""Name of a tile, unique within a matrix, and what computes it, to the tile."""


def computed(name: str, make: Callable[[], Float[np.ndarray, "2 rows columns"]]) -> Float[np.ndarray, "2 rows columns"]:
    """Returns a tile that is kept nowhere."""
    del name
    return make()


def require_memory(
    kept_bytes: int, tile_size: int, floats_per_pair: int, available_bytes: int, itemsize: int = 8
) -> int:
    """Returns the bytes that a computation with tiled Gram matrices needs at its peak.

    Args:
        kept_bytes: all that grows with the number of samples: Gram matrices and what is made of them.
        tile_size: side of a tile.
        floats_per_pair: from ``emergent.config.prediction_memory.floats_per_pair``.
        available_bytes: memory that the computation may use.
        itemsize: bytes of a number.

    Raises:
        ResourceError: it needs more than available; the message names the tile size that would fit, or how many
            samples would if the results alone are too large.
    """
    working = tile_size**2 * floats_per_pair * itemsize
    if kept_bytes + working <= available_bytes:
        return kept_bytes + working
    need = (
        f"kernels in tiles of {tile_size} need {_gib(kept_bytes + working)}, but {_gib(available_bytes)} may be used: "
    )
    fitting = int(np.sqrt(max(available_bytes - kept_bytes, 0) / (floats_per_pair * itemsize)))
    if fitting >= 1:
        raise ResourceError(f"{need}use tiles of at most {fitting}.")
    if available_bytes > kept_bytes:
        raise ResourceError(f"{need}not even one pair of these inputs fits; use smaller images or readout 'flatten'.")
    # Samples enter quadratically; the group order is common to both sides.
    share = np.sqrt(available_bytes / 2 / kept_bytes)
    raise ResourceError(f"{need}the results alone take {_gib(kept_bytes)}; use at most {share:.1%} of the samples.")


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.3g} GiB"


def gram(
    kernel_function: KernelFunction,
    inputs: Float[np.ndarray, "N ..."],
    tile_size: int,
    tiles: Tiles = computed,
) -> GramMatrices:
    """Returns both Gram matrices [N, N] of ``inputs`` as float64 NumPy arrays, exactly symmetric.

    Args:
        kernel_function: of the network.
        inputs: any number of them.
        tile_size: side of a tile in samples.
        tiles: asked for every tile by name, such as ``emergent.kernels.tile_store``, which keeps them.
    """
    num = len(inputs)
    side = _side(kernel_function, num, tile_size)
    result = np.empty((2, num, num))
    for rows, columns in _upper_tiles(num, side):
        block, other = inputs[rows], inputs[columns]
        if rows == columns:
            make = partial(_symmetric_tile, kernel_function, block, block, side)
        else:
            make = partial(_tile, kernel_function, block, other, (side, side))
        tile = tiles(f"{rows.start}_{columns.start}_of_{num}", make)
        result[:, rows, columns] = tile
        result[:, columns, rows] = np.swapaxes(tile, 1, 2)
    return GramMatrices(result[0], result[1])


def cross_gram(
    kernel_function: KernelFunction,
    first: Float[np.ndarray, "T ..."],
    second: Float[np.ndarray, "N ..."],
    tile_size: int,
    tiles: Tiles = computed,
) -> GramMatrices:
    """Returns both kernels [T, N] between two sets of inputs as float64 NumPy arrays; arguments as of ``gram``."""
    shape = (min(tile_size, len(first)), min(tile_size, len(second)))
    result = np.empty((2, len(first), len(second)))
    for rows in _slices(len(first), tile_size):
        for columns in _slices(len(second), tile_size):
            make = partial(_tile, kernel_function, first[rows], second[columns], shape)
            result[:, rows, columns] = tiles(f"{rows.start}_{columns.start}_of_{len(first)}_{len(second)}", make)
    return GramMatrices(result[0], result[1])


def orbit_gram(
    kernel_function: KernelFunction, orbits: Float[np.ndarray, "G N ..."], group: FiniteGroup, tile_size: int
) -> GramMatrices:
    """Returns ``kappa[g, i, j] = k(x_i, rho(g) x_j)``, both kernels [G, N, N], as float64 NumPy arrays.

    Args:
        kernel_function: kernel invariant under simultaneous transformation of both inputs.
        orbits: all copies of the N base inputs; ``orbits[0]`` are the inputs themselves.
        group: gives the inverse elements.
        tile_size: side of a tile in samples.
    """
    order, num = orbits.shape[:2]
    side = _side(kernel_function, num, tile_size)
    result = np.empty((2, order, num, num))
    for rows, columns in _upper_tiles(num, side):
        for g, inverse in enumerate(group.inverse):
            first, second = orbits[0, rows], orbits[g, columns]
            if rows != columns or g < inverse:
                result[:, g, rows, columns] = _tile(kernel_function, first, second, (side, side))
            elif g == inverse:
                # The identity's copies are the inputs; kernels that average over a group ask whether they are.
                same = first if g == 0 else second
                result[:, g, rows, rows] = _symmetric_tile(kernel_function, first, same, side)
            else:
                result[:, g, rows, rows] = np.swapaxes(result[:, inverse, rows, rows], 1, 2)
        if rows != columns:
            result[:, :, columns, rows] = np.swapaxes(result[:, group.inverse, rows, columns], 2, 3)
    return GramMatrices(result[0], result[1])


def orbit_cross_gram(
    kernel_function: KernelFunction,
    inputs: Float[np.ndarray, "T ..."],
    orbits: Float[np.ndarray, "G N ..."],
    tile_size: int,
) -> GramMatrices:
    """Returns both kernels [T, G, N] between inputs and all copies of the base inputs."""
    kernels = [cross_gram(kernel_function, inputs, copies, tile_size) for copies in orbits]
    return GramMatrices(*(np.stack(arrays, axis=1) for arrays in zip(*kernels, strict=True)))


def nngp_within(kernel_function: KernelFunction, sets: Float[np.ndarray, "T Q ..."]) -> Float[np.ndarray, "T Q Q"]:
    """Returns the NNGP kernel within each of T sets of Q inputs, such as orbits, as float64 NumPy arrays.

    All at once, in the memory of T Q^2 pairs: the sets are small, and one call for each would cost more than its work.
    Kernels by offsets work for longer, set by set, in the memory of one pair.
    """
    if getattr(kernel_function, "by_offsets", None) is None:
        nngp = _double(_vectorised(kernel_function)(sets))
    else:
        nngp = np.stack([_double(symmetric_kernels(kernel_function, inputs, inputs).nngp) for inputs in sets])
    return (nngp + np.swapaxes(nngp, 1, 2)) / 2


@cache
def _vectorised(kernel_function: KernelFunction) -> Callable[[np.ndarray], jax.Array]:
    return jax.jit(jax.vmap(lambda inputs: kernel_function(inputs, inputs).nngp))


def _slices(num: int, tile_size: int) -> list[slice]:
    return [slice(start, min(start + tile_size, num)) for start in range(0, num, tile_size)]


def _upper_tiles(num: int, tile_size: int) -> Iterator[tuple[slice, slice]]:
    slices = _slices(num, tile_size)
    for i, rows in enumerate(slices):
        for columns in slices[i:]:
            yield rows, columns


def _side(kernel_function: KernelFunction, num: int, tile_size: int) -> int:
    """Returns the side of tiles: what fits, or less where one tile would compute both halves."""
    return min(tile_size, num if halves_symmetric_pairs(kernel_function) else -(-num // TILES_OF_FEW))


def _filled(inputs: np.ndarray, size: int) -> np.ndarray:
    # Ragged tiles are filled up with copies to the common shape, so that the kernel function is compiled once.
    return np.concatenate([inputs, np.repeat(inputs[-1:], size - len(inputs), axis=0)])


def _symmetric_tile(
    kernel_function: KernelFunction, first: np.ndarray, second: np.ndarray, side: int
) -> Float[np.ndarray, "2 rows rows"]:
    if halves_symmetric_pairs(kernel_function):
        # Compiled for any shape: nothing is filled up.
        kernels = symmetric_kernels(kernel_function, first, second)
    else:
        ours = _filled(first, side)
        kernels = symmetric_kernels(kernel_function, ours, ours if second is first else _filled(second, side))
    tile = np.stack([_double(array)[: len(first), : len(first)] for array in kernels])
    # Symmetric up to rounding already, but eigensolvers read one triangle where products read both.
    return (tile + np.swapaxes(tile, 1, 2)) / 2


def _tile(
    kernel_function: KernelFunction, first: np.ndarray, second: np.ndarray, shape: tuple[int, int]
) -> Float[np.ndarray, "2 rows columns"]:
    filled = (_filled(block, size) for block, size in zip((first, second), shape, strict=True))
    kernels = kernel_function(*filled)
    return np.stack([_double(array)[: len(first), : len(second)] for array in kernels])


def _double(array: jax.Array | np.ndarray) -> np.ndarray:
    """Returns a kernel as NumPy array, which must have been computed in double precision.

    Raises:
        ConfigError: it was not. Single precision loses the small eigenvalues that predictions divide by, and later
            nothing would tell.
    """
    if array.dtype != np.float64:
        raise ConfigError(
            f"Gram matrices: expected kernels in float64, found {array.dtype}; compute under jax.enable_x64(True), "
            "from float64 inputs."
        )
    return np.asarray(array)
