"""Errors of distances between two ensembles, and of their ratio, hold the truth as often as they say, or more often."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from emergent.config.stages import DataFacts
from emergent.summaries.ensemble_distance import _add_quantities
from emergent.summaries.quantities import Quantities

NUM_SAMPLES, NUM_OUTPUTS, NOISE, NUM_POOLS = 30, 6, 0.8, 300
DATA = DataFacts(
    name="in", dataset="in", role="in", primary=True, label=None, interpolation=None, condition_of=None, condition=None,
    fill=None,
)  # fmt: skip


def differences(generator: np.random.Generator, num: int, floor: float) -> np.ndarray:
    """Outputs [M, N, K] of members of one arm less those of another, whose true means are ``floor`` apart."""
    shift = np.random.default_rng(7).normal(size=(NUM_SAMPLES, NUM_OUTPUTS))
    shift *= floor / np.sqrt(np.square(shift).sum(1).mean())
    return shift + NOISE * generator.normal(size=(num, *shift.shape))


def distance(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors.mean(0), axis=-1).mean())


def found(seed: int, num: int, sizes: tuple[int, ...], floor: float) -> pd.DataFrame:
    vectors = differences(np.random.default_rng([seed, num]), num, floor)
    ensembles = {n: np.array([distance(vectors[k * n : (k + 1) * n]) for k in range(num // n)]) for n in sizes}
    flat, quantities = vectors.reshape(num, -1), Quantities()
    _add_quantities(quantities, DATA, ensembles, flat @ flat.T / NUM_SAMPLES, 1)
    return quantities.table().set_index("name")


@pytest.mark.parametrize("floor", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("num", [10, 20])
def test_distances_of_whole_pools(num: int, floor: float) -> None:
    """The ratio takes both distances as independent although they share members: up to 1.4 times too wide."""
    generator, names = np.random.default_rng(99), ("distance/in/1", f"distance/in/{num}")
    truth = {
        name: float(np.mean([distance(differences(generator, size, floor)) for _ in range(2000)]))
        for name, size in zip(names, (1, num), strict=True)
    }
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
            if not name.startswith(("distance_ratio", "floor/")):
                assert covered < level + allowed + 0.02, (name, width, covered)
        if name == "distance_ratio/in":
            assert 0.9 < np.sqrt(np.square(error).mean()) / value.std(ddof=1) < 1.5
