"""Trained convolutional and group convolutional networks against the infinite-width prediction of the same arm.

Seeded, within 4 standard errors plus c / width for corrections at finite width, with c = 20 as for dense networks
(``test_finite_width``). One engine trains both, on labels: the CNN on all quarter turns, the GCNN on none.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.domains import DataSelection, ImageEvaluation, ImageTraining
from emergent.config.groups import Augmentation
from emergent.config.models import CnnModel, ConvLayer, GcnnModel
from emergent.config.stages import PredictStage, TrainStage
from emergent.config.training import Training
from emergent.domains.arrays import TestSamples, array_data
from emergent.groups.actions import TrivialAction
from emergent.groups.images import image_action
from emergent.models.registry import build
from emergent.point_groups import group_from_name
from emergent.prediction.infinite import infinite_predictions
from emergent.prediction.regression import OrbitPrediction
from emergent.training.engine import train_block
from emergent.training.parameters import from_flat

SIDE, WIDTH, NUM_MEMBERS, NUM_STEPS, RATE, NUM_OUTPUTS, CORRECTION = 4, 256, 60, 20, 4.0, 3, 20
SETTINGS: dict[str, Any] = {
    "layers": (ConvLayer(channels=WIDTH, average_pool=2),),
    "readout": "mean",
    "num_outputs": NUM_OUTPUTS,
    "weight_std": 1.4,
    "bias_std": 0.1,
}
MODELS = {
    "cnn": (CnnModel(family="cnn", **SETTINGS), "C4"),
    "gcnn": (GcnnModel(family="gcnn", group="C4", **SETTINGS), "C1"),
}


class Trained(NamedTuple):
    """Outputs [M, N, G, K] of trained networks on orbits, and the prediction there."""

    outputs: np.ndarray
    infinite: OrbitPrediction


@pytest.fixture(scope="module", params=sorted(MODELS))
def trained(request: pytest.FixtureRequest) -> Trained:
    model, group = MODELS[request.param]
    images = np.random.default_rng(0).normal(size=(6, SIDE, SIDE, 1)).astype(np.float32)
    action, quarter_turns = (image_action(group_from_name(name), SIDE, SIDE) for name in (group, "C4"))
    labels = np.array([0, 2, 1, 1], np.int32)
    data = array_data(images[:4], labels, action, TrivialAction(action.order), "full")
    # A training image and two others.
    test = images[3:]
    settings = {"domain": "images", "shape": (SIDE, SIDE, 1), "scaling": "none"}
    settings["train"] = DataSelection(dataset="tiny", split="train")
    common: dict[str, Any] = {
        "experiment": "statistics",
        "seed": 0,
        "arm": request.param,
        "model": model,
        "augmentation": Augmentation(group=group, mode="full"),
        "train": Training(loss="mse", optimiser="sgd", learning_rate=RATE, batch_size=None, num_epochs=NUM_STEPS),
    }
    arm = TrainStage(**common, initialisation=request.param, data=ImageTraining.model_validate(settings))
    result = train_block(arm, tuple(range(NUM_MEMBERS)), data)
    inputs = jnp.asarray(quarter_turns.orbit(test)).reshape(-1, SIDE, SIDE, 1)
    module = build(model)
    structure, apply = jax.eval_shape(module.init, jax.random.key(0), inputs), jax.jit(module.apply)
    outputs = []
    for member in range(NUM_MEMBERS):
        parameters = from_flat(structure, {name: values[-1, member] for name, values in result.parameters.items()})
        outputs.append(np.asarray(apply(parameters, inputs), np.float64))
    stage = PredictStage(
        **common,
        data=ImageEvaluation.model_validate(settings | {"evaluate": {}}),
        orbit=Augmentation(group="C4", mode="full"),
        tile_size=16,
    )
    with jax.enable_x64(True):
        limit, predictions = infinite_predictions(stage, data, {"test": TestSamples(test, quarter_turns)})
    assert limit > RATE
    on_orbits = np.stack(outputs).reshape(NUM_MEMBERS, 4, 3, NUM_OUTPUTS).swapaxes(1, 2)
    return Trained(on_orbits, predictions["test"])


def test_ensemble_mean_is_the_infinite_width_mean(trained: Trained) -> None:
    mean = trained.infinite.mean
    variance = np.diagonal(trained.infinite.covariance, axis1=1, axis2=2)[:, :, None]
    error = np.sqrt(variance / NUM_MEMBERS)
    deviation = np.abs(trained.outputs.mean(0) - mean)
    tolerance = 4 * error + CORRECTION / WIDTH * np.abs(mean).max()
    assert (deviation < tolerance).all()
    assert np.sqrt(np.square(deviation / error).mean()) < 1.8
    # Untrained networks, whose mean is 0, would be seen.
    assert np.abs(mean[0]).max() > 2 * tolerance[0].max()


def test_members_vary_as_predicted(trained: Trained) -> None:
    centred = trained.outputs - trained.outputs.mean(0)
    covariance = np.einsum("mngk,mnhk->ngh", centred, centred) / (NUM_MEMBERS - 1) / NUM_OUTPUTS
    expected = trained.infinite.covariance
    diagonal = np.diagonal(expected, axis1=1, axis2=2)
    product = diagonal[:, :, None] * diagonal[:, None, :]
    # Outputs are independent: so many times the degrees of freedom of one.
    error = np.sqrt((expected**2 + product) / ((NUM_MEMBERS - 1) * NUM_OUTPUTS))
    assert (np.abs(covariance - expected) < 4 * error + CORRECTION / WIDTH * np.sqrt(product)).all()


def test_only_the_group_convolutional_members_are_invariant(trained: Trained, request: pytest.FixtureRequest) -> None:
    change = np.abs(trained.outputs - trained.outputs[:, :, :1]).max()
    correlations = trained.infinite.covariance[:, 0, 1:] / trained.infinite.covariance[:, :1, 0]
    if "gcnn" in request.node.name:
        assert change < 1e-5
        np.testing.assert_allclose(correlations, 1, atol=1e-10)
    else:
        assert change > 0.1
        assert np.abs(correlations).max() < 0.9
    np.testing.assert_allclose(trained.infinite.mean, trained.infinite.mean[:, :1].repeat(4, 1), atol=1e-10)
