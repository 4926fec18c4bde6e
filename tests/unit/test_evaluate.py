"""Evaluation of trained members on orbits, in batches, reduced to what metrics need."""

from typing import Any

import jax
import numpy as np
import pytest

from emergent.config.domains import DataSelection, ImageEvaluation
from emergent.config.evaluation import EvaluationSettings
from emergent.config.groups import Augmentation
from emergent.config.models import MlpModel
from emergent.config.stages import EvaluateStage
from emergent.domains.arrays import ArrayOrbits, TestSamples
from emergent.errors import ConfigError, DataError
from emergent.evaluation import vectorised
from emergent.evaluation.orbits import evaluate_block, unflatten
from emergent.groups.actions import MatrixAction
from emergent.groups.images import ImageAction, image_action
from emergent.metrics.output_actions import Invariant, Matrices
from emergent.metrics.registry import MEMBER_METRICS, MemberMetric
from emergent.models.registry import build, parameter_shapes
from emergent.point_groups import group_from_name

MODEL = MlpModel(family="mlp", width=5, num_outputs=3)
ACTION = image_action(group_from_name("C4"), 4, 4)
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(7, 4, 4, 1)).astype(np.float32)
METRICS = ("orbit_same_predictions", "correct", "orbit_std")


def stage(**options: Any) -> EvaluateStage:
    selection = DataSelection(dataset="tiny", split="train")
    settings: dict[str, Any] = {
        "member_metrics": METRICS,
        "ensemble_sizes": (1, 2),
        "max_ensembles": 4,
        "batch_size": 11,
        "output_epochs": (),
        "whole_blocks": False,
    }
    return EvaluateStage(
        experiment="tiny",
        seed=0,
        arm="mlp",
        data=ImageEvaluation(domain="images", train=selection, shape=(4, 4, 1), scaling="none", evaluate={}),
        model=MODEL,
        orbit=Augmentation(group="C4", mode="full"),
        evaluate=EvaluationSettings(**settings | options),
    )


def orbits(action: ImageAction = ACTION, labels: np.ndarray | None = None, batch_size: int = 11) -> ArrayOrbits:
    return ArrayOrbits(TestSamples(IMAGES, action, labels, output_action=Invariant(action.order)), batch_size)


