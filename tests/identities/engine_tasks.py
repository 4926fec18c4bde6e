"""Small blocks of members for the tests of the ensemble engine: three networks, augmentations and optimisers."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from emergent.config.models import CnnModel, ConvLayer, MlpModel, SupportCnnModel
from emergent.config.training import Training
from emergent.groups.images import image_action
from emergent.point_groups import group_from_name
from emergent.training.program import BlockTask
from emergent.training.step import TrainingData

GENERATOR = np.random.default_rng(0)
NUM_SAMPLES, SIDE = 10, 4
IMAGES = jnp.asarray(GENERATOR.normal(size=(NUM_SAMPLES, SIDE, SIDE, 1)), jnp.float32)
LABELS = jnp.asarray(np.arange(NUM_SAMPLES) % 3, jnp.int32)


def data(group: str) -> TrainingData:
    return TrainingData(IMAGES, LABELS, image_action(group_from_name(group), SIDE, SIDE))


def training(**options: Any) -> Training:
    settings = {
        "loss": "mse",
        "optimiser": "sgd",
        "learning_rate": 0.5,
        "batch_size": None,
        "num_epochs": 4,
        "checkpoint_every": 2,
    }
    return Training(**settings | options)  # type: ignore[arg-type]


def mlp_task(*members: int, **options: Any) -> BlockTask:
    """Full augmentation, full batches, gradient descent."""
    settings: dict[str, Any] = {
        "seed": 0,
        "experiment": "tiny",
        "arm": "mlp",
        "initialisation": "mlp",
        "members": members,
        "model": MlpModel(family="mlp", width=6, num_outputs=3),
        "augmentation": "full",
        "training": training(),
    }
    return BlockTask(**settings | options)


def batched_task(*members: int, name: str, model: Any, optimiser: str) -> BlockTask:
    """Random augmentation, batches of 4, cross-entropy, both epochs kept."""
    settings = {"loss": "cross_entropy", "optimiser": optimiser, "learning_rate": 0.01, "batch_size": 4}
    return mlp_task(
        *members,
        arm=name,
        initialisation=name,
        model=model,
        augmentation="random",
        training=training(num_epochs=2, checkpoint_every=1, **settings),
    )


def cnn_task(*members: int) -> BlockTask:
    """Augmentation with interpolation, Adam."""
    layers = (ConvLayer(channels=2, average_pool=2),)
    model = CnnModel(family="cnn", layers=layers, readout="mean", num_outputs=3, parametrisation="pytorch")
    return batched_task(*members, name="cnn", model=model, optimiser="adam")


def support_task(*members: int) -> BlockTask:
    """Quarter turns, a network without convolutions in its program, gradient descent."""
    model = SupportCnnModel(
        family="support_cnn", channels=(2, 3), num_pooled=1, support=("010", "111", "010"), num_outputs=3
    )
    return batched_task(*members, name="support", model=model, optimiser="sgd")


CASES = {"mlp": (mlp_task, "C4"), "cnn": (cnn_task, "C8"), "support": (support_task, "C4")}
