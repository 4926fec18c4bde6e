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
from emergent.config.domains import DataSelection
from emergent.config.groups import Augmentation
from emergent.config.pointnet import PointNetModel
from emergent.config.questions import RotationDivergence
from emergent.config.stages import EvaluateStage, TrainStage
from emergent.config.study import SCALES
from emergent.datasets.meshes import Mesh, mesh_split
from emergent.domains.meshes import choose_faces, load_meshes
from emergent.domains.point_clouds import CloudData, CloudOrbits, evaluation_rotations
from emergent.domains.registry import training_data
from emergent.domains.space import training_action
from emergent.errors import ConfigError, DataError
from emergent.evaluation.orbits import evaluate_block
from emergent.groups.actions import HaarAction
from emergent.models.pointnet import dense_layers
from emergent.point_groups import group_from_name
from emergent.training.engine import network_learner, train_block
from emergent.training.memory import block_bytes
from emergent.training.program import Program

CONFIG = Path(__file__).parents[2] / "config"
SMALL_MODEL = {"encoder": [4], "local_net": [5, 4], "global_net": [4], "decoder": [], "num_outputs": 3}
HAAR = HaarAction()


def experiment(scale: str = "smoke", delta: dict[str, Any] | None = None) -> RotationDivergence:
    content = read_yaml(CONFIG / "experiments" / "nordenfors_modelnet.yaml")
    scales = content.pop("scales")
    return validate(RotationDivergence, merge(merge(content, scales[scale]), delta or {}), scale)


SMALL = {
    "data": {"sampling": {"num_points": 6, "num_neighbours": 2}, "train": {"num": None}},
    "arms": {"intended": {"model": SMALL_MODEL, "orbit_elements": 4}, "released": None},
    "train": {"batch_size": 5, "num_epochs": 2},
    "evaluate": {"batch_size": 5, "bootstrap": {"epochs": [2]}},
    "assumed": [],
}


def small_train(**settings: Any) -> TrainStage:
    stage = experiment("smoke", merge(SMALL, {"train": settings})).stage("train", "intended")
    assert isinstance(stage, TrainStage)
    return stage


def small_evaluate(batch_size: int = 5, **data: Any) -> EvaluateStage:
    changes = {"evaluate": {"batch_size": batch_size}, "data": data}
    stage = experiment("smoke", merge(SMALL, changes)).stage("evaluate", "intended")
    assert isinstance(stage, EvaluateStage)
    return stage


