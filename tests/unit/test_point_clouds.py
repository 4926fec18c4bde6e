"""Point clouds end to end in small: settings, drawing from meshes, training, evaluation, summary, figure and table."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.datasets import load_registry
from emergent.config.point_clouds import PointCloudExperiment
from emergent.config.pointnet import PointNetModel
from emergent.config.study import SCALES
from emergent.datasets.meshes import Mesh, mesh_split
from emergent.domains.meshes import choose_faces, load_meshes
from emergent.errors import ConfigError, DataError, ResourceError
from emergent.evaluation.point_clouds import evaluate_points, evaluation_rotations
from emergent.models.pointnet import dense_layers
from emergent.training.point_clouds import PointTask, _Trainer, train_points

CONFIG = Path(__file__).parents[2] / "config"
SMALL_MODEL = {"encoder": [4], "local_net": [5, 4], "global_net": [4], "decoder": [], "num_outputs": 3}


def experiment(scale: str = "smoke", delta: dict[str, Any] | None = None) -> PointCloudExperiment:
    content = read_yaml(CONFIG / "experiments" / "nordenfors_modelnet.yaml")
    scales = content.pop("scales")
    return validate(PointCloudExperiment, merge(merge(content, scales[scale]), delta or {}), scale)


def small() -> PointCloudExperiment:
    return experiment("smoke", {
        "data": {"sampling": {"num_points": 6, "num_neighbours": 2}, "train": {"num": None}},
        "arms": {"intended": {"model": SMALL_MODEL}, "released": None},
        "train": {"batch_size": 5, "num_epochs": 2},
        "evaluate": {"num_rotations": 3, "batch_size": 5},
        "assumed": [],
    })  # fmt: skip


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Five tetrahedra of different sizes."""
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]], np.int32)
    corners = np.concatenate([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)
    meshes = [Mesh((index + 1) * corners, faces) for index in range(5)]
    path = tmp_path / "prepared.h5"
    storage.write(path, stage="prepare", attributes={}, arrays=mesh_split("train", meshes, [0, 1, 2, 0, 1]))
    return path


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid_and_its_splits_exist(scale: str) -> None:
    study = experiment(scale)
    registry = load_registry(CONFIG / "datasets.yaml")
    for dataset, split in study.splits_used():
        assert split in registry.entry(dataset).splits
    assert study.dataset_names("train") == [study.data.train.dataset]
    assert set(study.dataset_names("evaluate")) == {entry.dataset for entry in study.data.evaluate.values()}
    assert {entry.role for entry in study.data.evaluate.values() if entry.primary} == {"in", "ood"}


def test_published_sizes() -> None:
    study = experiment("paper")
    registry = load_registry(CONFIG / "datasets.yaml")
    assert registry.entry("modelnet10").splits == {"train": 3991, "test": 908}
    assert registry.entry("modelnet40_ood").splits == {"test": 520}
    assert (study.members.num, study.train.num_epochs, study.train.batch_size) == (1000, 10, 16)
    assert (study.train.optimiser, study.train.learning_rate) == ("sgd", 0.005)
    assert study.evaluate.ensemble_sizes == (5, 10, 25, 50, 100, 250, 500, 1000)
    assert (study.evaluate.num_rotations, study.evaluate.num_bootstraps) == (100, 30)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"train": {"checkpoint_every": 1}}, "only the last epoch is evaluated"),
        ({"train": {"loss": "mse"}}, "expected 'cross_entropy'"),
        ({"evaluate": {"ensemble_sizes": [4, 9]}}, r"\[9\] exceed members.num = 8"),
        ({"evaluate": {"ensemble_sizes": [4, 2]}}, "ascending"),
        ({"evaluate": {"num_bootstraps": 1}}, "num_bootstraps"),
        ({"data": {"sampling": {"num_neighbours": 32}}}, "of 32 points"),
        ({"data": {"evaluate": {"generated_solids_ood": {"role": "in"}}}}, "only one set of role 'in'"),
        ({"arms": {"intended": {"augmentation": "rotation"}}}, "'rotations' or 'none'"),
    ],
)
def test_impossible_settings(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        experiment("smoke", delta)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_full_batches_are_refused() -> None:
    content = experiment().model_dump(mode="json")
    content["train"]["batch_size"] = None
    with pytest.raises(ConfigError, match="trained in batches"):
        validate(PointCloudExperiment, content, "test")


def test_stages_see_only_what_they_depend_on() -> None:
    def stages(delta: dict[str, Any]) -> dict[str, str]:
        study = experiment("smoke", delta)
        keys = [("train", "intended"), ("evaluate", "intended"), ("train", "released"), ("summary", None)]
        return {f"{stage}/{arm}": canonical_json(study.stage_config(stage, arm)) for stage, arm in keys}

    def changed(delta: dict[str, Any]) -> set[str]:
        before, after = stages({}), stages(delta)
        return {key for key in before if before[key] != after[key]}

    assert changed({"members": {"num": 16}}) == {"summary/None"}
    assert changed({"evaluate": {"num_bootstraps": 20}}) == {"summary/None"}
    assert changed({"evaluate": {"num_rotations": 7}}) == {"evaluate/intended"}
    assert changed({"train": {"learning_rate": 0.1}}) == {"train/intended", "train/released"}
    assert changed({"arms": {"released": {"augmentation": "none"}}}) == {"train/released"}
    assert changed({"data": {"evaluate": {"generated_solids": {"primary": False}}}}) == {"summary/None"}
    with pytest.raises(ConfigError, match="expected one of intended, released"):
        experiment().stage_config("train", "intende")


def test_memory() -> None:
    study = experiment("paper")
    study.require_memory(16 * 2**30, vectorised=True)
    with pytest.raises(ResourceError, match=r"arm intended: a step needs about .* GiB"):
        study.require_memory(2**30, vectorised=False)


def test_faces_own_their_words(prepared: Path) -> None:
    meshes = load_meshes(prepared, {"split": "train", "num": None})
    words = np.random.default_rng(0).integers(0, 2**32, 200, np.uint32)
    for mesh in (0, 3, 4):
        first, stop = 4 * mesh, 4 * mesh + 4
        starts = np.asarray(meshes.area_starts)[first:stop]
        edges = np.concatenate([starts, starts[1:] - 1, [2**32 - 1]]).astype(np.uint32)
        chosen = choose_faces(meshes, jnp.asarray(mesh), jnp.asarray(np.concatenate([words, edges])))
        expected = first + np.searchsorted(starts, np.concatenate([words, edges]), side="right") - 1
        np.testing.assert_array_equal(chosen, expected)


def test_selection_of_meshes(prepared: Path) -> None:
    whole = load_meshes(prepared, {"split": "train", "num": None}, num_classes=3)
    some = load_meshes(prepared, {"split": "train", "num": 3})
    assert whole.face_offsets.tolist() == [0, 4, 8, 12, 16, 20]
    assert some.labels.shape == (3,)
    # Each mesh keeps its own vertices, whose sums tell the tetrahedra apart.
    sizes = np.asarray(some.vertices)[np.asarray(some.faces)].max((1, 2)).reshape(3, 4)
    assert (sizes == sizes[:, :1]).all() and len(set(sizes[:, 0])) == 3
    with pytest.raises(DataError, match="has 5 meshes, 6 were asked for"):
        load_meshes(prepared, {"split": "train", "num": 6})
    with pytest.raises(DataError, match=r"no split 'test'\. It has: train"):
        load_meshes(prepared, {"split": "test", "num": None})
    with pytest.raises(DataError, match="labels reach 2, but the network has 2 outputs"):
        load_meshes(prepared, {"split": "train", "num": None}, num_classes=2)


def test_members_do_not_depend_on_their_block(prepared: Path) -> None:
    meshes = load_meshes(prepared, {"split": "train", "num": None})
    config = small().stage_config("train", "intended")
    steps: list[int] = []
    both = train_points(PointTask.from_config(config, (0, 1)), meshes, steps.append)
    alone = train_points(PointTask.from_config(config, (1,)), meshes)
    assert len(steps) == 4 and both.losses.shape == (2, 2)
    for name, values in alone.parameters.items():
        np.testing.assert_array_equal(both.parameters[name][:, 1:], values)
        assert not np.array_equal(both.parameters[name][:, :1], values)


def test_evaluation(prepared: Path) -> None:
    meshes = load_meshes(prepared, {"split": "train", "num": None})
    config = small().stage_config("evaluate", "intended")
    generator = np.random.default_rng(0)
    parameters = {}
    for layer in dense_layers(PointNetModel.model_validate(config["model"])):
        shape = (1, 2, layer.fan_in, layer.features)
        parameters[f"params/{layer.name}/kernel"] = generator.normal(size=shape).astype(np.float32)
        parameters[f"params/{layer.name}/bias"] = np.zeros((1, 2, layer.features), np.float32)
    arrays = evaluate_points(config, (parameters, (4, 5), (2,)), {"in": meshes, "other": meshes})
    logits = arrays["in/logits"].values
    assert logits.shape == (2, 5, 4, 3)
    assert not np.allclose(logits[:, :, 0], logits[:, :, 1])
    # Every set has clouds of its own.
    assert not np.allclose(logits, arrays["other/logits"].values)
    # A member's clouds depend neither on its block nor on the batch that they are in.
    config["evaluate"]["batch_size"] = 1
    alone = {name: values[:, 1:] for name, values in parameters.items()}
    again = evaluate_points(config, (alone, (5,), (2,)), {"in": meshes})["in/logits"].values
    np.testing.assert_allclose(again[0], logits[1], rtol=1e-4, atol=1e-5)


def test_the_last_batch_of_an_epoch_holds_what_is_left_over(prepared: Path) -> None:
    meshes = load_meshes(prepared, {"split": "train", "num": None})
    config = small().stage_config("train", "intended")
    config["train"]["batch_size"] = 2
    trainer = _Trainer(PointTask.from_config(config, (0,)), 5)
    assert (trainer.whole, trainer.rest, trainer.num_steps) == (2, 1, 3)
    # Traced only: nothing is compiled.
    state = jax.eval_shape(trainer.initialise, 0)
    after, loss = jax.eval_shape(trainer.run_epoch, state, 0, 1, meshes)
    assert jax.tree.map(lambda leaf: leaf.shape, after) == jax.tree.map(lambda leaf: leaf.shape, state)
    assert loss.shape == ()


def test_divergence_names_member_and_epoch(prepared: Path) -> None:
    meshes = load_meshes(prepared, {"split": "train", "num": None})
    config = small().stage_config("train", "intended")
    config["train"] |= {"learning_rate": 1e38, "num_epochs": 6}
    with pytest.raises(DataError, match=r"member 7 of arm intended: the training loss is .* in epoch \d; nothing"):
        train_points(PointTask.from_config(config, (7,)), meshes)


def test_evaluation_rotations_belong_to_the_experiment() -> None:
    rotations = evaluation_rotations(0, "a", 4)
    np.testing.assert_array_equal(rotations, evaluation_rotations(0, "a", 4))
    assert not np.allclose(rotations, evaluation_rotations(1, "a", 4))
    assert not np.allclose(rotations, evaluation_rotations(0, "b", 4))
