"""Sub-ensembles of a pool: disjoint, in blocks of any size, bootstrapped."""

from itertools import pairwise

import numpy as np
import pytest

from emergent.errors import DataError
from emergent.statistics.ensembles import (
    bootstrap_counts,
    disjoint_ensembles,
    ensemble_mean,
    runs_in_block,
)

SIZES = (1, 3, 8, 20)
NUM_MEMBERS, MAX_ENSEMBLES = 24, 5
OUTPUTS = np.random.default_rng(0).normal(size=(NUM_MEMBERS, 2, 3)).astype(np.float32)


def stored_sums(block: int, num_members: int = NUM_MEMBERS) -> tuple[dict[tuple[int, int], np.ndarray], list[int]]:
    """What blocks of one size store, and their borders; the last block may be smaller."""
    borders = [*range(0, num_members, block), num_members]
    sums = {}
    for first, stop in pairwise(borders):
        for run in runs_in_block(SIZES, MAX_ENSEMBLES, first, stop):
            assert first <= run[0] < run[1] <= stop
            sums[run] = OUTPUTS[slice(*run)].sum(0)
    return sums, borders


@pytest.mark.parametrize("block", [1, 2, 3, 5, 7, 8, 11, 12, 23, 24])
def test_means_do_not_depend_on_the_block_size(block: int) -> None:
    sums, borders = stored_sums(block)
    for size in SIZES:
        ensembles = disjoint_ensembles(size, NUM_MEMBERS, MAX_ENSEMBLES)
        assert len(ensembles) == min(NUM_MEMBERS // size, MAX_ENSEMBLES)
        for start, stop in ensembles:
            inside = {run: value for run, value in sums.items() if start <= run[0] and run[1] <= stop}
            mean = ensemble_mean((start, stop), inside, borders)
            assert mean.dtype == np.float64
            np.testing.assert_allclose(mean, OUTPUTS[start:stop].mean(0, dtype=np.float64), rtol=1e-5, atol=1e-6)


def test_ensembles_are_disjoint_consecutive_and_of_the_right_size() -> None:
    ensembles = disjoint_ensembles(3, 11, 10)
    assert ensembles == [(0, 3), (3, 6), (6, 9)]
    assert disjoint_ensembles(3, 11, 2) == [(0, 3), (3, 6)]
    assert disjoint_ensembles(12, 11, 2) == []


def test_growing_the_pool_leaves_earlier_blocks_unchanged() -> None:
    small, _ = stored_sums(6, 12)
    large, _ = stored_sums(6, 24)
    assert {run for run in large if run[1] <= 12} == set(small)
    assert disjoint_ensembles(8, 24, 9)[:1] == disjoint_ensembles(8, 12, 9)


def test_blocks_beyond_the_last_ensemble_store_nothing() -> None:
    assert runs_in_block((1, 3), 2, 6, 12) == []
    assert runs_in_block((1, 3), 2, 4, 12) == [(4, 6)]


def test_no_run_is_stored_twice() -> None:
    runs = runs_in_block((2, 2, 4), 10, 0, 4)
    assert runs == [(0, 2), (0, 4), (2, 4)]


def test_missing_sum_is_named() -> None:
    with pytest.raises(DataError, match=r"members 2\.\.3: no stored sum; evaluate the blocks again"):
        ensemble_mean((0, 4), {(0, 2): OUTPUTS[0]}, [0, 2, 4])


def test_bootstrap_counts() -> None:
    counts = bootstrap_counts(4000, 6, 10, np.random.default_rng(0))
    assert counts.shape == (4000, 10)
    assert (counts.sum(1) == 6).all() and counts.min() >= 0 and counts.max() > 1
    # Multinomial: mean 0.6, variance 6 * 0.1 * 0.9 of each count.
    assert np.abs(counts.mean(0) - 0.6).max() < 4 * np.sqrt(0.54 / 4000)
    np.testing.assert_array_equal(counts, bootstrap_counts(4000, 6, 10, np.random.default_rng(0)))


def test_spread_of_bootstrap_means_is_that_of_ensembles() -> None:
    values = np.random.default_rng(1).normal(size=200)
    means = bootstrap_counts(4000, 20, 200, np.random.default_rng(2)) @ values / 20
    expected = values.std() / np.sqrt(20)
    # Relative standard error of a std from 4000 draws: 1 / sqrt(2 * 3999).
    assert abs(means.std(ddof=1) / expected - 1) < 4 / np.sqrt(8000)
    assert abs(means.mean() - values.mean()) < 4 * expected / np.sqrt(4000)


@pytest.mark.parametrize("num_bootstraps", [0, 1])
def test_too_few_bootstraps(num_bootstraps: int) -> None:
    with pytest.raises(DataError, match=f"expected at least 2, found {num_bootstraps}"):
        bootstrap_counts(num_bootstraps, 3, 10, np.random.default_rng(0))


def test_ensemble_larger_than_the_pool() -> None:
    bootstrap_counts(2, 10, 10, np.random.default_rng(0))
    with pytest.raises(DataError, match="ensemble size 11 exceeds the pool of 10 members"):
        bootstrap_counts(2, 11, 10, np.random.default_rng(0))
