"""Experiments of kind ``poses``: made-up bodies, annotations, bad input, a tiny training, summary and table."""

from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.datasets import parse_entry
from emergent.config.figures import read_catalogue
from emergent.config.poses import PosesExperiment, PosesStage, PosesSummary
from emergent.config.skeletons import PoseOptions
from emergent.datasets import poses, registry
from emergent.domains.poses import Poses, read_poses, resident
from emergent.errors import ConfigError, DataError
from emergent.estimates.multiplications import pose_multiplications
from emergent.figures.drawing import Tabulation
from emergent.figures.facts import Facts, Inputs
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.groups.joints import JOINTS, PAIRS, joint_generators, reflect
from emergent.metrics.poses import joint_error
from emergent.models import joint_networks
from emergent.plan import Plan
from emergent.summaries.poses import summarise_poses
from emergent.training import poses as training
from emergent.training.poses import by_size, poses_arrays

ROOT = Path(__file__).parents[2]
CONTENT = read_yaml(ROOT / "config/experiments/human_pose.yaml")
CONTENT.pop("scales")
TINY: dict[str, Any] = {
    "arms": {
        "s2_6": None,
        "s2_2": None,
        "s2": None,
        "trivial": {"channels": 3, "networks": 2},
        "s16": {"channels": 3, "networks": 1},
        "augmented": {"channels": 3, "networks": 2},
    },
    "train": {"num_epochs": 2, "batch_size": 8},
    "members": {"num": 2, "block": 2},
}


def study(**delta: Any) -> PosesExperiment:
    return validate(PosesExperiment, merge(merge(CONTENT, TINY), delta), "tiny.yaml")


def stage(arm: str, **delta: Any) -> PosesStage:
    found = study(**delta).stage("train", arm)
    assert isinstance(found, PosesStage)
    return found


def made(num_train: int = 24, num_test: int = 8, preference: float = 0.0) -> dict[str, storage.Array]:
    source = {"poses": "made", "num_train": num_train, "num_test": num_test, "preference": preference, "spread": 0.6}
    source |= {"distance": 4500, "seed": 0}
    return poses.prepare(Path(), validate(PoseOptions, {"source": source}, "options"))


def split(arrays: dict[str, storage.Array], name: str) -> Poses:
    return Poses(arrays[f"{name}/seen"].values, arrays[f"{name}/positions"].values)


def test_bones_have_their_lengths_and_images_are_central_projections() -> None:
    found = split(made(), "train")
    at = {name: found.positions[:, index].astype(float) for index, name in enumerate(JOINTS)}
    np.testing.assert_array_equal(at["hips"], 0)
    lengths = {
        ("hips", "left hip"): 130,
        ("left hip", "left knee"): 440,
        ("right knee", "right ankle"): 430,
        ("spine", "neck"): 250,
        ("left shoulder", "left elbow"): 280,
        ("right elbow", "right wrist"): 250,
    }
    for (first, second), length in lengths.items():
        np.testing.assert_allclose(np.linalg.norm(at[first] - at[second], axis=-1), length, rtol=1e-5)
    # The hips are at the given distance, so that they say where bodies are: all rays go through one point.
    place = found.seen[:, :1] * 4500 / poses.FOCAL_LENGTH
    beside = (place + found.positions[..., :2]) * poses.FOCAL_LENGTH
    np.testing.assert_allclose(found.seen, beside / (4500 + found.positions[..., 2:]), atol=1e-5)
    # Heads are above, knees below.
    assert (at["head"][:, 1] < -400).all() and (at["left knee"][:, 1].mean() > 100)


