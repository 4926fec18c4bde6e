"""Images on the sphere: training of a block, refused input, memory; summary, claims and pictures on made-up runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import assert_words_have_room

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.claims import read_claims
from emergent.config.figures import read_catalogue
from emergent.config.spherical_images import SphereSummary, SphericalImagesExperiment
from emergent.config.spherical_images_training import PlanarCnn, SphereStage, SphericalCnn
from emergent.config.spherical_memory import training_bytes
from emergent.domains.spherical_images import make_sets, read_planar
from emergent.errors import ConfigError, DataError, ResourceError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import PLOTS, draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.job_memory import require_own_memory
from emergent.provenance import sidecar_path
from emergent.storage import Array
from emergent.summaries.spherical_images import accuracy, mean_overlap, summarise_spherical_images
from emergent.training.spherical_images import round_trips, spherical_images_arrays
from emergent.training.spherical_tests import confusion

CONFIG = Path(__file__).parents[2] / "config"
CONTENT = read_yaml(CONFIG / "experiments/spherical_mnist.yaml")
SCALES = CONTENT.pop("scales")
CLAIMS = [claim for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "spherical_mnist"]
ENTRIES = [entry for entry in read_catalogue(CONFIG / "figures.yaml").values()
           if tuple(entry.experiments) == ("spherical_mnist",)]  # fmt: skip


def experiment(scale: str, **delta: Any) -> SphericalImagesExperiment:
    return validate(SphericalImagesExperiment, merge(merge(CONTENT, SCALES[scale]), delta), "case")


def stage(arm: str, **delta: Any) -> SphereStage:
    small = {"data": {"num_train": 32, "num_validation": 8, "num_test": 12, "num_moved": 12}}
    found = experiment("smoke", **merge(small, delta)).stage("train", arm)
    assert isinstance(found, SphereStage)
    return found


def planar() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    return {part: (generator.integers(0, 255, (own, 28, 28)).astype(np.uint8), generator.integers(0, 10, own))
            for part, own in {"train": 32, "validation": 8, "test": 12}.items()}  # fmt: skip


@pytest.mark.parametrize("arm", ["classify_s2cnn", "segment_cnn_4"])
def test_networks_do_not_depend_on_their_block(arm: str) -> None:
    settings = stage(arm)
    both, times = spherical_images_arrays(settings, range(2), planar())
    second, _ = spherical_images_arrays(settings.model_copy(update={"ensemble_sizes": (1,)}), [1], planar())
    assert both["confusion_1"].values.shape[:2] == (2, 2)
    assert both["confusion_2"].values.shape[:2] == (1, 2)
    np.testing.assert_allclose(both["moved_1"].values[1:], second["moved_1"].values, rtol=1e-3)
    assert abs(both["moved_1"].values[0] - both["moved_1"].values[1]) > 1e-6
    points = 12 * (10 * 10 if settings.task == "segment" else 1)
    assert (both["confusion_1"].values.sum((2, 3)) == points).all()
    assert set(times) == {"training_seconds", "latency_seconds"}
    assert min(times.values()) > 0
    assert {"inference", "training", "num_parameters"} <= set(both)


def test_more_copies_hold_fewer_and_arms_see_the_same_tests() -> None:
    four, one = (make_sets(planar(), stage("segment_cnn_4").model_copy(update={"copies": copies})) for copies in (4, 1))
    np.testing.assert_array_equal(four.train.images[:32], one.train.images)
    assert (four.train.images[:32] != four.train.images[32:64]).any()
    still = make_sets(planar(), stage("segment_s2cnn"))
    np.testing.assert_array_equal(still.rotated.images, four.rotated.images)
    assert (still.rotated.images != still.upright.images).any()
    # Masks: the class, one up, above the threshold, and nothing else.
    labels = planar()["test"][1]
    for image, mask, label in zip(still.rotated.images, still.rotated.targets, labels, strict=True):
        np.testing.assert_array_equal(mask, np.where(image > 150, label + 1, 0))


def test_transforms_that_lose_precision_are_refused() -> None:
    settings = stage("classify_s2cnn").model_copy(update={"tolerance": 1e-12})
    with pytest.raises(DataError, match="transforms of bandwidth 3 and back change coefficients"):
        round_trips(settings)


def test_a_diverging_network_is_named() -> None:
    settings = stage("classify_cnn_4")
    settings = settings.model_copy(update={"train": settings.train.model_copy(update={"learning_rate": 1e38})})
    with pytest.raises(DataError, match="network 3 of arm classify_cnn_4"):
        spherical_images_arrays(settings.model_copy(update={"ensemble_sizes": (1,)}), [3], planar())


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"arms": {"classify_s2cnn": {"network": {"band_limits": [31, 6]}}}}, "have degrees below b = 30"),
        ({"bandwidth": {"classify": 8}}, "have degrees below b = 8"),
        ({"arms": {"classify_s2cnn": {"network": {"max_beta": [0.1, 1.5]}}}}, "max_beta"),
        ({"arms": {"classify_s2cnn": {"network": {"max_beta": [0.1, 0.0]}}}}, "max_beta"),
        ({"arms": {"classify_s2cnn": {"network": {"max_beta": [0.1, 0.1, 0.1]}}}}, "to classify takes 2 angles"),
        ({"arms": {"segment_s2cnn": {"task": "classify"}}}, "to classify takes 7 angles"),
        ({"arms": {"classify_s2cnn": {"network": {"band_limits": [10]}}}}, "expected 2 band limits"),
        ({"arms": {"classify_cnn": {"network": {"kernels": [5, 3]}}}}, "expected 5 of each"),
        ({"arms": {"segment_large_16": {"network": {"kernels": [3, 5, 3, 7, 5, 3, 99]}}}}, "kernel of 99 x 99"),
        ({"ensemble_sizes": [1, 8]}, "within a block of 4 members"),
        ({"ensemble_sizes": [2, 4]}, "begin with 1"),
        ({"data": {"num_moved": 20000}}, "at most num_test"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment("paper", **delta)


def test_functions_on_rotations_that_do_not_fit_are_refused() -> None:
    study = experiment("paper")
    require_own_memory(study, 80 * 2**30, lambda dataset, split: 0)
    with pytest.raises(ResourceError, match=r"arm segment_s2cnn: training one network needs about \d+\.\d GiB, but 12"):
        require_own_memory(study, 12 * 2**30, lambda dataset, split: 0)
    large = study.stage("train", "segment_s2cnn")
    assert isinstance(large, SphereStage)
    # A function on SO(3) of bandwidth 42 takes 0.8 GB for a batch, and a step keeps several.
    assert training_bytes(large, 1) > 10 * 8e8
    assert study.training_bytes("classify_cnn") < 8 * 2**30


def test_planar_images_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "prepared.h5"

    def write(shape: tuple[int, ...]) -> None:
        arrays = {f"{split}/inputs": Array(np.zeros(shape, np.uint8), ("sample", "row", "column", "channel"), "1", "x")
                  for split in ("train", "test")}  # fmt: skip
        labels = {f"{split}/labels": Array(np.zeros(shape[0], np.int32), ("sample",), "1", "y")
                  for split in ("train", "test")}  # fmt: skip
        storage.write(path, stage="prepare", attributes={"dataset": "x"}, arrays=arrays | labels)

    data = stage("classify_s2cnn").data
    write((60, 28, 28, 1))
    assert len(read_planar(path, data)["train"][1]) == 32
    write((20, 28, 28, 1))
    with pytest.raises(DataError, match="train: expected at least 40 images, found 20"):
        read_planar(path, data)
    write((60, 32, 32, 3))
    with pytest.raises(DataError, match="expected labelled grey squares"):
        read_planar(path, data)


def test_scores_are_of_pooled_counts() -> None:
    counts = confusion(np.array([[0, 1, 2], [1, 1, 0]]), np.eye(3)[[[0, 1, 0], [2, 1, 0]]])
    np.testing.assert_array_equal(counts, [[2, 0, 0], [0, 2, 1], [1, 0, 0]])
    assert accuracy(counts) == pytest.approx(4 / 6)
    # Of class 1 two of three points of the union, of class 2 none of two; the background does not count.
    assert mean_overlap(counts) == pytest.approx((2 / 3 + 0) / 2)
    assert mean_overlap(np.diag([5, 3, 0])) == pytest.approx(1.0)


# Summary, claims and pictures

TRUE = {
    "classify_s2cnn": (0.9, 0.9), "classify_cnn": (0.92, 0.15), "classify_cnn_1": (0.6, 0.6),
    "classify_cnn_4": (0.8, 0.8), "classify_cnn_16": (0.9, 0.905), "segment_s2cnn": (0.8, 0.8),
    "segment_cnn": (0.8, 0.1), "segment_cnn_4": (0.5, 0.5), "segment_cnn_16": (0.6, 0.6),
}  # fmt: skip


def written(
    folder: Path,
    levels: dict[str, tuple[float, float]],
    gain: float = 0.02,
    moved_gain: float = 0.7,
    measured: bool = True,
) -> tuple[SphereSummary, dict[str, pd.DataFrame]]:
    """Networks right in such parts of upright and rotated images; every doubling adds to it, and changes shrink."""
    found = experiment("laptop").stage("summary")
    assert isinstance(found, SphereSummary)
    generator, paths = np.random.default_rng(0), {}
    for arm, (upright, rotated) in levels.items():
        facts, paths[arm] = found.sphere_arms[arm], []
        block = experiment("laptop").members_of_arm(arm).block
        num = 10 + (facts.task == "segment")
        for first in range(0, facts.num_members, block):
            arrays = {"members": Array(np.arange(first, first + block), ("member",), "1", "index"),
                      "round_trip": Array(np.array([1e-7]), ("layer",), "1", "e")}  # fmt: skip
            cost = {"num_parameters": 100, "inference": 400 if "s2cnn" in arm else 100, "training": 900}
            arrays |= {key: Array(np.array([value]), ("one",), "1", key) for key, value in cost.items()}
            for size in facts.ensemble_sizes:
                own, doublings = block // size, np.log2(size)
                right = np.array([upright, rotated]) + gain * doublings + 1e-3 * generator.normal(size=(own, 2))
                wrong = (1 - right)[..., None, None] / (num - 1)
                parts = wrong + (right[..., None, None] - wrong) * np.eye(num)
                dims = (f"ensemble_{size}", "images", "class", "predicted")
                counts = np.round(10000 * parts).astype(np.int64)
                arrays[f"confusion_{size}"] = Array(counts, dims, "1", "counts")
                changes = 0.3 * moved_gain**doublings * (1 + 0.01 * generator.normal(size=own))
                arrays[f"moved_{size}"] = Array(changes, dims[:1], "1", "changes")
            grid = ("example", "row", "column")
            drawn = generator.integers(0, 11, (2, 6, 6))
            if facts.task == "segment":
                images = generator.integers(0, 255, (2, 2, 6, 6)).astype(np.uint8)
                arrays["example_images"] = Array(images, ("example", "rotated", *grid[1:]), "1", "grey")
                arrays |= {f"example_{name}": Array(drawn, grid, "1", name) for name in ("targets", "predictions")}
            path = folder / f"{arm}_{first}.h5"
            storage.write(path, stage="train", attributes={"config": "{}"}, arrays=arrays)
            if measured:
                facts_beside = {
                    "measured": {"training_seconds": 3.0, "latency_seconds": 1e-3 * (1 + generator.random())}
                }
                sidecar_path(path).write_text(json.dumps(facts_beside), encoding="utf-8")
            paths[arm].append(path)
    return found, summarise_spherical_images(found, paths, {})


def verdicts(tables: dict[str, pd.DataFrame]) -> dict[str, set[str]]:
    rows = judge(CLAIMS, {"spherical_mnist": tables["quantities"]}, "laptop")
    return {str(name): set(part["verdict"]) for name, part in rows.groupby("id")}


def test_claims_hold_where_augmentation_reaches_in_one_task_only(tmp_path: Path) -> None:
    _, tables = written(tmp_path, TRUE)
    assert set(map(tuple, verdicts(tables).values())) == {("agrees",)}
    quantities = tables["quantities"].set_index("name")["value"]
    assert quantities["cost_ratio/classify_cnn_16"] == 4
    # The ensemble of four costs as much as the spherical CNN, a single network a quarter.
    assert quantities["equal_cost_ratio/classify_cnn_16/4"] == 1
    assert quantities["equal_cost_gap/classify_cnn_16/4"] == quantities["score_gap/classify_cnn_16/4"]
    assert quantities["equal_cost_moved_gap/classify_cnn_16/4"] == pytest.approx(-2 * np.log10(0.7), abs=0.02)
    assert "equal_cost_ratio/classify_cnn_16/1" not in quantities
    assert quantities["moved_gain/segment_cnn_16/4"] == pytest.approx(-2 * np.log10(0.7), abs=0.02)
    assert quantities["upright/classify_cnn/1"] == pytest.approx(92, abs=0.2)


def test_claims_can_fail(tmp_path: Path) -> None:
    levels = TRUE | {"classify_cnn_16": (0.6, 0.6), "segment_cnn_16": (0.9, 0.9), "classify_cnn": (0.95, 0.95),
                     "segment_cnn": (0.95, 0.95), "classify_s2cnn": (0.7, 0.9)}  # fmt: skip
    _, tables = written(tmp_path, levels, gain=-0.02, moved_gain=1.3)
    found = verdicts(tables)
    assert found.pop("spherical_digits_round_trip") == {"agrees"}
    assert set(map(tuple, found.values())) == {("differs",)}


def test_ensembles_are_paired_with_their_own_members(tmp_path: Path) -> None:
    """Blocks of three networks hold one pair each, and a network in none."""
    study = experiment("laptop", members={"num": 6, "block": 3}, ensemble_sizes=[1, 2])
    assert study.members_of_arm("classify_s2cnn").block == 2  # which 4 networks can be cut into
    found = study.stage("summary")
    assert isinstance(found, SphereSummary)
    found = found.model_copy(update={"sphere_arms": {"classify_cnn_16": found.sphere_arms["classify_cnn_16"]},
                                     "arms": []})  # fmt: skip
    paths = []
    for first, right in ((0, [10, 30, 90]), (3, [50, 70, 0])):
        pair = [*right, sum(right[:2]) // 2]
        counts = np.array([[[[own, 100 - own], [0, 0]]] * 2 for own in pair])
        moved = 10.0 ** -np.array([own / 10 for own in pair])
        arrays = {"members": Array(np.arange(first, first + 3), ("member",), "1", "index")}
        for size, part in ((1, slice(3)), (2, slice(3, 4))):
            dims = (f"ensemble_{size}", "images", "class", "predicted")
            arrays[f"confusion_{size}"] = Array(counts[part], dims, "1", "counts")
            arrays[f"moved_{size}"] = Array(moved[part], dims[:1], "1", "changes")
        arrays |= {key: Array(np.ones(1), ("one",), "1", key) for key in ("num_parameters", "inference", "training")}
        arrays["round_trip"] = Array(np.zeros(1), ("layer",), "1", "e")
        paths.append(tmp_path / f"{first}.h5")
        storage.write(paths[-1], stage="train", attributes={"config": "{}"}, arrays=arrays)
    table = summarise_spherical_images(found, {"classify_cnn_16": paths}, {})["quantities"].set_index("name")
    # Ensembles that are as good as the mean of their members gain nothing.
    for gain in ("gain", "moved_gain"):
        assert table.loc[f"{gain}/classify_cnn_16/2", ["value", "stderr"]].tolist() == pytest.approx([0, 0], abs=1e-12)


def test_latencies_are_of_networks(tmp_path: Path) -> None:
    """Arms that differ by their copies alone are the same program: what is beside it is no part of its latency."""
    _, tables = written(tmp_path, TRUE)
    times = tables["times"].set_index("arm")["latency_seconds"]
    assert times["classify_cnn"] == times["classify_cnn_16"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_pictures_are_drawn(tmp_path: Path, entry: Any) -> None:
    settings, tables = written(tmp_path, TRUE)
    names = PLOTS[entry.plot].tables
    inputs = Inputs({name: tables[name] for name in names}, (facts_of(settings),))
    drawing = draw(entry, inputs, {})
    assert isinstance(drawing, Drawing)
    assert len(drawing.figure.axes) >= 4
    assert set(drawing.data["source"]) == {"ours"}
    assert "{" not in fill_caption(entry, drawing.facts, "laptop", ())
    if entry.plot != "projected_masks":
        with context():
            assert_words_have_room(drawing.figure)
    with pytest.raises(DataError, match=f"no table '{names[-1]}'"):
        draw(entry, inputs._replace(tables={name: tables[name] for name in names[:-1]}), {})


def test_times_that_were_not_measured_are_not_numbers(tmp_path: Path) -> None:
    _, tables = written(tmp_path, TRUE, measured=False)
    assert tables["times"][["training_seconds", "latency_seconds"]].isna().all(axis=None)
    assert not stage("classify_s2cnn").timed and experiment("laptop").timed


def test_configured_networks_are_of_their_kind() -> None:
    for scale in SCALES:
        for name, arm in experiment(scale).arms.items():
            assert isinstance(arm.network, SphericalCnn if "s2cnn" in name else PlanarCnn)
