"""Evaluation of trained members on orbits, in batches, reduced to what metrics need."""

from typing import Any

import jax
import numpy as np
import pytest

from emergent.config.models import MlpModel
from emergent.domains.samples import Samples
from emergent.evaluation.orbits import OrbitPredictor, evaluate_block, orbit_inputs, unflatten
from emergent.groups.images import image_action
from emergent.models.registry import build, parameter_shapes
from emergent.point_groups import group_from_name

MODEL = MlpModel(family="mlp", width=5, num_outputs=3)
ACTION = image_action(group_from_name("C4"), 4, 4)
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(7, 4, 4, 1)).astype(np.float32)
SETTINGS = {
    "member_metrics": ["orbit_same_predictions", "correct", "orbit_std"],
    "ensemble_sizes": [1, 2],
    "max_ensembles": 4,
    "batch_size": 11,
    "output_epochs": [],
    "whole_blocks": False,
}


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
    predict = OrbitPredictor(jax.jit(build(MODEL).apply), orbit_inputs(Samples(IMAGES), ACTION), batch_size)
    outputs = predict(unflatten(parameters, 0, 0))
    assert outputs.shape == (7, 4, 3)
    np.testing.assert_allclose(outputs, outputs_by_hand(parameters, 0, 0), rtol=1e-5, atol=1e-6)


def test_block_on_labelled_and_unlabelled_sets() -> None:
    parameters, members = random_parameters(2, 3), (4, 5, 6)
    labels = np.array([0, 1, 2, 0, 1, 2, 0], np.int32)
    samples = {"test": Samples(IMAGES, labels), "fields": Samples(IMAGES)}
    done: list[int] = []
    arrays: dict[str, Any] = evaluate_block(
        MODEL, (parameters, members, (0, 5)), samples, dict.fromkeys(samples, ACTION), SETTINGS, done.append
    )
    arrays = {name: array.values for name, array in arrays.items()}
    assert sum(done) == 3 * 2 * 2
    assert set(arrays) == {"members", "epochs", "test/labels"} | {
        f"{data}/{name}" for data in samples for name in ("sums", "runs")
    } | {f"test/metric/{name}" for name in SETTINGS["member_metrics"]} | {
        "fields/metric/orbit_same_predictions",
        "fields/metric/orbit_std",
    }
    outputs = np.stack([[outputs_by_hand(parameters, e, m) for e in (0, 1)] for m in range(3)])  # M E N G K
    assert arrays["members"].tolist() == [4, 5, 6] and arrays["epochs"].tolist() == [0, 5]
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
    settings = SETTINGS | {"member_metrics": ["symmetric_kl"], "output_epochs": [0, 9], "whole_blocks": True}
    arrays: dict[str, Any] = evaluate_block(
        MODEL,
        (parameters, members, (0, 4, 9)),
        {"turned": Samples(IMAGES), "mirrored": Samples(IMAGES)},
        {"turned": ACTION, "mirrored": mirrored},
        settings,
    )
    values = {name: array.values for name, array in arrays.items()}
    outputs = np.stack([[outputs_by_hand(parameters, e, m) for e in range(3)] for m in range(2)])
    np.testing.assert_allclose(values["turned/outputs"], outputs[:, [0, 2]], rtol=1e-4, atol=1e-5)
    assert values["mirrored/outputs"].shape == (2, 2, 7, 2, 3)
    assert values["turned/output_epochs"].tolist() == [0, 9]
    whole = values["turned/runs"].tolist().index([2, 4])
    np.testing.assert_allclose(values["turned/sums"][whole], outputs.sum(0), rtol=1e-4, atol=1e-5)


def test_forward_passes_ask_for_full_precision() -> None:
    """Accelerators whose default is less than float32 would blur what metrics compare."""
    asked = []

    def apply(parameters: Any, batch: jax.Array) -> jax.Array:
        asked.append(jax.config.jax_default_matmul_precision)
        return batch.reshape(len(batch), -1)

    OrbitPredictor(apply, orbit_inputs(Samples(IMAGES), ACTION), 14)(None)
    assert asked == ["highest", "highest"]
