"""Wilson loops: training of a block, refused input; summary, claims and picture on runs where claims hold or not."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from drawn import assert_words_have_room

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.claims import read_claims
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.config.wilson_loops import LoopSummary, WilsonLoopsExperiment
from emergent.config.wilson_loops_training import LoopStage
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.groups import su2
from emergent.groups.gauge import wilson_loop
from emergent.models import gauge_networks
from emergent.storage import Array
from emergent.summaries.wilson_loops import errors_of, summarise_wilson_loops
from emergent.training.wilson_loops import MovedLinks, augment, require_symmetry, wilson_loops_arrays

CONFIG = Path(__file__).parents[2] / "config"
CONTENT = read_yaml(CONFIG / "experiments/wilson_loops.yaml")
SCALES = CONTENT.pop("scales")
CLAIMS = [claim for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "wilson_loops"]
ENTRY = read_catalogue(CONFIG / "figures.yaml")["wilson_loops"]
REFERENCES = {"wilson_loops": read_reference(CONFIG / "references/wilson_loops.json")}


def experiment(scale: str, **delta: Any) -> WilsonLoopsExperiment:
    return validate(WilsonLoopsExperiment, merge(merge(CONTENT, SCALES[scale]), delta), "case")


def stage(arm: str, **delta: Any) -> LoopStage:
    small = {"data": {"moved": 3}, "arms": {"cnn": {"network": {"channels": [3]}}}}
    found = experiment("smoke", **small, **delta).stage("train", arm)
    assert isinstance(found, LoopStage)
    return found.model_copy(update={"train": found.train.model_copy(update={"num_epochs": 2, "batch_size": 4})})


def links(num: int = 8) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    sizes = {"train": 4, "validation": 4, "test_4": 4, "test_8": 8}
    return {split: su2.random_elements(generator, (num, size, size, 2)).astype(np.float32)
            for split, size in sizes.items()}  # fmt: skip


def test_networks_do_not_depend_on_their_block() -> None:
    settings = stage("cnn").model_copy(update={"augmentation": "gauge"})
    both, second = (wilson_loops_arrays(settings, members, links()) for members in (range(2), range(1, 2)))
    assert both["mse"].values.shape == (2, 2)
    np.testing.assert_allclose(both["mse"].values[1:], second["mse"].values, rtol=1e-3)
    np.testing.assert_allclose(both["turned"].values[1:], second["turned"].values, atol=1e-3)
    assert np.abs(both["turned"].values[0] - both["turned"].values[1]).max() > 1e-2
    assert np.abs(both["gauged"].values - both["turned"].values[:, 0]).max() > 1e-3


def test_gauge_equivariant_networks_stay_so_in_training() -> None:
    found = wilson_loops_arrays(stage("lcnn").model_copy(update={"augmentation": "point_group"}), [0], links())
    assert found["turned"].values.shape == (1, 8, 3, 4, 4)
    assert np.abs(found["gauged"].values - found["turned"].values[:, 0]).max() < 1e-5


def test_augmented_samples_are_moved_with_their_targets() -> None:
    given = links()["train"]
    targets = wilson_loop(given, (1, 1))
    for augmentation in ("point_group", "gauge"):
        settings = stage("lcnn").model_copy(update={"augmentation": augmentation})
        moved, aims = augment(settings, jnp.asarray(given), jnp.asarray(targets), jax.random.key(0))
        assert np.abs(np.asarray(moved) - given).max() > 0.1
        np.testing.assert_allclose(np.asarray(wilson_loop(np.asarray(moved), (1, 1))), aims, atol=1e-5)


def test_links_off_the_group_or_on_another_lattice_are_refused() -> None:
    scaled = links()
    scaled["validation"] = scaled["validation"] * np.float32(1.01)
    with pytest.raises(DataError, match=r"su2_links_tiny, validation: expected links in SU\(2\)"):
        wilson_loops_arrays(stage("cnn"), [0], scaled)
    swapped = links() | {"test_8": links()["test_4"]}
    with pytest.raises(DataError, match="test_8: expected links"):
        wilson_loops_arrays(stage("cnn"), [0], swapped)


def test_a_network_without_the_symmetry_that_it_claims_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tied = stage("lcnn").network.model_copy(update={"point_group": "weights", "channels": (1,)})
    settings = stage("lcnn").model_copy(update={"network": tied})
    broken = gauge_networks.PointGroupLCnn((1,), 1, averaged=False)
    monkeypatch.setattr("emergent.training.wilson_loops.build", lambda network: broken)
    with pytest.raises(DataError, match="expected a network that D4 leave"):
        wilson_loops_arrays(settings, [0], links())
    moved = MovedLinks.of(links()["test_4"][:2], settings)
    with pytest.raises(DataError, match="gauge transformations"):
        require_symmetry(settings, moved, lambda given: given[..., 0, 0])


def test_a_diverging_network_is_named() -> None:
    settings = stage("cnn")
    settings = settings.model_copy(update={"train": settings.train.model_copy(update={"learning_rate": 1e30})})
    with pytest.raises(DataError, match="network 3 of arm cnn"):
        wilson_loops_arrays(settings, [3], links())


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"data": {"loop": [1, 2]}}, "choose a square"),
        ({"data": {"loop": [1, 9]}}, "sides below that of the smallest lattice"),
        ({"ensemble_sizes": [2, 5]}, "from 1 to members.num"),
        ({"ensemble_sizes": [1, 50]}, "from 1 to members.num"),
        ({"data": {"sizes": [16, 8]}}, "ascending"),
        ({"arms": {"lcnn": {"network": {"point_group": "words"}}}}, "point_group"),
    ],
)
def test_settings_that_do_not_fit_are_refused(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment("paper", **delta)


# Summary, claims and picture

TRUE = {"lcnn": -13.5, "lcnn_d4": -13.0, "lcnn_augmented": -13.5, "cnn": -5.0, "cnn_links": -0.2,
        "cnn_augmented": -5.0, "cnn_gauged": -5.0}  # fmt: skip


def written(
    folder: Path,
    levels: dict[str, float],
    growth: float = 0.0,
    shared: float = 0.0,
    bad: float = 1.0,
    gauge: float = 1e-7,
) -> dict[str, pd.DataFrame]:
    """Networks with errors of these decades, each noise of its own but for a part that all of an arm share.

    Args:
        folder: for the files.
        levels: log10 of the mean squared error by arm.
        growth: of the error from lattice to lattice, in decades.
        shared: part of what D4 changes that is alike in all networks.
        bad: factor on the noise of every fifth network.
        gauge: what a gauge transformation changes in outputs of L-CNNs.
    """
    found = experiment("laptop").stage("summary")
    assert isinstance(found, LoopSummary)
    settings, generator, paths = found, np.random.default_rng(0), {}
    num = settings.num_members
    targets = generator.normal(size=(4, 4, 4))
    for arm, level in levels.items():
        logs = level + 0.1 * generator.normal(size=(num, 1)) + growth * np.arange(len(settings.sizes))
        size = 10 ** (level / 2) * np.where(np.arange(num) % 5 == 0, bad, 1.0).reshape(-1, 1, 1, 1)
        noise = generator.normal(size=(num, 8, 4, 4, 4)) * size[:, None]
        alike = generator.normal(size=(8, 4, 4, 4)) * 10 ** (level / 2)
        turned = targets + (1 - shared) * noise + shared * alike
        change = generator.normal(size=turned[:, 0].shape)
        gauged = turned[:, 0] + change * (gauge if arm.startswith("lcnn") else size)
        arrays = {"sizes": Array(np.asarray(settings.sizes), ("lattice",), "1", "s"),
                  "mse": Array(10**logs, ("member", "lattice"), "1", "e"),
                  "turned": Array(turned, ("member", "element", "sample", "row", "column"), "1", "o"),
                  "gauged": Array(gauged, ("member", "sample", "row", "column"), "1", "o"),
                  "targets": Array(targets, ("sample", "row", "column"), "1", "t")}  # fmt: skip
        paths[arm] = [folder / f"{arm}.h5"]
        arrays["members"] = Array(np.arange(num), ("member",), "1", "index")
        storage.write(paths[arm][0], stage="train", attributes={"config": "{}"}, arrays=arrays)
    return summarise_wilson_loops(settings, paths, {})


def verdicts(tables: dict[str, pd.DataFrame]) -> dict[str, set[str]]:
    rows = judge(CLAIMS, {"wilson_loops": tables["quantities"]}, "laptop")
    return {str(name): set(part["verdict"]) for name, part in rows.groupby("id")}


def test_claims_hold_on_networks_like_the_published_ones(tmp_path: Path) -> None:
    assert set(map(tuple, verdicts(written(tmp_path, TRUE)).values())) == {("agrees",)}


def test_claims_can_fail(tmp_path: Path) -> None:
    wrong = TRUE | {"lcnn": -6.0, "lcnn_d4": -6.0, "cnn": -1.0, "cnn_augmented": -5.5}
    found = verdicts(written(tmp_path, wrong, growth=0.5))
    for name in ("lcnn_error", "lcnn_worst", "lcnn_stable", "cnn_error", "d4_by_weights"):
        assert found[f"wilson_loops_{name}"] == {"differs"}, name
    assert "differs" in found["wilson_loops_cnn_above"]


def test_networks_that_gauge_transformations_change_are_told(tmp_path: Path) -> None:
    assert verdicts(written(tmp_path, TRUE, gauge=1e-3))["wilson_loops_gauge_built_in"] == {"differs"}


def test_ensembles_gain_what_is_not_shared(tmp_path: Path) -> None:
    table = written(tmp_path, TRUE, shared=0.999)["quantities"].set_index("name")
    assert float(table.at["ensemble_gain/rotation/cnn_augmented/5", "value"]) < 0.01
    free = written(tmp_path, TRUE)["quantities"].set_index("name")
    assert abs(float(free.at["ensemble_gain/rotation/cnn_augmented/5", "value"]) - np.log10(5)) < 0.1


def test_one_bad_network_makes_ensembles_worse_than_a_typical_one(tmp_path: Path) -> None:
    assert verdicts(written(tmp_path, TRUE, bad=1e4))["wilson_loops_ensembles_gain"] == {"differs"}


def test_errors_are_mean_squares() -> None:
    targets = np.zeros((2, 3, 3))
    turned = np.stack([np.ones_like(targets), np.full_like(targets, 3.0), np.ones_like(targets)])
    found = errors_of(turned, np.full_like(targets, 2.0), targets)
    assert found == {"mse": 1.0, "rotation": 2.0, "gauge": 1.0}


@pytest.mark.parametrize("references", [{}, REFERENCES], ids=["ours", "published"])
def test_the_picture_is_drawn(tmp_path: Path, references: dict) -> None:
    tables = written(tmp_path, TRUE)
    found = experiment("laptop").stage("summary")
    assert isinstance(found, LoopSummary)
    inputs = Inputs({name: tables[name] for name in ("lattices", "ensembles")}, (facts_of(found),))
    drawing = draw(ENTRY, inputs, references)
    assert isinstance(drawing, Drawing)
    assert len(drawing.figure.axes) == 3
    assert ("published" in set(drawing.data["source"])) == bool(references)
    assert "{" not in fill_caption(ENTRY, drawing.facts, "laptop", ())
    with context():
        assert_words_have_room(drawing.figure)
    with pytest.raises(DataError, match="no table 'ensembles'"):
        draw(ENTRY, inputs._replace(tables={"lattices": tables["lattices"]}), {})