def selection(num: int | None = None) -> DataSelection:
    return DataSelection(dataset="tetrahedra", split="train", num=num)


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
    assert study.evaluate.bootstrap.sizes == (5, 10, 25, 50, 100, 250, 500, 1000)
    assert (study.arms["intended"].orbit.num_elements, study.evaluate.bootstrap.num) == (1 + 100, 30)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"evaluate": {"bootstrap": {"epochs": [3]}}}, r"expected the last epoch, \[6\]|no checkpoint at \[3\]"),
        ({"evaluate": {"bootstrap": {"sizes": [4, 9]}}}, r"\[9\] exceed the pool, members.num = 8"),
        ({"evaluate": {"bootstrap": {"sizes": [4, 2]}}}, "ascending"),
        ({"evaluate": {"bootstrap": {"num": 1}}}, "bootstrap.num"),
        ({"data": {"sampling": {"num_neighbours": 32}}}, "of 32 points"),
        ({"data": {"evaluate": {"generated_solids_ood": {"role": "in"}}}}, "only one set of role 'in'"),
        ({"arms": {"intended": {"augmentation": {"group": "SO4"}}}}, "did you mean 'SO3'"),
    ],
)
def test_impossible_settings(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        experiment("smoke", delta)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_stages_see_only_what_they_depend_on() -> None:
    def stages(delta: dict[str, Any]) -> dict[str, str]:
        study = experiment("smoke", delta)
        keys = [("train", "intended"), ("evaluate", "intended"), ("train", "released"), ("summary", None)]
        return {f"{stage}/{arm}": canonical_json(study.stage(stage, arm)) for stage, arm in keys}

    def changed(delta: dict[str, Any]) -> set[str]:
        before, after = stages({}), stages(delta)
        return {key for key in before if before[key] != after[key]}

    assert changed({"members": {"num": 16}}) == {"summary/None"}
    assert changed({"evaluate": {"bootstrap": {"num": 20}}}) == {"summary/None"}
    assert changed({"arms": {"intended": {"orbit_elements": 7}}}) == {"evaluate/intended", "summary/None"}
    assert changed({"train": {"learning_rate": 0.1}}) == {"train/intended", "train/released"}
    assert changed({"arms": {"released": {"augmentation": {"num_elements": 5}}}}) == {"train/released"}
    assert changed({"data": {"evaluate": {"generated_solids": {"primary": False}}}}) == {"summary/None"}
    with pytest.raises(ConfigError, match="expected one of intended, released"):
        experiment().stage("train", "intende")


def test_memory() -> None:
    stage = experiment("paper").stage("train", "intended")
    assert isinstance(stage, TrainStage)
    # The messages of 16 clouds of 1024 points with 6 neighbours: between 1 and 4 GiB.
    assert 2**30 < block_bytes(stage, 10, 3991, 1) < 2**32
    assert block_bytes(stage, 10, 3991, 10) > 5 * block_bytes(stage, 10, 3991, 1)


def test_faces_own_their_words(prepared: Path) -> None:
    meshes = load_meshes(prepared, selection())
    words = np.random.default_rng(0).integers(0, 2**32, 200, np.uint32)
    for mesh in (0, 3, 4):
        first, stop = 4 * mesh, 4 * mesh + 4
        starts = np.asarray(meshes.area_starts)[first:stop]
        edges = np.concatenate([starts, starts[1:] - 1, [2**32 - 1]]).astype(np.uint32)
        chosen = choose_faces(meshes, jnp.asarray(mesh), jnp.asarray(np.concatenate([words, edges])))
        expected = first + np.searchsorted(starts, np.concatenate([words, edges]), side="right") - 1
        np.testing.assert_array_equal(chosen, expected)


def test_selection_of_meshes(prepared: Path) -> None:
    whole = load_meshes(prepared, selection(), num_classes=3)
    some = load_meshes(prepared, selection(3))
    assert whole.face_offsets.tolist() == [0, 4, 8, 12, 16, 20]
    assert some.labels.shape == (3,)
    # Each mesh keeps its own vertices, whose sums tell the tetrahedra apart.
    sizes = np.asarray(some.vertices)[np.asarray(some.faces)].max((1, 2)).reshape(3, 4)
    assert (sizes == sizes[:, :1]).all() and len(set(sizes[:, 0])) == 3
    with pytest.raises(DataError, match="has 5 meshes, 6 were asked for"):
        load_meshes(prepared, selection(6))
    with pytest.raises(DataError, match=r"no split 'test'\. It has: train"):
        load_meshes(prepared, DataSelection(dataset="tetrahedra", split="test"))
    with pytest.raises(DataError, match="labels reach 2, but the network has 2 outputs"):
        load_meshes(prepared, selection(), num_classes=2)


def clouds(prepared: Path, action: Any = HAAR, full: bool = False) -> CloudData:
    return CloudData(load_meshes(prepared, selection()), action, small_train().data.sampling, full)


def test_members_do_not_depend_on_their_block(prepared: Path) -> None:
    stage, data = small_train(), clouds(prepared)
    steps: list[int] = []
    both = train_block(stage, (0, 1), data, "members", steps.append)
    alone = train_block(stage, (1,), data, "members")
    assert len(steps) == 4 and both.losses.shape == (2, 2)
    for name, values in alone.parameters.items():
        np.testing.assert_array_equal(both.parameters[name][:, 1:], values)
        assert not np.array_equal(both.parameters[name][:, :1], values)


def test_training_data_of_a_stage(prepared: Path) -> None:
    data = training_data(small_train(), {"generated_solids": prepared})
    assert isinstance(data, CloudData) and data.num_samples == 5 and isinstance(data.action, HaarAction)
    stage = small_train().model_copy(update={"augmentation": Augmentation(group="C1", mode="random")})
    still = training_data(stage, {"generated_solids": prepared})
    assert isinstance(still, CloudData) and still.action is None
    planar = small_train().model_copy(update={"augmentation": Augmentation(group="C4", mode="random")})
    with pytest.raises(ConfigError, match="group C4: acts on the plane, but the inputs are points of space"):
        training_data(planar, {"generated_solids": prepared})
    with pytest.raises(ConfigError, match="no file for data set 'generated_solids'"):
        training_data(small_train(), {"other": prepared})


def test_every_access_draws_other_points_and_turns_them(prepared: Path) -> None:
    """Without an action the clouds of a key are the same, unturned; turned ones keep their distances and graphs."""
    chosen, key = jnp.asarray([3, 0]), jax.random.key(1)
    still, labels = clouds(prepared, None).batch(chosen, key)
    turned, _ = clouds(prepared).batch(chosen, key)
    other, _ = clouds(prepared).batch(chosen, jax.random.key(2))
    assert labels.tolist() == [0, 0]
    norms = jnp.linalg.norm(still.points, axis=-1)
    np.testing.assert_allclose(jnp.linalg.norm(turned.points, axis=-1), norms, rtol=1e-5)
    assert not np.allclose(turned.points, still.points)
    np.testing.assert_array_equal(turned.neighbours, still.neighbours)
    assert not np.allclose(jnp.linalg.norm(other.points, axis=-1), norms)


def test_full_orbits_of_a_finite_part(prepared: Path) -> None:
    """Element after element, each with the graphs and labels of all clouds."""
    action = training_action(Augmentation(group="tetrahedral", mode="full"), 0)
    data = clouds(prepared, action, full=True)
    chosen, key = jnp.asarray([3, 1]), jax.random.key(1)
    still, labels = clouds(prepared, None).batch(chosen, key)
    moved, repeated = data.batch(chosen, key)
    assert data.copies == 12 and moved.points.shape == (24, 6, 3)
    np.testing.assert_array_equal(repeated, np.tile(labels, 12))
    expected = np.einsum("gij,npj->gnpi", group_from_name("tetrahedral").matrices, still.points)
    np.testing.assert_allclose(moved.points, expected.reshape(24, 6, 3), atol=1e-6)
    np.testing.assert_array_equal(moved.neighbours[2:4], still.neighbours)


def small_parameters() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    parameters = {}
    model = small_evaluate().model
    assert isinstance(model, PointNetModel)
    for layer in dense_layers(model):
        shape = (1, 2, layer.fan_in, layer.features)
        parameters[f"params/{layer.name}/kernel"] = generator.normal(size=shape).astype(np.float32)
        parameters[f"params/{layer.name}/bias"] = np.zeros((1, 2, layer.features), np.float32)
    return parameters


def test_evaluation(prepared: Path) -> None:
    meshes, stage, parameters = load_meshes(prepared, selection()), small_evaluate(), small_parameters()
    sets = {name: CloudOrbits(stage, name, meshes) for name in ("in", "other")}
    arrays = evaluate_block(stage, (parameters, (4, 5), (2,)), sets)
    logits = arrays["in/outputs"].values[:, 0]
    assert logits.shape == (2, 5, 4, 3)
    np.testing.assert_array_equal(arrays["in/rotations"].values[0], np.eye(3))
    assert not np.allclose(logits[:, :, 0], logits[:, :, 1])
    # Every set has clouds of its own.
    assert not np.allclose(logits, arrays["other/outputs"].values[:, 0])
    # A member's clouds depend neither on its block nor on the batch that they are in.
    one = small_evaluate(batch_size=1)
    alone = {name: values[:, 1:] for name, values in parameters.items()}
    again = evaluate_block(one, (alone, (5,), (2,)), {"in": CloudOrbits(one, "in", meshes)})["in/outputs"].values[:, 0]
    np.testing.assert_allclose(again[0], logits[1], rtol=1e-4, atol=1e-5)


def test_test_clouds_of_all_members_may_be_the_same(prepared: Path) -> None:
    """The two members have equal parameters here: with shared clouds their outputs are equal too."""
    parameters = {name: np.repeat(values[:, :1], 2, 1) for name, values in small_parameters().items()}
    meshes = load_meshes(prepared, selection())
    for points, equal in (("shared", True), ("per_member", False)):
        stage = small_evaluate(test_points=points)
        arrays = evaluate_block(stage, (parameters, (4, 5), (2,)), {"in": CloudOrbits(stage, "in", meshes)})
        first, second = arrays["in/outputs"].values[:, 0]
        assert np.allclose(first, second, atol=1e-5) == equal


def test_the_last_batch_of_an_epoch_holds_what_is_left_over(prepared: Path) -> None:
    data, stage = clouds(prepared), small_train(batch_size=2)
    kept = Program(stage.train, network_learner(stage, data), 5, vectorised=False)
    dropped = stage.train.model_copy(update={"last_batch": "drop"})
    assert [segment.num_steps for segment in kept.segments] == [3, 3]
    assert [segment.first_step for segment in kept.segments] == [0, 3]
    batches, rest = jax.jit(kept._order)(jax.random.key(0), jnp.asarray(1))
    assert rest is not None
    assert sorted([*np.ravel(batches).tolist(), *rest.tolist()]) == [0, 1, 2, 3, 4] and len(rest) == 1
    short = Program(dropped, network_learner(stage, data), 5, vectorised=False)
    assert [segment.num_steps for segment in short.segments] == [2, 2]
    same, none = jax.jit(short._order)(jax.random.key(0), jnp.asarray(1))
    assert none is None
    np.testing.assert_array_equal(same, batches)


def test_divergence_names_member_and_epoch(prepared: Path) -> None:
    huge = small_train().train.model_copy(update={"learning_rate": 1e38, "num_epochs": 6})
    stage = small_train().model_copy(update={"train": huge})
    with pytest.raises(DataError, match=r"member 7 of arm intended: the training loss is .* in epoch \d; nothing"):
        train_block(stage, (7,), clouds(prepared), "members")


def test_evaluation_rotations_belong_to_the_experiment() -> None:
    rotations = evaluation_rotations(0, "a", 4)
    np.testing.assert_array_equal(rotations, evaluation_rotations(0, "a", 4))
    assert not np.allclose(rotations, evaluation_rotations(1, "a", 4))
    assert not np.allclose(rotations, evaluation_rotations(0, "b", 4))