def test_sides_have_one_law_but_for_the_preference() -> None:
    """The mean height of wrists, in units of its error, where arms are preferred and where they are not."""
    sizes = []
    for preference in (0.0, 0.3):
        bodies = poses.made_bodies(np.random.default_rng(0), 4000, 0.6, preference)
        differences = np.stack([bodies[:, left, 1] - bodies[:, right, 1] for left, right in PAIRS], -1)
        trunk = np.abs(differences.mean(0)) / (differences.std(0) / 4000**0.5 + 1e-9)
        sizes.append(trunk)
        # Reflected bodies are bodies: their bones are as long.
        mirrored = reflect(bodies)
        np.testing.assert_allclose(np.linalg.norm(mirrored[:, 4] - mirrored[:, 5], axis=-1), 280)
    assert sizes[0].max() < 4
    assert sizes[1][:3].max() > 10 and sizes[1][3:].max() < 4


def test_knees_and_elbows_bend_one_way() -> None:
    bodies = poses.made_bodies(np.random.default_rng(0), 500, 1e-6, 0.0)
    straight = bodies[:, 10] + (bodies[:, 11] - bodies[:, 10]) * (440 + 430) / 440
    # Ankles are behind the straight leg, away from the camera that the body faces.
    assert (bodies[:, 12, 2] >= straight[:, 2] - 1e-6).all()
    trunk = bodies[:, 2] - bodies[:, 1]
    assert (trunk[:, 1] < 0).all()


def annotations(path: Path, num: int = 4, **change: np.ndarray | None) -> None:
    generator = np.random.default_rng(0)
    content: dict[str, Any] = {
        "2d": generator.uniform(0, 1000, (num, 32, 2)),
        "3d": generator.normal(size=(num, 32, 3)),
    }
    content.update(change)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            if values is not None:
                file[f"pose/{name}"] = values


def annotated(folder: Path, **change: Any) -> PoseOptions:
    source = {"poses": "annotated", "folder": str(folder), "train": ["S1", "S5"], "test": ["S9"], "every": 2}
    return validate(PoseOptions, {"source": source | {"image_size": 1000} | change}, "options")


def fill(folder: Path) -> None:
    for place in ("S1/Walking-1", "S1/Walking-2", "S5/Eating-1", "S9/Posing-1"):
        annotations(folder / place / "annot.h5")


def test_annotations_are_read(tmp_path: Path) -> None:
    fill(tmp_path)
    arrays = poses.prepare(Path(), annotated(tmp_path))
    train, test = split(arrays, "train"), split(arrays, "test")
    assert train.seen.shape == (6, 16, 2) and train.positions.shape == (6, 16, 3) and len(test.seen) == 2
    with h5py.File(tmp_path / "S9/Posing-1/annot.h5") as file:
        image, space = file["pose/2d"][2], file["pose/3d"][2]  # pyright: ignore[reportIndexIssue]
    np.testing.assert_allclose(test.seen[1, JOINTS.index("right knee")], image[2] / 500 - 1, rtol=1e-5)  # pyright: ignore
    np.testing.assert_allclose(test.positions[1, JOINTS.index("left wrist")], space[19] - space[0], rtol=1e-5)  # pyright: ignore
    np.testing.assert_array_equal(test.positions[:, 0], 0)
    # Registered as a user would do it.
    options = annotated(tmp_path).model_dump(mode="json")
    entry = {"title": "x", "module": "poses", "options": options, "licence": "x", "citation": "x",
             "splits": {"train": 6, "test": 2}, "stand_in_for": None, "notes": None}  # fmt: skip
    assert len(registry.prepare("mine", parse_entry(entry, "mine"), tmp_path)) == 4
    entry["splits"] = {"train": 5, "test": 2}
    with pytest.raises(DataError, match=r"the registry says splits .*prepared were .*'train': \[6\]"):
        registry.prepare("mine", parse_entry(entry, "mine"), tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"2d": np.zeros((4, 17, 2))},
            "pose/2d: expected numbers of shape N x 32 x 2, found float64 of shape 4 x 17 x 2",
        ),
        ({"3d": np.zeros((3, 32, 3))}, "expected as many poses in images as in space, found 4 and 3"),
        ({"3d": np.full((4, 32, 3), np.nan)}, "pose/3d: expected finite numbers, found others in frame 0"),
        ({"2d": np.zeros((4, 32, 2), int)}, "found int64"),
        ({"3d": None}, "found no pose/3d"),
    ],
)
def test_bad_annotations_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    fill(tmp_path)
    annotations(tmp_path / "S5/Eating-1/annot.h5", **change)
    with pytest.raises(DataError) as caught:
        poses.prepare(Path(), annotated(tmp_path))
    assert words in str(caught.value) and "S5/Eating-1/annot.h5" in str(caught.value)


