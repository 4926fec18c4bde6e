"""Experiments of kind ``separation``: pairs, their summary, claims that fail, the picture, and bad settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import assert_words_have_room

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.claims import read_claims
from emergent.config.figures import read_catalogue
from emergent.config.separation import SeparationExperiment, SeparationStage, SeparationSummary
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.style import context
from emergent.storage import Array
from emergent.summaries.separation import summarise_separation
from emergent.theorems.separation import MAKE, pairs, separation_arrays

CONFIG = Path(__file__).parents[2] / "config"
CLAIMS = [claim for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "separation"]


def study(**delta: Any) -> SeparationExperiment:
    content = read_yaml(CONFIG / "experiments/separation.yaml")
    small = {"num_pairs": 20, "members": {"num": 3, "block": 3}, "scales": None}
    return validate(SeparationExperiment, merge(merge(content, small), delta), "case")


def arrays(**delta: Any) -> dict[str, Array]:
    stage = study(**delta).stage("train", "clouds")
    assert isinstance(stage, SeparationStage)
    return separation_arrays(stage, [0, 1, 2])


def tables(folder: Path, found: dict[str, Array]) -> dict[str, pd.DataFrame]:
    settings = study().stage("summary")
    assert isinstance(settings, SeparationSummary)
    path = folder / "clouds.h5"
    storage.write(path, stage="train", attributes={}, arrays=found)
    return summarise_separation(settings, {"clouds": [path]}, {})


def verdicts(found: dict[str, pd.DataFrame]) -> dict[str, set[str]]:
    rows = judge(CLAIMS, {"separation": found["quantities"]}, "laptop")
    return {str(name): set(part["verdict"]) for name, part in rows.groupby("id", sort=False)}


@pytest.mark.parametrize("kind", [*MAKE, "shuffled"])
def test_pairs_are_what_they_are_called(kind: Any) -> None:
    first, second = pairs(kind, 30, 4, np.random.default_rng(0))
    assert first.shape == second.shape == (30, 4, 4)
    determinants = np.linalg.det(second) / np.linalg.det(first)
    if kind in ("rotated", "sheared", "boosted"):
        np.testing.assert_allclose(determinants, 1, rtol=1e-10)
    if kind == "mirrored":
        np.testing.assert_allclose(determinants, -1, rtol=1e-10)
    lengths = [np.sort(np.linalg.norm(clouds, axis=2), axis=1) for clouds in (first, second)]
    keeps_lengths = kind in ("rotated", "mirrored", "relabelled", "shuffled")
    assert np.allclose(*lengths, rtol=1e-10) == keeps_lengths
    assert abs(first.std() - 1) < 0.2


def test_claims_hold_on_drawn_clouds_and_the_picture_shows_them(tmp_path: Path) -> None:
    found = tables(tmp_path, arrays())
    assert {word for words in verdicts(found).values() for word in words} == {"agrees"}
    (entry,) = [one for one in read_catalogue(CONFIG / "figures.yaml").values() if one.experiments == ("separation",)]
    drawing = draw(entry, Inputs(found, (facts_of(study().stage("summary")),)), {})  # pyright: ignore[reportArgumentType]
    assert isinstance(drawing, Drawing)
    with context():
        assert_words_have_room(drawing.figure)
    labels = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    assert labels[0] == "$O(4)$: Gram matrix" and len(labels) == 8
    with pytest.raises(DataError, match="has no table 'separation'"):
        draw(entry, Inputs({}, ()), {})


@pytest.mark.parametrize(
    ("candidate", "pair", "value", "claim"),
    [
        ("o_gram", "unrelated", 1e-15, "separation_complete"),
        ("o_gram", "rotated", 1e-3, "separation_invariant"),
        ("so_gram", "mirrored", 1e-3, "separation_misses_mirrors"),
        ("so_minors", "sheared", 1e-3, "separation_misses_shears"),
        ("sn_sorted", "shuffled", 1e-3, "separation_misses_shuffles"),
        ("lorentz_gram", "boosted", 1e-15, "separation_needs_the_metric"),
        ("sn_all", "shuffled", 3e-15, "separation_decades"),
    ],
)
def test_each_claim_can_fail(tmp_path: Path, candidate: str, pair: str, value: float, claim: str) -> None:
    settings, found = study(), arrays()
    row = [one.name for one in settings.candidates].index(candidate)
    found["invariant"].values[:, row, settings.pairs.index(pair)] = value  # type: ignore[call-overload]
    assert "differs" in verdicts(tables(tmp_path, found))[claim]


def test_a_kind_of_pair_changes_no_other() -> None:
    few = arrays(pairs=["rotated", "sheared"])["invariant"].values
    many = arrays(pairs=["mirrored", "sheared", "rotated"])["invariant"].values
    np.testing.assert_array_equal(few, many[:, :, [2, 1]])


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (
            {"arms": {"clouds": {"dimension": 3}}},
            "arms.clouds.dimension: expected 4, which boosts of candidates.lorentz",
        ),
        ({"arms": {"clouds": {"dimension": 7}}}, "less than or equal to 5"),
        ({"pairs": ["rotated", "rotated"]}, "pairs: expected each once"),
        ({"pairs": ["twisted"]}, "pairs"),
        ({"threshold": 0.0}, "threshold"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_does_not_depend_on_the_threshold() -> None:
    text = canonical_json(study().stage("train", "clouds"))
    assert canonical_json(study(threshold=1e-8).stage("train", "clouds")) == text
    assert SeparationStage.model_validate_json(text) == study().stage("train", "clouds")
