"""Experiments of kind ``cloud_distance``: settings, bad input, a tiny training, its summary, figure and table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import assert_words_have_room

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.cloud_distance import CloudDistanceExperiment, CloudDistanceStage, CloudDistanceSummary
from emergent.config.cloud_pairs import CloudPairOptions
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.datasets import cloud_pairs
from emergent.domains.cloud_pairs import Pairs, read_pairs
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.facts import Facts, Inputs
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.kinds import load_experiment
from emergent.storage import Array
from emergent.summaries.cloud_distance import summarise_cloud_distance
from emergent.training import cloud_distance
from emergent.training.cloud_distance import (
    Outputs,
    by_size,
    cloud_distance_arrays,
    invariance_error,
    turned_pairs,
)

ROOT = Path(__file__).parents[2]
CONTENT = read_yaml(ROOT / "config/experiments/gromov_wasserstein.yaml")
CONTENT.pop("scales")
TINY: dict[str, Any] = {
    "dataset": "solid_pairs",
    "arms": {
        "products": {"hidden": 4, "outputs": 3},
        "centroids": {"hidden": 4, "outputs": 3},
        "coordinates": {"hidden": 4, "outputs": 3, "networks": 1},
        "augmented": {"hidden": 4, "outputs": 3, "networks": 2},
        "relaxed": {"hidden": 4, "outputs": 3},
    },
    "train": {"num_epochs": 5},
    "rotations": 2,
    "members": {"num": 2, "block": 2},
}


def study(**delta: Any) -> CloudDistanceExperiment:
    return validate(CloudDistanceExperiment, merge(merge(CONTENT, TINY), delta), "tiny.yaml")


def stage(arm: str, **delta: Any) -> CloudDistanceStage:
    found = study(**delta).stage("train", arm)
    assert isinstance(found, CloudDistanceStage)
    return found


def pairs(seed: int = 0, num: int = 4) -> Pairs:
    generator = np.random.default_rng(seed)
    first, second = generator.standard_normal((2, num, 6, 3)).astype(np.float32)
    return Pairs(first, second, generator.uniform(1, 2, (num, num)).astype(np.float32))


def test_published_settings() -> None:
    paper = load_experiment(ROOT / "config/experiments", "gromov_wasserstein", "paper")
    assert isinstance(paper, CloudDistanceExperiment)
    assert (paper.train.learning_rate, paper.train.distance_rate, paper.train.num_epochs) == (1e-3, 1e-2, 200)
    products, centroids = paper.arms["products"], paper.arms["centroids"]
    assert (products.hidden, products.outputs, centroids.hidden, centroids.outputs) == (16, 16, 16, 8)
    options = read_yaml(ROOT / "config/datasets.yaml")["datasets"][paper.dataset]["options"]
    assert (options["num_clouds"], options["num_points"], options["epsilon"]) == (40, 100, 0.01)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"arms": {"products": {"augmented": True}}}, "no rotation changes products; expected features 'coordinates'"),
        ({"arms": {"products": {"features": "distances"}}}, "features"),
        ({"arms": {"coordinates": {"relaxed": True}}}, "coordinates have no symmetry to relax; expected features"),
        ({"arms": {"augmented": {"compare_to": "centroid"}}}, "did you mean 'centroids'"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"train": {"distance_rates": 0.1}}, "did you mean 'distance_rate'"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_depends_on_its_own_arm_alone() -> None:
    text = canonical_json(stage("products"))
    assert CloudDistanceStage.model_validate_json(text) == stage("products")
    assert canonical_json(stage("products", members={"num": 4}, arms={"augmented": {"networks": 3}})) == text


def test_networks_that_are_not_invariant_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([1e-5, 1e-5, 1e-5, 0.1])
    monkeypatch.setattr(cloud_distance, "invariance_error", lambda *given: next(errors))
    two = stage("products", arms={"products": {"networks": 2}})
    with pytest.raises(DataError, match="trial 1 of arm products, network 1: expected a network that no rotation"):
        cloud_distance_arrays(two, [0, 1], pairs(), pairs(1))


def test_features_that_rotations_change_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coordinates in the place of features, called invariant."""
    monkeypatch.setattr(cloud_distance, "INVARIANT", ("coordinates",))
    with pytest.raises(DataError, match=r"trial 0 of arm coordinates, network 0: .* nothing was trained"):
        cloud_distance_arrays(stage("coordinates"), [0], pairs(), pairs(1))


def test_diverging_networks_are_named() -> None:
    broken = pairs()._replace(bounds=np.full((4, 4), np.inf, np.float32))
    with pytest.raises(DataError, match=r"trial 0 of arm coordinates, network 0: the training loss is .* by step 5"):
        cloud_distance_arrays(stage("coordinates"), [0], broken, pairs(1))