def test_missing_and_damaged_annotations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"S1: expected annotations S1/Walking-1/annot\.h5.*Ask for the licence"):
        poses.prepare(Path(), annotated(tmp_path))
    fill(tmp_path)
    (tmp_path / "S1/Walking-2/annot.h5").write_bytes(b"\x80\x04nothing")
    with pytest.raises(DataError, match=r"Walking-2/annot\.h5: expected an HDF5 file"):
        poses.prepare(Path(), annotated(tmp_path))
    with pytest.raises(ConfigError, match="expected other subjects than those for training"):
        annotated(tmp_path, test=["S1"])


def test_other_data_are_refused(tmp_path: Path) -> None:
    arrays = made()
    storage.write(tmp_path / "whole.h5", stage="prepare", attributes={}, arrays=arrays)
    train, test = read_poses(tmp_path / "whole.h5")
    np.testing.assert_array_equal(train.seen, arrays["train/seen"].values)
    assert len(test.seen) == 8
    some = {name: value for name, value in arrays.items() if name.startswith("train")}
    storage.write(tmp_path / "part.h5", stage="prepare", attributes={}, arrays=some)
    with pytest.raises(DataError, match=r"part\.h5: expected poses for training and testing, found train"):
        read_poses(tmp_path / "part.h5")
    fewer = {name: storage.Array(value.values[:, :15], value.dims, value.units, value.description)
             for name, value in arrays.items()}  # fmt: skip
    storage.write(tmp_path / "fewer.h5", stage="prepare", attributes={}, arrays=fewer)
    with pytest.raises(DataError, match=r"fewer\.h5: expected 16 joints"):
        read_poses(tmp_path / "fewer.h5")


def test_batches_are_reflected_at_random_where_that_is_asked_for() -> None:
    train = split(made(num_train=64), "train")
    plain, augmented = resident(train, augmented=False), resident(train, augmented=True)
    np.testing.assert_allclose(np.square(np.asarray(plain.targets)).mean(), 1, rtol=1e-5)
    inputs, targets = (np.asarray(values) for values in plain.batch(None, jax.random.key(0)))
    np.testing.assert_array_equal(inputs, plain.inputs)
    some, others = (np.asarray(values) for values in augmented.batch(None, jax.random.key(0)))
    moved = (some != inputs).any((1, 2))
    assert 20 < moved.sum() < 44
    np.testing.assert_array_equal(some[moved], reflect(inputs)[moved])
    np.testing.assert_array_equal(others[moved], reflect(targets)[moved])
    np.testing.assert_array_equal(others[~moved], targets[~moved])


