"""Settings of predictions on small images and vectors, and their data, for the tests of infinite width."""

from typing import Any

import numpy as np

from emergent.config.domains import DataSelection, ImageEvaluation, VectorEvaluation
from emergent.config.groups import Augmentation
from emergent.config.models import CnnModel, ConvLayer, GcnnModel, NetworkModel
from emergent.config.stages import PredictStage
from emergent.config.training import Training
from emergent.domains.arrays import ArrayData, TestSamples, array_data
from emergent.groups.actions import Action

SELECTION = DataSelection(dataset="tiny", split="train")
SIDE = 4
LAYERS = (ConvLayer(channels=32, average_pool=2),)
GAINS: dict[str, Any] = {"readout": "mean", "num_outputs": 3, "weight_std": 1.4, "bias_std": 0.1}
CNN = CnnModel(family="cnn", layers=LAYERS, **GAINS)
GCNN = GcnnModel(family="gcnn", layers=LAYERS, group="C4", **GAINS)


def stage(
    model: NetworkModel,
    group: str = "C4",
    orbit: str | None = None,
    num_steps: int = 30,
    rate: float = 0.5,
    **data: Any,
) -> PredictStage:
    """Returns the prediction of a network trained on full orbits; of images with labels, if nothing is said."""
    settings = {"domain": "images", "shape": (SIDE, SIDE, 1), "scaling": "none", "train": SELECTION, "evaluate": {}}
    section = VectorEvaluation if data.get("domain") == "vectors" else ImageEvaluation
    if section is VectorEvaluation:
        settings = {"train": SELECTION, "evaluate": {}}
    return PredictStage(
        experiment="tiny",
        seed=0,
        arm="arm",
        data=section.model_validate(settings | data),
        model=model,
        augmentation=Augmentation(group=group, mode="full"),
        orbit=Augmentation(group=orbit or group, mode="full"),
        train=Training(
            loss="mse",
            optimiser="sgd",
            learning_rate=rate,
            batch_size=None,
            num_epochs=num_steps,
            checkpoint_every=None,
        ),
        tile_size=16,
    )


def images(num: int, seed: int) -> np.ndarray:
    """Returns float32 images [num, SIDE, SIDE, 1]."""
    return np.random.default_rng(seed).normal(size=(num, SIDE, SIDE, 1)).astype(np.float32)


def training(inputs: np.ndarray, targets: np.ndarray, on_inputs: Action, on_targets: Action) -> ArrayData:
    """Returns a training set that is used with its full orbits."""
    return array_data(inputs, targets, on_inputs, on_targets, "full")


def one_set(inputs: np.ndarray, orbit: Action) -> dict[str, TestSamples]:
    """Returns a single test set, named ``test``."""
    return {"test": TestSamples(inputs, orbit)}