def random_parameters(num_epochs: int, num_members: int) -> dict[str, np.ndarray]:
    shapes = {
        "params/Dense_0/kernel": (16, 5),
        "params/Dense_1/kernel": (5, 3),
    }
    return {
        name: GENERATOR.normal(size=(num_epochs, num_members, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def outputs_by_hand(parameters: dict[str, np.ndarray], epoch: int, member: int) -> np.ndarray:
    """Outputs [N, G, K] of the small network, with NumPy's own rotations."""
    first, second = (parameters[f"params/Dense_{i}/kernel"][epoch, member] for i in (0, 1))
    turned = np.stack([np.rot90(IMAGES, g, axes=(1, 2)) for g in range(4)], axis=1).reshape(7, 4, 16)
    return np.maximum(turned @ first / 4, 0) @ second / np.sqrt(5)


def test_parameters_of_one_member() -> None:
    parameters = random_parameters(2, 3)
    tree = unflatten(parameters, 1, 2)
    np.testing.assert_array_equal(tree["params"]["Dense_0"]["kernel"], parameters["params/Dense_0/kernel"][1, 2])
    shapes = parameter_shapes(build(MODEL), (4, 4, 1))
    assert jax.tree.map(np.shape, tree) == jax.tree.map(np.shape, shapes)


@pytest.mark.parametrize("batch_size", [1000, 28, 11, 4])
def test_batches_do_not_matter(batch_size: int) -> None:
    parameters = random_parameters(1, 1)
    apply = jax.jit(build(MODEL).apply)
    outputs = orbits(batch_size=batch_size).outputs(apply, unflatten(parameters, 0, 0), 0)
    assert outputs.shape == (7, 4, 3)
    np.testing.assert_allclose(outputs, outputs_by_hand(parameters, 0, 0), rtol=1e-5, atol=1e-6)


def test_block_on_labelled_and_unlabelled_sets() -> None:
    parameters, members = random_parameters(2, 3), (4, 5, 6)
    labels = np.array([0, 1, 2, 0, 1, 2, 0], np.int32)
    sets = {"test": orbits(labels=labels), "fields": orbits()}
    done: list[int] = []
    arrays: dict[str, Any] = evaluate_block(stage(), (parameters, members, (0, 5)), sets, done.append)
    arrays = {name: array.values for name, array in arrays.items()}
    assert sum(done) == 3 * 2 * 2
    assert set(arrays) == {"members", "epochs", "num_parameters", "test/labels"} | {
        f"{data}/{name}" for data in sets for name in ("sums", "runs")
    } | {f"test/metric/{name}" for name in METRICS} | {
        "fields/metric/orbit_same_predictions",
        "fields/metric/orbit_std",
    }
    outputs = np.stack([[outputs_by_hand(parameters, e, m) for e in (0, 1)] for m in range(3)])  # M E N G K
    assert arrays["members"].tolist() == [4, 5, 6] and arrays["epochs"].tolist() == [0, 5]
    assert arrays["num_parameters"].tolist() == [sum(value[0, 0].size for value in parameters.values())]
    # Ensembles of one: only the first four members, so none here. Ensembles of two: (4, 5), and (6, 7) cut at 7.
    assert arrays["test/runs"].tolist() == [[4, 6], [6, 7]]
    np.testing.assert_allclose(arrays["test/sums"][0], outputs[:2].sum(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(arrays["test/sums"][1], outputs[2], rtol=1e-4, atol=1e-5)
    classes = outputs.argmax(-1)
    np.testing.assert_array_equal(arrays["test/metric/correct"], classes[..., 0] == labels)
    expected = (classes == classes[..., :1]).sum(-1)
    np.testing.assert_array_equal(arrays["test/metric/orbit_same_predictions"], expected)
    np.testing.assert_array_equal(arrays["fields/metric/orbit_same_predictions"], expected)
    np.testing.assert_allclose(arrays["test/metric/orbit_std"], outputs.mean(-1).std(-1), rtol=1e-4, atol=1e-6)


def test_sets_with_their_own_action_and_outputs_of_every_member() -> None:
    """Each set is turned by its own action, and what resampling needs is kept: outputs, and the sum of the block."""
    parameters, members = random_parameters(3, 2), (2, 3)
    mirrored = image_action(group_from_name("D1"), 4, 4)
    settings = stage(member_metrics=("symmetric_kl",), output_epochs=(0, 9), whole_blocks=True)
    sets = {"turned": orbits(), "mirrored": orbits(mirrored)}
    arrays: dict[str, Any] = evaluate_block(settings, (parameters, members, (0, 4, 9)), sets)
    values = {name: array.values for name, array in arrays.items()}
    outputs = np.stack([[outputs_by_hand(parameters, e, m) for e in range(3)] for m in range(2)])
    np.testing.assert_allclose(values["turned/outputs"], outputs[:, [0, 2]], rtol=1e-4, atol=1e-5)
    assert values["mirrored/outputs"].shape == (2, 2, 7, 2, 3)
    assert values["turned/output_epochs"].tolist() == [0, 9]
    whole = values["turned/runs"].tolist().index([2, 4])
    np.testing.assert_allclose(values["turned/sums"][whole], outputs.sum(0), rtol=1e-4, atol=1e-5)


def test_forward_passes_ask_for_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accelerators whose default is less than float32 would blur what metrics compare."""
    asked = []

    def outputs(self: ArrayOrbits, apply: Any, parameters: Any, member: int) -> np.ndarray:
        asked.append(jax.config.jax_default_matmul_precision)
        return np.zeros((7, 4, 3), np.float32)

    monkeypatch.setattr(ArrayOrbits, "outputs", outputs)
    evaluate_block(stage(), (random_parameters(1, 2), (0, 1), (0,)), {"test": orbits()})
    assert asked == ["highest", "highest"]


def test_what_does_not_fit_a_metric_is_refused() -> None:
    """Outputs without an action, names that are no metric, labels beyond the outputs, epochs without a checkpoint."""
    block = random_parameters(1, 1), (0,), (4,)
    still = ArrayOrbits(TestSamples(IMAGES, ACTION), 11)
    with pytest.raises(ConfigError, match=r"orbit_mse compares outputs that move .* on set 'test' the group has"):
        evaluate_block(stage(member_metrics=("orbit_mse",)), block, {"test": still})
    with pytest.raises(ConfigError, match="no metric 'orbit_msee'; did you mean 'orbit_mse'"):
        evaluate_block(stage(member_metrics=("orbit_msee",)), block, {"test": still})
    many = orbits(labels=np.arange(7, dtype=np.int32))
    with pytest.raises(DataError, match="correct on set 'test': labels reach 6, but the network has 3 outputs"):
        evaluate_block(stage(), block, {"test": many})
    with pytest.raises(DataError, match="epoch 5, whose outputs are kept"):
        evaluate_block(stage(output_epochs=(5,)), block, {"test": orbits()})


def test_targets_and_rotations_of_vectors_are_kept() -> None:
    generator = np.random.default_rng(1)
    rotations = group_from_name("tetrahedral").matrices
    vectors, targets = generator.normal(size=(5, 2, 3)).astype(np.float32), np.ones((5, 3), np.float32)
    samples = TestSamples(
        vectors, MatrixAction(rotations.astype(np.float32)), None, targets, Matrices(rotations), rotations
    )
    parameters = {
        "params/Dense_0/kernel": generator.normal(size=(1, 1, 6, 5)).astype(np.float32),
        "params/Dense_1/kernel": generator.normal(size=(1, 1, 5, 3)).astype(np.float32),
    }
    settings = stage(member_metrics=("orbit_mse", "correct"), whole_blocks=True)
    arrays = evaluate_block(settings, (parameters, (0,), (4,)), {"pairs": ArrayOrbits(samples, None)})
    np.testing.assert_array_equal(arrays["pairs/targets"].values, targets)
    np.testing.assert_array_equal(arrays["pairs/rotations"].values, rotations)
    assert "pairs/metric/correct" not in arrays
    outputs = arrays["pairs/sums"].values[0, 0]
    moved = np.einsum("gij,nj->ngi", rotations, outputs[:, 0])
    expected = np.square(outputs - moved).mean((1, 2))
    np.testing.assert_allclose(arrays["pairs/metric/orbit_mse"].values[0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("labelled", [True, False])
def test_members_at_a_time_give_what_one_after_another_gives(labelled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the last group of members, and the last batch of inputs, are filled up."""
    monkeypatch.setattr(vectorised, "INPUTS_IN_FLIGHT", 25)
    parameters = random_parameters(3, 5)
    labels = np.arange(7, dtype=np.int32) % 3 if labelled else None
    settings = stage(
        output_epochs=(0, 8), whole_blocks=True, member_metrics=(*METRICS, "symmetric_kl", "cross_entropy")
    )
    block = (parameters, (2, 3, 4, 5, 6), (0, 4, 8))
    advanced: list[int] = []
    many = evaluate_block(settings, block, {"digits": orbits(labels=labels)}, advanced.append, vectorised=True)
    single = evaluate_block(settings, block, {"digits": orbits(labels=labels)}, vectorised=False)
    assert sum(advanced) == 15 and len(advanced) == 9
    assert many.keys() == single.keys()
    for name, array in single.items():
        assert many[name].values.dtype == array.values.dtype and many[name].dims == array.dims, name
        np.testing.assert_allclose(many[name].values, array.values, rtol=2e-5, atol=2e-6, err_msg=name)


def test_metric_that_only_numpy_can_compute_is_computed_member_by_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds one need not know of accelerators."""

    def loudest(outputs: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(outputs).max((-2, -1))

    monkeypatch.setitem(MEMBER_METRICS, "loudest", MemberMetric(loudest, np.float32))
    assert vectorised.can_vectorise(orbits(), METRICS[::2], 3)
    assert not vectorised.can_vectorise(orbits(), (*METRICS[::2], "loudest"), 3)
    settings = stage(member_metrics=("loudest",), whole_blocks=True)
    found = evaluate_block(settings, (random_parameters(1, 2), (0, 1), (0,)), {"a": orbits()}, vectorised=True)
    assert found["a/metric/loudest"].values.shape == (2, 1, 7)