def test_metrics_of_ensembles_are_those_of_their_means() -> None:
    true, *outputs = np.random.default_rng(0).standard_normal((4, 5, 16, 3))
    stacked = np.stack(outputs)
    found = by_size(stacked, reflect(stacked), true)
    # What is reflected with its poses has no error of reflection.
    np.testing.assert_allclose(found["reflection"], 0, atol=1e-12)
    np.testing.assert_allclose(found["mpjpe"][0], joint_error(stacked, true[None]).mean())
    np.testing.assert_allclose(found["mpjpe"][1], joint_error(stacked[:2].mean(0), true).mean())
    assert (found["p_mpjpe"] < found["mpjpe"]).all()
    np.testing.assert_allclose(found["equivariance_error"], 0, atol=1e-12)
    assert by_size(stacked, stacked, true)["reflection"].min() > 0.1
    # Opposite outputs are as far as can be, whatever their size.
    np.testing.assert_allclose(by_size(stacked, -reflect(stacked), true)["equivariance_error"], 1)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"arms": {"s16": {"group": "S17"}}}, "group"),
        ({"arms": {"s16": {"channel": 2}}}, "did you mean 'channels'"),
        ({"arms": {"s16": {"compare_to": "s17"}}}, "expected another arm"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_depends_on_its_own_arm_alone() -> None:
    text = canonical_json(stage("trivial"))
    assert PosesStage.model_validate_json(text) == stage("trivial")
    assert canonical_json(stage("trivial", members={"num": 4}, arms={"s16": {"networks": 3}})) == text


def test_networks_are_measured_under_their_group_before_training(
    trained: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = (split(made(), name) for name in ("train", "test"))
    name = "initial_equivariance_error"
    found = storage.read_arrays(trained["s16"][0], [name], "train")[name]
    assert found.shape == (2,) and (found >= 0).all() and (found < 1e-5).all()
    assert storage.read_arrays(trained["trivial"][0], [name], "train")[name].tolist() == [-1, -1]
    # Layers of a smaller group than the one that is named.
    monkeypatch.setattr(joint_networks, "joint_generators", lambda group: joint_generators("S2_2"))
    with pytest.raises(DataError, match=r"trial 0 of arm s16, network 0: .* permutations of joints in S16, .* found"):
        poses_arrays(stage("s16"), [0], train, test)
    monkeypatch.setattr(joint_networks, "joint_generators", joint_generators)
    # Of all generators of two networks: the last of the second trial alone.
    calls = iter([*np.zeros(2 * len(joint_generators("S16")) - 1), 1.0])
    monkeypatch.setattr(training, "relative_difference", lambda *both: next(calls))
    with pytest.raises(DataError, match=r"trial 1 of arm s16, network 0: .* at most 1e-05, found 1; nothing was"):
        poses_arrays(stage("s16"), [0, 1], train, test)


def test_diverging_networks_are_named() -> None:
    arrays = made()
    hasty = stage("trivial", train={"learning_rate": 1e38})
    with pytest.raises(DataError, match=r"trial 1 of arm trivial, network 0: the training loss is (nan|inf) in epoch"):
        poses_arrays(hasty, [1], split(arrays, "train"), split(arrays, "test"))


def test_work_is_that_of_the_products_of_the_layers() -> None:
    plan = Plan({"scale": "smoke", "experiments": ["human_pose"], "memory_gb": 8}, ROOT / "config")
    # Two epochs of two networks on 256 poses; from 2 to 3 channels, twice between them, and to 3 coordinates.
    own = stage("trivial", dataset="made_poses_small")
    assert pose_multiplications(plan, own) == 2 * 2 * 256 * 16**2 * (2 * 3 + 2 * 9 + 9)


def test_work_of_training_is_that_of_all_products_of_all_steps(trained: dict[str, list[Path]]) -> None:
    read = {arm: storage.read_arrays(paths[0], ["multiplications"], "train") for arm, paths in trained.items()}
    work = {arm: float(arrays["multiplications"][0]) for arm, arrays in read.items()}
    total = 0
    for layer, (before, after) in enumerate([(2, 3), (3, 3), (3, 3), (3, 3)]):
        # Forward, for weights and for inputs, of which the first layer's have no gradient; of eight poses.
        total += (2 if layer == 0 else 3) * 8 * 16**2 * before * after
        # Weights by orbits, of which the trivial group has one for each pair and each joint, and their gradient.
        total += 2 * (16**4 * before * after + 16**2 * after)
    # Two epochs of three batches.
    assert work["trivial"] == work["augmented"] == 6 * total
    # All pairs have two weights.
    assert work["s16"] < work["trivial"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder, found, arrays = tmp_path_factory.mktemp("trained"), {}, made()
    for arm in ("trivial", "s16", "augmented"):
        path = folder / f"{arm}.h5"
        stored = poses_arrays(stage(arm), [0, 1], split(arrays, "train"), split(arrays, "test"))
        storage.write(path, stage="train", attributes={}, arrays=stored)
        found[arm] = [path]
    return found


def test_trials_do_not_depend_on_their_block(trained: dict[str, list[Path]]) -> None:
    arrays = made()
    apart = poses_arrays(stage("trivial"), [1], split(arrays, "train"), split(arrays, "test"))
    together = storage.read_arrays(trained["trivial"][0], ["mpjpe", "reflection"], "train")
    np.testing.assert_allclose(together["mpjpe"][1], apart["mpjpe"].values[0], rtol=1e-5)
    assert together["mpjpe"][0, 0] != together["mpjpe"][1, 0]
    augmented = storage.read_arrays(trained["augmented"][0], ["mpjpe"], "train")
    assert (augmented["mpjpe"] != together["mpjpe"]).all()


def test_summary_and_table(trained: dict[str, list[Path]]) -> None:
    settings = study().stage("summary")
    assert isinstance(settings, PosesSummary)
    tables = summarise_poses(settings, trained, {})
    quantities = tables["quantities"].set_index("name")
    for name in ("mpjpe/s16", "p_mpjpe/trivial", "ensemble_mpjpe/trivial/2", "gain/s16", "reflection_ratio/augmented"):
        assert np.isfinite(quantities.loc[name, "value"]), name
    errors = storage.read_arrays(trained["trivial"][0], ["mpjpe"], "train")["mpjpe"]
    np.testing.assert_allclose(quantities.loc["ensemble_gain/trivial", "value"], (errors[:, 0] - errors[:, 1]).mean())
    theirs = storage.read_arrays(trained["s16"][0], ["mpjpe"], "train")["mpjpe"]
    np.testing.assert_allclose(quantities.loc["gain/s16", "value"], (errors[:, 0] - theirs[:, 0]).mean())
    # Groups of permutations of joints do not hold the reflection of bodies.
    chosen = tables["choices"]
    assert chosen[["arm", "symmetry", "ensemble_size"]].to_numpy().tolist() == [
        ["trivial", "none", 1], ["augmented", "augmented", 1], ["augmented", "augmented", 2],
    ]  # fmt: skip
    names = ["mpjpe", "equivariance_error"]
    kept = storage.read_arrays(trained["augmented"][0], names, "train")
    np.testing.assert_allclose(chosen["error"], [errors[:, 0].mean(), *kept["mpjpe"].mean(0)], rtol=1e-6)
    np.testing.assert_allclose(chosen["asymmetry"][1:], kept["equivariance_error"].mean(0), rtol=1e-6)
    assert chosen["asymmetry"].between(1e-3, 1).all() and chosen["work"][2] == 2 * chosen["work"][1]
    other = settings.model_copy(update={"networks": {"trivial": 3, "s16": 1, "augmented": 2}})
    with pytest.raises(DataError, match="arm trivial: 2 networks a trial, expected 3; train again"):
        summarise_poses(other, trained, {})
    named = {key: table.assign(experiment="human_pose") for key, table in tables.items()}
    facts = Facts("human_pose", "made-up skeletons", 2, settings.arms, ())
    entry = read_catalogue(ROOT / "config/figures.yaml")["pose_table"]
    drawing = draw(entry, Inputs(named, (facts,)), {})
    assert isinstance(drawing, Tabulation)
    assert list(drawing.cells.index) == [
        "no symmetry",
        "no symmetry, ensembles of 2",
        "S_16, all joints",
        "no symmetry, augmented",
        "no symmetry, augmented, ensembles of 2",
    ]
    caption = fill_caption(entry, drawing.facts, "paper", ())
    assert "{" not in caption and "no number is published" in caption
    with pytest.raises(DataError, match="has no table"):
        draw(entry, Inputs({}, (facts,)), {})
