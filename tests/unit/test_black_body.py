"""Units: Smith's normal form, dimensionless products, Planck's law; experiments of kind ``black_body``."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import assert_words_have_room
from scipy import constants

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.black_body import LABEL, UNITS, BlackBodyExperiment, BlackBodyStage, BlackBodySummary
from emergent.config.claims import read_claims
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.config.unit_powers import independent, require_solution, solve, unit_words
from emergent.errors import ConfigError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.style import context
from emergent.storage import Array
from emergent.summaries.black_body import summarise_black_body
from emergent.units.black_body import black_body_arrays, implied_planck, planck

CONFIG = Path(__file__).parents[2] / "config"
FOUR = ("wavelength", "temperature", "light", "boltzmann")
CLAIMS = [claim for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "black_body"]


def study(**delta: Any) -> BlackBodyExperiment:
    content = read_yaml(CONFIG / "experiments/black_body.yaml")
    small = {"network": {"max_iterations": 10, "scan_iterations": 5}, "members": {"num": 2, "block": 2}, "scales": None}
    return validate(BlackBodyExperiment, merge(merge(content, small), delta), "case")


def arrays(arm: str, **delta: Any) -> dict[str, Array]:
    stage = study(**delta).stage("train", arm)
    assert isinstance(stage, BlackBodyStage)
    return black_body_arrays(stage, [0, 1])


def test_products_have_the_units_of_the_label_or_none() -> None:
    for names in (FOUR, tuple(UNITS)):
        powers = solve({name: UNITS[name] for name in names}, LABEL)
        columns = np.array([UNITS[name] for name in names]).T
        np.testing.assert_array_equal(columns @ powers.label, LABEL)
        np.testing.assert_array_equal(columns @ powers.dimensionless.T, 0)
        assert len(powers.dimensionless) == len(names) - 4
    # The classical limit: light times energy over wavelength to the fourth; and one product is left with h.
    assert solve({name: UNITS[name] for name in FOUR}, LABEL).label.tolist() == [-4, 1, 1, 1]
    (one,) = solve({name: UNITS[name] for name in UNITS}, LABEL).dimensionless
    np.testing.assert_array_equal(abs(one), 1)
    assert one[0] == one[1] == one[3] == -one[2] == -one[4]


@pytest.mark.parametrize("seed", range(5))
def test_integer_systems_against_rational_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    columns = generator.integers(-2, 3, (4, 6))
    wanted = columns @ generator.integers(-2, 3, 6)
    found = solve({f"q{i}": columns[:, i].tolist() for i in range(6)}, wanted.tolist())
    np.testing.assert_array_equal(columns @ found.label, wanted)
    np.testing.assert_array_equal(columns @ found.dimensionless.T, 0)
    assert np.linalg.matrix_rank(found.dimensionless) == len(found.dimensionless) == 6 - np.linalg.matrix_rank(columns)


def test_systems_without_solution_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"make kg m\^-1 s\^-3, found wavelength \(m\), temperature \(K\), of which no"
    ):
        solve({name: UNITS[name] for name in FOUR[:2]}, LABEL)
    # Half powers would do, whole ones do not.
    with pytest.raises(ConfigError, match=r"expected quantities that make m, found area \(m\^2\)"):
        solve({"area": (0, 2, 0, 0)}, (0, 1, 0, 0))
    # Two times the first and not one of the second: no rounded powers of the first alone would say so.
    require_solution({"area": (0, 2, 0, 0), "volume": (0, 3, 0, 0)}, (0, 1, 0, 0))
    with pytest.raises(ConfigError, match=r"expected quantities that make m, found area \(m\^2\)"):
        require_solution({"area": (0, 2, 0, 0)}, (0, 1, 0, 0))
    assert not independent({"area": (0, 2, 0, 0)}, (0, 1, 0, 0)) and independent({"area": (0, 2, 0, 0)}, (1, 0, 0, 0))
    assert unit_words((0, 0, 0, 0)) == "1"


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"quantities": ["wavelength", "temperature"]}, "expected quantities that make kg m^-1 s^-3, found wavelength"),
        ({"quantities": ["wavelength", "light"], "unknown": {"units": [1, 0, 0, 0]}}, "found kg, which makes none"),
        ({"quantities": ["wavelength", "temperature"], "unknown": {}}, "of which no product of integer powers does"),
    ],
)
def test_settings_without_a_solution_are_refused_before_anything_is_computed(task: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(arms={"none": task})
    assert "arms.none" in str(caught.value) and words in str(caught.value)


def test_settings_are_checked_without_the_cost_of_sympy() -> None:
    code = "import sys; from emergent.kinds import load_experiment; from pathlib import Path; "
    code += "load_experiment(Path('config/experiments'), 'black_body', 'paper'); sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CONFIG.parent, check=False).returncode == 0


def test_planck_against_its_limits() -> None:
    wavelength, temperature = np.array([1e-2]), np.array([300.0])
    classical = 2 * constants.c * constants.k * temperature / wavelength**4
    np.testing.assert_allclose(np.exp(planck(wavelength, temperature)), classical, rtol=0.01)
    # Far in the ultraviolet, where exponentials overflow.
    exponent = constants.h * constants.c / (1e-8 * constants.k * 300.0)
    expected = np.log(2 * constants.h * constants.c**2 / 1e-40) - exponent
    np.testing.assert_allclose(planck(np.array([1e-8]), temperature), expected)
    # Its integral is that of Stefan and Boltzmann.
    grid = np.geomspace(1e-7, 1e-1, 20001)
    total = np.trapezoid(np.exp(planck(grid, np.full_like(grid, 1000.0))), grid)
    np.testing.assert_allclose(np.pi * total, constants.sigma * 1000.0**4, rtol=1e-5)


def test_constants_are_translated_into_that_of_planck() -> None:
    task = study().task("scan")
    ratio = constants.h / constants.k
    assert implied_planck((0, 0, 1, 1), np.log(ratio), task) == pytest.approx(constants.h, rel=1e-12)
    assert implied_planck((1, 2, -1, 0), np.log(constants.h), task) == pytest.approx(constants.h, rel=1e-12)
    # A length is no product of it with the speed of light and Boltzmann's constant; a speed holds none of it.
    assert implied_planck((0, 1, 0, 0), 1.0, task) == implied_planck((0, 1, -1, 0), 1.0, task) == 0.0


def test_without_a_feature_the_error_is_the_published_one() -> None:
    found = arrays("none")
    np.testing.assert_allclose(found["rmse"].values, 6.35, atol=0.02)
    assert found["equivariance_error"].values.max() < 1e-11 and not found["collapses"].values.any()


def test_dimensionless_products_move_with_units_and_logarithms_do_not() -> None:
    for arm in ("units", "given"):
        found = arrays(arm)
        assert found["equivariance_error"].values.max() < 1e-9 and found["collapses"].values.all()
    assert arrays("units")["implied"].values == pytest.approx([5.03e-34] * 2, rel=0.01)
    assert arrays("logs")["equivariance_error"].values.min() > 0.1
    sizes = {"ensemble_sizes": [1, 2], "copies": 1}
    assert arrays("augmented", arms={"augmented": sizes})["rmse"].values.shape == (2, 2)


def test_the_search_takes_what_fits_best() -> None:
    # Of a length and one over it with kelvin one makes wavelength times temperature.
    unknown = {"lowest": 0, "highest": 1}
    found = arrays("scan", arms={"scan": {"unknown": unknown}}, network={"scan_iterations": 120, "learning_rate": 0.01})
    assert found["collapses"].values.all()


def written(folder: Path, decades: float = 0.1, worse: float = 1.0) -> tuple[Any, BlackBodySummary]:
    """Runs in which a constant misses Planck's by some decades, and ways with units are worse by a factor."""
    settings = study(members={"num": 4, "block": 4}).stage("summary")
    assert isinstance(settings, BlackBodySummary)
    published, blocks = {"none": 6.35, "scan": 0.39, "logs": 0.64, "units": 0.175}, {}
    jitter = 1 + 0.01 * np.random.default_rng(0).standard_normal((4, 1))
    for arm, task in settings.tasks.items():
        sizes = len(task.ensemble_sizes)
        away = {"augmented": 0.5, "fixed": 8.0, "logs": 3.0}.get(arm, 1e-13)
        rmse = published.get(arm, 0.4) * (worse if arm != "logs" else 1.0)
        found = {
            "members": Array(np.arange(4), ("member",)),
            "rmse": Array(np.repeat(rmse * jitter, sizes, 1), ("member", "size")),
            "equivariance_error": Array(away * worse * jitter / np.arange(1, sizes + 1), ("member", "size")),
            "collapses": Array(np.full(4, float(worse == 1)), ("member",)),
            "units": Array(np.tile((1, 2, -1, 0), (4, 1)), ("member", "unit")),
            "unknown": Array(np.full(4, 5e-34), ("member",)),
            "implied": Array(np.full(4, constants.h * 10**decades), ("member",)),
            **{
                name: Array(np.geomspace(1e-7, 1e-5, 6), ("sample",)) for name in ("wavelength", "predictions", "label")
            },
            "temperature": Array(np.array([6e3, 2e4, 6e4] * 2), ("sample",)),
        }
        blocks[arm] = [folder / f"{arm}.h5"]
        storage.write(blocks[arm][0], stage="train", attributes={}, arrays=found)
    return summarise_black_body(settings, blocks, {}), settings


