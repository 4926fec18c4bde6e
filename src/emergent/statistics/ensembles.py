"""Sub-ensembles of a pool of members: disjoint ones, their sums over blocks, and bootstraps.

Ensemble k of size m consists of members k m .. (k + 1) m - 1. The first ensembles therefore do not change when the
pool grows, and a block needs to store only the sums over the runs of its members that belong to one ensemble.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from emergent.errors import DataError

Run = tuple[int, int]
"""Half-open range of member indices."""


def disjoint_ensembles(size: int, num_members: int, max_ensembles: int | None = None) -> list[Run]:
    """Returns the disjoint ensembles of one size that a pool can fill, at most ``max_ensembles``; None for all."""
    return [(first, first + size) for first in range(0, num_members - size + 1, size)][:max_ensembles]


def runs_in_block(sizes: tuple[int, ...], max_ensembles: int, first: int, stop: int) -> list[Run]:
    """Returns the distinct runs of members whose sums a block [first, stop) has to store, sorted.

    Every ensemble of every size is cut at the block's borders; the result does not depend on the size of the pool.
    """
    runs = set()
    for size in sizes:
        for k in range(first // size, min(-(-stop // size), max_ensembles)):
            runs.add((max(k * size, first), min((k + 1) * size, stop)))
    return sorted(runs)


def ensemble_mean(ensemble: Run, sums: Mapping[Run, np.ndarray], borders: list[int]) -> np.ndarray:
    """Returns the mean output of one ensemble from the sums stored by the blocks.

    Args:
        ensemble: members [start, stop).
        sums: run to summed outputs.
        borders: first members of all blocks and the end of the last, ascending.

    Raises:
        DataError: a run is missing, because blocks were evaluated with other ensemble sizes.
    """
    start, stop = ensemble
    cuts = [start, *[border for border in borders if start < border < stop], stop]
    total: np.ndarray | None = None
    for run in pairwise(cuts):
        if run not in sums:
            raise DataError(f"members {run[0]}..{run[1] - 1}: no stored sum; evaluate the blocks again.")
        part = sums[run].astype(np.float64)
        total = part if total is None else total + part
    assert total is not None
    return total / (stop - start)


def bootstrap_counts(
    num_bootstraps: int, ensemble_size: int, num_members: int, generator: np.random.Generator
) -> Int[np.ndarray, "B M"]:
    """Returns how often each member is drawn, uniformly with replacement, in each bootstrap ensemble.

    The ensemble means are ``counts @ outputs / ensemble_size``: networks never run again per bootstrap.

    Raises:
        DataError: fewer than two bootstraps (no spread could be estimated) or an ensemble larger than the pool.
    """
    if num_bootstraps < 2:
        raise DataError(f"bootstraps: expected at least 2, found {num_bootstraps}.")
    if ensemble_size > num_members:
        raise DataError(f"ensemble size {ensemble_size} exceeds the pool of {num_members} members.")
    # The counts of N uniform draws are multinomial: nobody needs to know in which order members were drawn.
    return generator.multinomial(ensemble_size, np.full(num_members, 1 / num_members), size=num_bootstraps)