def test_errors_by_ensemble_size_are_means_over_disjoint_ensembles() -> None:
    generator = np.random.default_rng(0)
    train, test = pairs(), pairs(1)
    outputs = Outputs(*(generator.normal(size=shape) for shape in ((4, 4, 4), (4, 4, 4), (4, 2, 4, 4))))
    rows = by_size(outputs, train, test)
    ensembles = [outputs.test[:2].mean(0), outputs.test[2:].mean(0)]
    expected = np.mean([np.square(one - test.bounds).mean() for one in ensembles])
    np.testing.assert_allclose(rows[1].mse, expected)
    whole = invariance_error(outputs.turned.mean(0), outputs.test.mean(0), test.bounds)
    np.testing.assert_allclose(rows[3].asymmetry, whole)
    assert len(rows) == 4
    assert invariance_error(outputs.test[:1], outputs.test[0], test.bounds) == 0


def test_turned_clouds_are_turned_and_nothing_else() -> None:
    given = pairs()
    turned = turned_pairs(given, stage("products"))
    assert len(turned) == 2
    for one in turned:
        distances = [np.linalg.norm(c[:, :, None] - c[:, None], axis=-1) for c in (given.first, one.first)]
        np.testing.assert_allclose(*distances, atol=1e-5)
        assert np.abs(one.first - given.first).max() > 0.1
    assert np.abs(turned[0].first - turned[1].first).max() > 0.1


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder, found = tmp_path_factory.mktemp("trained"), {}
    for arm in ("products", "augmented", "relaxed"):
        for trial in range(2):
            path = folder / f"{arm}_{trial}.h5"
            arrays = cloud_distance_arrays(stage(arm), [trial], pairs(), pairs(1))
            storage.write(path, stage="train", attributes={}, arrays=arrays)
            found.setdefault(arm, []).append(path)
    return found


def tiny_study() -> CloudDistanceExperiment:
    return study(arms={"centroids": None, "coordinates": None, "products": {"compare_to": None},
                       "augmented": {"compare_to": "products"}, "relaxed": {"compare_to": "products"}},
                 assumed=[])  # fmt: skip


def summary_of(trained: dict[str, list[Path]]) -> tuple[CloudDistanceSummary, dict[str, Any]]:
    settings = tiny_study().stage("summary")
    assert isinstance(settings, CloudDistanceSummary)
    return settings, summarise_cloud_distance(settings, trained, {})


def test_trials_do_not_depend_on_their_block(trained: dict[str, list[Path]]) -> None:
    together = cloud_distance_arrays(stage("augmented"), [0, 1], pairs(), pairs(1))
    apart = [storage.read_arrays(path, ["predictions", "mse"], "train") for path in trained["augmented"]]
    for name in ("predictions", "mse"):
        values = np.concatenate([part[name] for part in apart])
        np.testing.assert_allclose(together[name].values, values, rtol=1e-5)
    # Trials have starts of their own.
    assert np.abs(np.diff(together["mse"].values, axis=0)).min() > 1e-6


def test_summary_names_what_claims_ask_for(trained: dict[str, list[Path]]) -> None:
    _, tables = summary_of(trained)
    quantities = tables["quantities"].set_index("name")
    for name in ("mse/products", "spearman_train/products", "asymmetry/products", "ensemble_mse/augmented/2",
                 "ensemble_asymmetry_ratio/augmented", "gain/augmented", "parameters/products"):  # fmt: skip
        assert np.isfinite(quantities.loc[name, "value"]), name
    assert quantities.loc["asymmetry/products", "value"] < 1e-4 < quantities.loc["asymmetry/augmented", "value"]
    assert set(tables["pairs"]["ensemble_size"]) == {1, 2}
    chosen = tables["choices"].set_index(["arm", "ensemble_size"])
    assert chosen.loc[("products", 1), "symmetry"] == "built_in" and np.isfinite(
        quantities.loc["equal_work/products", "value"]
    )
    assert chosen.loc[("relaxed", 1), "symmetry"] == "relaxed"
    assert np.isfinite(quantities.loc["equal_work/relaxed", "value"])
    # It starts invariant, and does not stay so.
    rows = tables["distances"].set_index(["arm", "metric"])
    assert rows.loc[("relaxed", "asymmetry"), "start"] < 1e-3 < rows.loc[("relaxed", "asymmetry"), "mean"]
    # An ensemble is as much work as all of its networks.
    one, two = (chosen.loc[("augmented", size)] for size in (1, 2))
    assert one["symmetry"] == two["symmetry"] == "augmented" and two["work"] == 2 * one["work"] > 0
    assert one["error"] == pytest.approx(quantities.loc["mse/augmented", "value"])
    settings, _ = summary_of(trained)
    with pytest.raises(DataError, match="expected trials 0 to 1 once each"):
        summarise_cloud_distance(settings, {**trained, "products": trained["products"][:1]}, {})
    other = settings.model_copy(update={"networks": {"products": 1, "augmented": 3, "relaxed": 1}})
    with pytest.raises(DataError, match="arm augmented: 2 networks a trial, expected 3; train again"):
        summarise_cloud_distance(other, trained, {})