def verdicts(tables: Any) -> dict[str, set[str]]:
    rows = judge(CLAIMS, {"black_body": tables["quantities"]}, "laptop")
    return {str(name): set(part["verdict"]) for name, part in rows.groupby("id", sort=False)}


def test_claims_hold_and_fail_and_the_picture_shows_them(tmp_path: Path) -> None:
    tables, settings = written(tmp_path)
    assert {word for words in verdicts(tables).values() for word in words} == {"agrees"}
    wrong = verdicts(written(tmp_path, decades=0.5, worse=3.0)[0])
    failed = {name for name, words in wrong.items() if words == {"differs"}}
    assert {"black_body_planck", "black_body_finds_the_product", "black_body_units_help"} <= failed
    entry = read_catalogue(CONFIG / "figures.yaml")["black_body_units"]
    references = {"black_body": read_reference(CONFIG / "references/black_body.json")}
    drawing = draw(entry, Inputs(tables, (facts_of(settings),)), references)
    assert isinstance(drawing, Drawing)
    with context():
        assert_words_have_room(drawing.figure)
    assert set(drawing.data["source"]) == {"ours", "published"}
    assert set(tables["constants"]["units"]) == {"kg m^2 s^-1"}


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"arms": {"logs": {"unknown": {}}}}, "unknown: expected none with method logarithms"),
        ({"arms": {"given": {"copies": 3}}}, "expected none with method dimensionless"),
        ({"arms": {"scan": {"unknown": {"lowest": 2}}}}, "lowest: expected at most highest = 1, found 2"),
        ({"arms": {"logs": {"quantities": ["light", "light"]}}}, "quantities: expected each once"),
        ({"arms": {"augmented": {"ensemble_sizes": [2, 1]}}}, "ensemble_sizes: expected ascending"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)
