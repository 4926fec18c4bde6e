"""What many members keep of their distance to the infinitely wide ensemble: known floors are found, by width."""

import itertools

import numpy as np
import pandas as pd
import pytest
from summary_cases import data_facts

from emergent.config.figure_options import FloorOptions
from emergent.config.infinite_width_figures import InfiniteWidthFloor
from emergent.config.stages import ArmFacts
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw
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


def test_errors_of_floors_and_of_their_fit_cover_the_truth():
    """Intervals of one and of two errors, with pools of 100 to 400 members, hold the truth as often as they say."""
    misses: dict[str, list[float]] = {"floor": [], "fit": []}
    for seed in range(150):
        table, quantities = floors(1.0, seed)
        truth = (BIAS / table["width"]) ** 2
        misses["floor"] += list(np.abs(table["floor_squared"] - truth) / table["floor_squared_stderr"])
        fit = quantities.loc["ntk_floor_by_width/test"]
        misses["fit"].append(abs(fit["value"] - BIAS**2) / fit["stderr"])
    for name, expected in itertools.product(misses, ((1.0, 0.683), (2.0, 0.954))):
        width, share = expected
        found = np.mean(np.array(misses[name]) < width)
        # Three standard errors of a share among so many fits; floors of one run are independent too.
        assert abs(found - share) < 3 * np.sqrt(share * (1 - share) / len(misses[name])), (name, width, found)


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


@pytest.mark.parametrize(("factor", "words"), [(1.0, {"floor", "fit"}), (0.0, {"limit"})])
def test_legend_names_what_is_drawn(factor: float, words: set[str]):
    """Floors that are seen have points, others upper limits; a fit has a line where it is above 0."""
    rows = [{"arm": f"mlp_{width}", "width": width, "data": "test", "num": 100, "floor_squared": factor / width**2,
             "floor_squared_stderr": 0.1 / width**2, "floor": factor / width, "floor_stderr": 0.1 / width, "noise": 1.0,
             "fitted_squared": factor / width**2} for width in (16, 32)]  # fmt: skip
    entry = InfiniteWidthFloor(
        name="floor", paper="gerken_kessel", id="F1b", label="l", experiments=("e",), title="t", caption="c",
        plot="infinite_width_floor", options=FloorOptions(data=("test",)),
    )  # fmt: skip
    drawing = draw(entry, Inputs({"ntk_floor": pd.DataFrame(rows)}, ()), {})
    labels = {text.get_text() for text in drawing.figure.legends[0].get_texts()}
    known = {"floor": r"$M \to \infty$ members", "limit": "upper limit", "fit": "a / width, fitted"}
    assert labels == {known[word] for word in words}
