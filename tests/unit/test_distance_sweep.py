"""Summary of pairs of ensembles by setting: known floors are found, by width and beside a limit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from summary_cases import settings_of, stored, summarise, values_of, write_blocks

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.claims import read_claims
from emergent.config.distance_sweep import DistanceSweep
from emergent.errors import ConfigError
from emergent.figures.distance_sensitivity import _word
from emergent.statistics.estimate import Estimate
from emergent.storage import Array
from emergent.summaries.distance_sweep import NORMS, law_ratio

ROOT = Path(__file__).parents[2]
APART, BIAS, NOISE, NUM, NUM_CLASSES, NUM_SAMPLES = 2.0, 6.0, 0.5, 120, 3, 20
WIDTHS = (4, 8)
DATA = {"fields": ("ood", "gaussian_fields_8")}


def sweep(
    folder: Path, seed: int = 0, apart: float = APART, bias: float = BIAS
) -> tuple[dict[str, pd.DataFrame], np.ndarray]:
    """Two kinds of two widths: either kind is BIAS / width from the limit, and the kinds are apart / width apart.

    Outputs of members have the variance NOISE^2 each, so that noise is K NOISE^2 to the limit and twice that of a pair.
    """
    generator = np.random.default_rng(seed)
    arms: dict[str, dict[str, Any]] = {}
    for width in WIDTHS:
        arms[f"cnn_{width}"] = {"width": width, "compare_to": f"gcnn_{width}"}
        arms[f"gcnn_{width}"] = {"width": width}
    limits = {f"{kind}_{width}": f"{kind}_4" for kind in ("cnn", "gcnn") for width in WIDTHS}
    settings = settings_of("distance_sweep", arms, NUM, DATA, ensemble_sizes=(1, 3, 10), limits=limits, law_size=100)
    settings = settings.model_copy(update={"max_ensembles": NUM})
    limit = generator.normal(size=(NUM_SAMPLES, 1, NUM_CLASSES))
    # Directions at right angles to each other, of the same length at every sample.
    common, between = np.eye(NUM_CLASSES)[:2]
    blocks, predictions = {}, {}
    for width in WIDTHS:
        for kind, sign in (("cnn", 1), ("gcnn", -1)):
            mean = limit + (bias * common + sign * apart / 2 * between) / width
            outputs = mean + NOISE * generator.normal(size=(3, NUM, NUM_SAMPLES, 1, NUM_CLASSES))
            blocks[f"{kind}_{width}"] = write_blocks(folder, f"{kind}_{width}", {"fields": outputs}, {}, settings)
    for kind in ("cnn", "gcnn"):
        predictions[f"{kind}_4"] = folder / f"{kind}.h5"
        arrays = {"fields/mean": Array(limit, ("sample", "element", "output"))}
        storage.write(predictions[f"{kind}_4"], stage="predict", attributes={}, arrays=arrays)
    return stored(summarise(settings, blocks, predictions), folder), limit


def test_floors_are_those_of_the_means_by_width_and_to_the_limit(tmp_path: Path) -> None:
    tables, _ = sweep(tmp_path)
    floors = tables["floors"].set_index(["series", "width"])
    assert sorted(floors.index) == sorted(
        (series, float(width)) for series in ("pair", "compared_ntk", "reference_ntk") for width in WIDTHS
    )
    for (series, width), row in floors.iterrows():
        square = (APART / width) ** 2 if series == "pair" else (BIAS**2 + APART**2 / 4) / width**2
        noise = NUM_CLASSES * NOISE**2 * (2 if series == "pair" else 1)
        assert abs(row["floor_squared"] - square / noise) < 4 * row["floor_squared_stderr"], (series, width)
        assert row["noise"] == pytest.approx(noise, rel=0.1)
    quantities = values_of(tables)
    for series, square in (("pair", APART**2 / 2), ("reference_ntk", BIAS**2 + APART**2 / 4)):
        fit = quantities.loc[f"floor_by_width/{series}/ood"]
        assert abs(fit["value"] - square / (NUM_CLASSES * NOISE**2)) < 4 * fit["stderr"]
        assert quantities.value[f"floor_misfit/{series}/ood"] < 9
    assert quantities.value["ntk_means_apart/ood"] == 0
    assert quantities.value["floor_over_noise/cnn_4/fields"] == quantities.value["floor_over_noise/cnn_4/ood"]


def test_equal_means_leave_no_floor_whatever_they_share(tmp_path: Path) -> None:
    found = values_of(sweep(tmp_path, seed=1, apart=0.0)[0])
    for width in WIDTHS:
        row = found.loc[f"floor_over_noise/cnn_{width}/fields"]
        assert abs(row["value"]) < 4 * row["stderr"] < 0.1
        assert found.value[f"ntk_floor_over_noise/cnn_{width}/fields"] > 0.5


@pytest.mark.parametrize(
    ("apart", "bias", "small", "seen"),
    [(0.0, 6.0, "agrees", "agrees"), (4.0, 6.0, "differs", "agrees"), (0.0, 0.0, "agrees", "differs")],
)
def test_claims_on_floors_come_out_as_the_means_are(
    tmp_path: Path, apart: float, bias: float, small: str, seen: str
) -> None:
    claims = [claim for claim in read_claims(ROOT / "config/claims.yaml") if claim.experiment == "cnn_gcnn_widths"]
    table = sweep(tmp_path, 3, apart, bias)[0]["quantities"]
    rows = judge(claims, {"cnn_gcnn_widths": table}, "laptop").set_index(["id", "quantity"])["verdict"]
    # At eight channels a floor is a quarter of that at four, in squares.
    assert rows["width_floors_are_small", "floor_over_noise/cnn_4/fields"] == small
    controls = rows["width_control_sees_floors"]
    assert set(controls) == {seen}
    assert set(rows["width_limits_agree"]) == {"agrees"}


def test_norms_are_those_of_their_names(tmp_path: Path) -> None:
    distances = sweep(tmp_path, seed=2)[0]["distances"].query("arm == 'cnn_4'").set_index(["norm", "ensemble_size"])
    assert set(distances.index.get_level_values(0)) == set(NORMS)
    for size in (1, 3, 10):
        root = distances["mean"]["root_mean_square", size]
        # Averages over checkpoints and ensembles commute with constant factors only.
        assert distances["mean"]["per_logit", size] == pytest.approx(root / np.sqrt(NUM_CLASSES))
        assert distances["mean"]["total", size] == pytest.approx(root * np.sqrt(NUM_SAMPLES))
        expected = (APART / 4) ** 2 + 2 * NUM_CLASSES * NOISE**2 / size
        assert distances["mean"]["mean_square", size] == pytest.approx(expected, rel=0.1)
        assert distances["mean"]["mean_norm", size] < root


@pytest.mark.parametrize("square", [0.0, 0.09, 1.0])
def test_ratio_by_the_law(square: float) -> None:
    found = law_ratio(Estimate(square, 0.01, 50, "unbiased"), 100)
    assert found.value == pytest.approx((square + 0.01) / (square + 1))
    step = 1e-6
    slope = (law_ratio(Estimate(square + step, 0.01, 50, "unbiased"), 100).value - found.value) / step
    assert found.stderr == pytest.approx(0.01 * slope, rel=1e-4)


@pytest.mark.parametrize(
    ("difference", "wide", "word"),
    [(0.0, 0.1, "yes"), (0.15, 0.1, "unclear"), (-0.25, 0.1, "unclear"), (0.4, 0.1, "no"), (0.0, 0.3, "unclear")],
)
def test_words_of_the_table_need_power(difference: float, wide: float, word: str) -> None:
    assert _word(difference, wide, 0.2) == word


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"arms": {"cnn_8": {"num_members": 128}}}, "compared member by member"),
        ({"evaluate": {"max_ensembles": 3}}, "needs 4 disjoint ensembles"),
        ({"arms": {"cnn_8": {"compare_to": None}}}, "none of them says compare_to"),
    ],
)
def test_impossible_pairs_are_refused(delta: dict[str, Any], message: str) -> None:
    content = read_yaml(ROOT / "config/experiments/cnn_gcnn_widths.yaml")
    del content["scales"]
    content["arms"] = {name: content["arms"][name] for name in ("cnn_8", "gcnn_8")}
    with pytest.raises(ConfigError, match=message):
        validate(DistanceSweep, merge(content, delta), "widths.yaml")


def test_a_limit_is_that_of_arms_that_differ_in_width_alone() -> None:
    content = read_yaml(ROOT / "config/experiments/cnn_gcnn_widths.yaml")
    del content["scales"]
    limits = validate(DistanceSweep, content, "widths.yaml").summary_stage().limits
    assert limits == {name: f"{name.split('_')[0]}_8" for name in content["arms"]}
    other = merge(content, {"arms": {"cnn_4": {"learning_rate": 0.1}, "gcnn_16": {"num_training_samples": 8}}})
    fewer = validate(DistanceSweep, other, "widths.yaml").summary_stage().limits
    assert set(limits) - set(fewer) == {"cnn_4", "gcnn_16"}
