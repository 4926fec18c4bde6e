"""Kernels of sums: of networks whose outputs are added up over the parts of a sample, such as a molecule's atoms.

Independent networks of random parameters add their kernels: K(a, b) = sum over branches, and within one over all pairs
of parts that it sees, of the branch's kernel (FanInSum of neural-tangents for one part per branch).

References:
    arXiv:2406.06504, networks on molecules.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.errors import ConfigError
from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import GramMatrices


class Branch(NamedTuple):
    """The parts that one network sees.

    Attributes:
        inputs: of the network.
        owners: samples that the parts belong to, ascending; any number of parts each.
    """

    inputs: Float[np.ndarray, "A ..."]
    owners: Int[np.ndarray, " A"]


def num_pairs(branches: Sequence[Branch]) -> int:
    """Returns how many pairs of parts ``sum_gram`` goes through."""
    return sum(len(branch.owners) * (len(branch.owners) + 1) // 2 for branch in branches)


def sum_gram(
    kernel_function: KernelFunction,
    branches: Sequence[Branch],
    num: int,
    tile_size: int,
    advance: Callable[[int], None] = lambda pairs: None,
) -> GramMatrices:
    """Returns both Gram matrices [num, num] of samples, float64 and exactly symmetric.

    Memory is that of the result and of one tile of pairs of parts.

    Args:
        kernel_function: of every branch.
        branches: parts of all samples.
        num: samples.
        tile_size: parts per side of a tile.
        advance: called with pairs of parts that are done.

    Raises:
        ConfigError: kernels come out in single precision.
    """
    result = np.zeros((2, num, num))
    for inputs, owners in branches:
        starts = range(0, len(owners), tile_size)
        for i in starts:
            rows = slice(i, i + tile_size)
            for j in starts[i // tile_size :]:
                columns = slice(j, j + tile_size)
                kernels = kernel_function(inputs[rows], inputs[columns])
                for total, part in zip(result, kernels, strict=True):
                    _add(total, np.asarray(part), owners[rows], owners[columns], mirrored=i != j)
                advance(len(owners[rows]) * len(owners[columns]))
    # Tiles on the diagonal are symmetric up to rounding only.
    result = (result + np.swapaxes(result, 1, 2)) / 2
    return GramMatrices(result[0], result[1])


def _add(
    total: Float[np.ndarray, "N N"],
    tile: Float[np.ndarray, "R C"],
    first: Int[np.ndarray, " R"],
    second: Int[np.ndarray, " C"],
    *,
    mirrored: bool,
) -> None:
    if tile.dtype != np.float64:
        raise ConfigError(f"kernels of sums: expected float64, found {tile.dtype}; compute under jax.enable_x64(True).")
    (rows, starts), (columns, stops) = (np.unique(owners, return_index=True) for owners in (first, second))
    summed = np.add.reduceat(np.add.reduceat(tile, starts, axis=0), stops, axis=1)
    # Owners are named once each here, so that nothing is lost where it is added.
    total[np.ix_(rows, columns)] += summed
    if mirrored:
        total[np.ix_(columns, rows)] += summed.T