@pytest.mark.parametrize("name", ["learnt_distances", "learnt_distances_table"])
def test_figure_and_table(trained: dict[str, list[Path]], name: str) -> None:
    settings, tables = summary_of(trained)
    entry = read_catalogue(ROOT / "config/figures.yaml")[name]
    named = {key: table.assign(experiment="gromov_wasserstein") for key, table in tables.items()}
    facts = Facts("gromov_wasserstein", "clouds", 2, settings.arms, ())
    references = {"gromov_wasserstein": read_reference(ROOT / "config/references/gromov_wasserstein.json")}
    drawing = draw(entry, Inputs(named, (facts,)), references if entry.references else {})
    assert "{" not in fill_caption(entry, drawing.facts, "paper", ())
    if isinstance(drawing, Drawing):
        with context():
            assert_words_have_room(drawing.figure)
    else:
        assert isinstance(drawing, Tabulation)
        assert list(drawing.cells.index) == ["DS-CI", "DS-CI, published", "coordinates augmented",
                                             "coordinates augmented, ensembles of 2",
                                             "OI-DS and coordinates"]  # fmt: skip
        assert drawing.cells.loc["DS-CI, published", "test MSE"] == "0.0187"
    with pytest.raises(DataError, match="has no table"):
        draw(entry, Inputs({}, (facts,)), {})


def solids(**change: Any) -> CloudPairOptions:
    source = {"shapes": "solids", "classes": ["box", "cone"], "extent": [1.0, 2.0]}
    content = {"source": source, "num_clouds": 2, "num_points": 8, "epsilon": 0.5, "seed": 0}
    return validate(CloudPairOptions, content | change, "options")


def voxels(folder: Path, num: int) -> CloudPairOptions:
    grids = np.random.default_rng(0).uniform(size=(num, 32**3)) < 0.05
    np.savez(folder / cloud_pairs.VOXELS, chair_packed=np.packbits(grids, axis=1), monitor_packed=np.packbits(grids, 1))
    return solids(source={"shapes": "voxels", "classes": ["chair", "monitor"]})


def test_pairs_are_made_and_read(tmp_path: Path) -> None:
    arrays = cloud_pairs.prepare(tmp_path, solids())
    assert arrays["train/first"].values.shape == (2, 8, 3) and arrays["test/bounds"].values.shape == (2, 2)
    again = cloud_pairs.prepare(tmp_path, solids())
    np.testing.assert_array_equal(arrays["test/bounds"].values, again["test/bounds"].values)
    assert np.abs(arrays["train/first"].values - arrays["test/first"].values).max() > 0.01
    storage.write(tmp_path / "prepared.h5", stage="prepare", attributes={}, arrays=arrays)
    train, _ = read_pairs(tmp_path / "prepared.h5")
    np.testing.assert_array_equal(train.bounds, arrays["train/bounds"].values)


def test_voxels_are_cut_into_splits(tmp_path: Path) -> None:
    arrays = cloud_pairs.prepare(tmp_path, voxels(tmp_path, 4))
    assert arrays["test/second"].values.shape == (2, 8, 3)
    with pytest.raises(DataError, match="expected at least 4 grids of chair, found 3; lower num_clouds"):
        cloud_pairs.prepare(tmp_path, voxels(tmp_path, 3))
    (tmp_path / cloud_pairs.VOXELS).unlink()
    with pytest.raises(DataError, match="no such raw file"):
        cloud_pairs.prepare(tmp_path, solids(source={"shapes": "voxels", "classes": ["chair", "monitor"]}))


def test_transport_that_does_not_converge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_pairs, "MOST_ITERATIONS", 1)
    with pytest.raises(DataError, match=r"train: the transport of \d of 4 pairs of clouds has not converged"):
        cloud_pairs.prepare(tmp_path, solids(epsilon=0.001))


def test_other_data_sets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "prepared.h5"
    array = Array(np.zeros((2, 3), np.float32), ("sample", "axis"), "1", "nothing")
    storage.write(path, stage="prepare", attributes={}, arrays={"train/inputs": array})
    with pytest.raises(DataError, match="expected a split 'train' with clouds of two classes"):
        read_pairs(path)
