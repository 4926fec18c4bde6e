"""Errors of distances between two ensembles, and of their ratio, hold the truth as often as they say."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from emergent.config.stages import DataFacts
from emergent.statistics.distance_ratio import distance_ratio
from emergent.statistics.estimate import quantile
from emergent.summaries.ensemble_distance import BySample, _add_quantities
from emergent.summaries.quantities import Quantities

NUM_SAMPLES, NUM_OUTPUTS, NOISE, NUM_POOLS = 30, 6, 0.8, 300
DATA = DataFacts(
    name="in", dataset="in", role="in", primary=True, label=None, interpolation=None, condition_of=None, condition=None,
    fill=None, whole=True,
)  # fmt: skip


def differences(generator: np.random.Generator, num: int, floor: float) -> np.ndarray:
    """Outputs [M, N, K] of members of one arm less those of another, whose true means are ``floor`` apart."""
    shift = shift_of(floor)
    return shift + NOISE * generator.normal(size=(num, *shift.shape))


def shift_of(floor: float) -> np.ndarray:
    shift = np.random.default_rng(7).normal(size=(NUM_SAMPLES, NUM_OUTPUTS))
    return shift * floor / np.sqrt(np.square(shift).sum(1).mean())


def true_distance(size: int, floor: float) -> float:
    """Mean distance of ensembles, from so many that its own noise is small beside that of the simulated pools."""
    noise = np.random.default_rng([99, size]).normal(size=(20_000, NUM_SAMPLES, NUM_OUTPUTS))
    return float(np.linalg.norm(shift_of(floor) + NOISE / math.sqrt(size) * noise, axis=-1).mean())


def distance(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors.mean(0), axis=-1).mean())


def found(seed: int, num: int, sizes: tuple[int, ...], floor: float) -> pd.DataFrame:
    vectors = differences(np.random.default_rng([seed, num]), num, floor)
    ensembles = {n: np.array([distance(vectors[k * n : (k + 1) * n]) for k in range(num // n)]) for n in sizes}
    flat, quantities = vectors.reshape(num, -1), Quantities()
    nothing = np.zeros(NUM_SAMPLES)
    at_samples = BySample(dict.fromkeys(sizes, nothing + 1), np.stack([nothing, nothing]))
    _add_quantities(quantities, DATA, ensembles, flat @ flat.T / NUM_SAMPLES, 1, at_samples)
    return quantities.table().set_index("name")


@pytest.mark.parametrize("floor", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("num", [10, 20])
def test_distances_of_whole_pools(num: int, floor: float) -> None:
    names = ("distance/in/1", f"distance/in/{num}")
    truth = {name: true_distance(size, floor) for name, size in zip(names, (1, num), strict=True)}
    truth |= {"distance_ratio/in": truth[names[1]] / truth[names[0]], "floor_squared/in": floor**2, "floor/in": floor}
    tables = [found(seed, num, (1, 5, num), floor) for seed in range(NUM_POOLS)]
    for name, expected in truth.items():
        value, error, dof = (np.array([table.loc[name, key] for table in tables]) for key in ("value", "stderr", "dof"))
        for width, level in ((1.0, 0.6827), (2.0, 0.9545)):
            quantile = stats.t.ppf(stats.norm.cdf(width), dof)
            covered = float(np.mean(np.abs(value - expected) <= quantile * error))
            allowed = 3 * math.sqrt(level * (1 - level) / NUM_POOLS)
            assert covered > level - allowed, (name, width, covered)
            # Two errors of a root reach as far as those of its square, and one is then wide where this is near 0.
            if not name.startswith("floor/"):
                assert covered < level + allowed + 0.02, (name, width, covered)
        if name == "distance_ratio/in":
            assert 0.9 < np.sqrt(np.square(error).mean()) / value.std(ddof=1) < 1.1


@pytest.mark.parametrize("floor", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("num", "sizes", "unit", "widest"),
    [(4, (1, 4), 1, 1.2), (8, (2, 8), 2, 1.2), (20, (1, 10), 2, 1.15), (20, (1, 5), 1, 1.1)],
)
def test_ratios_of_small_pools_and_of_several_ensembles(
    num: int, sizes: tuple[int, int], unit: int, widest: float, floor: float
) -> None:
    """The fewest units that there may be, units of two, and large ensembles that do not hold all members alone.

    Of four units little is known of what belongs to pairs: without a floor errors are up to a fifth too large.
    """
    below, above = (true_distance(n, floor) for n in sizes)
    estimates = []
    for seed in range(NUM_POOLS):
        vectors = differences(np.random.default_rng([seed, num, unit]), num, floor)
        found = [np.array([distance(vectors[k * n : (k + 1) * n]) for k in range(num // n)]) for n in sizes]
        units = vectors.reshape(num // unit, unit, -1).mean(1)
        estimates.append(distance_ratio(*found, sizes, units @ units.T / NUM_SAMPLES, unit))
    value, error = (np.array([getattr(one, key) for one in estimates]) for key in ("value", "stderr"))
    assert 0.9 < np.sqrt(np.square(error).mean()) / value.std(ddof=1) < widest
    for width, level in ((1.0, 0.6827), (2.0, 0.9545)):
        reach = np.array([quantile(width, one.dof) * one.stderr for one in estimates])
        covered = float(np.mean(np.abs(value - above / below) <= reach))
        allowed = 3 * math.sqrt(level * (1 - level) / NUM_POOLS)
        assert level - allowed < covered < level + allowed + 0.02, (width, covered)


def test_ratios_of_other_layouts() -> None:
    """Ensembles that no units make up, a single small ensemble, and one large one with fewer than four units."""
    vectors = differences(np.random.default_rng(5), 12, 0.3)
    for sizes, unit in (((1, 5), 2), ((1, 2), 1), ((3, 12), 2)):
        found = [np.array([distance(vectors[k * n : (k + 1) * n]) for k in range(12 // n)]) for n in sizes]
        units = vectors.reshape(12 // unit, unit, -1).mean(1)
        estimate = distance_ratio(*found, sizes, units @ units.T / NUM_SAMPLES, unit)
        np.testing.assert_allclose(estimate.value, found[1].mean() / found[0].mean())
        assert len(found[1]) == 1 or 0 < estimate.stderr < estimate.value
