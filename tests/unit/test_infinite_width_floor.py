"""What many members keep of their distance to the infinitely wide ensemble: known floors are found, by width."""

import numpy as np
import pandas as pd
import pytest
from summary_cases import data_facts

from emergent.config.stages import ArmFacts
from emergent.summaries.infinite_width_floor import COLUMNS, Floors
from emergent.summaries.quantities import Quantities

BIAS, NOISE, NUM_SAMPLES = 8.0, 0.5, 40
WIDTHS = {16: 400, 32: 200, 64: 100}


def floors(exponent: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Members are Gaussian around a bias of size BIAS / width^exponent, the same root mean square over samples."""
    generator = np.random.default_rng(seed)
    shape = generator.normal(size=NUM_SAMPLES)
    shape /= np.sqrt(np.mean(shape**2))
    found = Floors()
    for width, num in WIDTHS.items():
        noise = NOISE * generator.normal(size=(num, NUM_SAMPLES))
        arm = ArmFacts(name=f"mlp_{width}", label=f"{width}", width=width)
        found.add(arm, data_facts("test", "in", "ising"), BIAS / width**exponent * shape + noise)
    quantities = Quantities()
    found.add_quantities(quantities)
    return found.table(), quantities.table().set_index("name")


def test_floors_and_noise_are_those_of_the_members():
    for seed in range(5):
        table, quantities = floors(1.0, seed)
        assert list(table.columns) == COLUMNS
        truth = BIAS / table["width"]
        assert (np.abs(table["floor_squared"] - truth**2) < 4 * table["floor_squared_stderr"]).all()
        np.testing.assert_allclose(table["noise"], NOISE**2, rtol=0.1)
        fit = quantities.loc["ntk_floor_by_width/test"]
        assert abs(fit["value"] - BIAS**2) < 4 * fit["stderr"]
        assert quantities.loc["ntk_floor_misfit/test", "value"] < 6
        assert quantities.loc["ntk_floor/mlp_16/test", "value"] == pytest.approx(BIAS / 16, rel=0.1)


def test_a_floor_that_falls_by_another_law_does_not_fit():
    assert floors(0.25, 0)[1].loc["ntk_floor_misfit/test", "value"] > 6


def test_one_width_has_no_law_and_one_member_no_floor():
    found = Floors()
    found.add(ArmFacts(name="a", label="a", width=16), data_facts("test", "in", "ising"), np.ones((1, 5)))
    assert found.table().empty
    generator = np.random.default_rng(0)
    found.add(ArmFacts(name="a", label="a", width=16), data_facts("test", "in", "ising"), generator.normal(size=(9, 5)))
    quantities = Quantities()
    found.add_quantities(quantities)
    assert not [name for name in quantities.table()["name"] if "by_width" in name]
