"""Small blocks of members for the tests of the ensemble engine: three networks, augmentations and optimisers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from emergent.config.domains import DataSelection, ImageTraining
from emergent.config.groups import Augmentation
from emergent.config.models import CnnModel, ConvLayer, MlpModel, SupportCnnModel
from emergent.config.stages import TrainStage
from emergent.config.training import Training
from emergent.domains.arrays import ArrayData
from emergent.groups.actions import TrivialAction
from emergent.groups.images import image_action
from emergent.point_groups import group_from_name
from emergent.training.engine import BlockResult, Strategy, train_block

GENERATOR = np.random.default_rng(0)
NUM_SAMPLES, SIDE = 10, 4
IMAGES = jnp.asarray(GENERATOR.normal(size=(NUM_SAMPLES, SIDE, SIDE, 1)), jnp.float32)
LABELS = jnp.asarray(np.arange(NUM_SAMPLES) % 3, jnp.int32)
SELECTION = DataSelection(dataset="tiny", split="train")
SECTION = ImageTraining(domain="images", train=SELECTION, shape=(SIDE, SIDE, 1), scaling="none")


@dataclass(frozen=True)
class Task:
    """Settings of an arm, some of its members, and the training set."""

    stage: TrainStage
    members: tuple[int, ...]
    data: ArrayData

    def train(
        self,
        strategy: Strategy,
        on_progress: Callable[[int], None] | None = None,
        start: BlockResult | None = None,
    ) -> BlockResult:
        return train_block(self.stage, self.members, self.data, strategy, on_progress, start)

    def with_training(self, settings: Training) -> "Task":
        return replace(self, stage=self.stage.model_copy(update={"train": settings}))


def data(group: str, mode: Any) -> ArrayData:
    action = image_action(group_from_name(group), SIDE, SIDE)
    return ArrayData(IMAGES, LABELS, action, TrivialAction(action.order), mode)


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


def mlp_task(*members: int, group: str = "C4", mode: str = "full", **options: Any) -> Task:
    """Full augmentation, full batches, gradient descent."""
    settings: dict[str, Any] = {
        "seed": 0,
        "experiment": "tiny",
        "arm": "mlp",
        "initialisation": "mlp",
        "data": SECTION,
        "model": MlpModel(family="mlp", width=6, num_outputs=3),
        "augmentation": Augmentation.model_validate({"group": group, "mode": mode}),
        "train": training(),
    }
    return Task(TrainStage(**settings | options), members, data(group, mode))


def batched_task(*members: int, name: str, model: Any, optimiser: str, group: str) -> Task:
    """Random augmentation, batches of 4, cross-entropy, both epochs kept."""
    settings = {"loss": "cross_entropy", "optimiser": optimiser, "learning_rate": 0.01, "batch_size": 4}
    return mlp_task(
        *members,
        group=group,
        mode="random",
        arm=name,
        initialisation=name,
        model=model,
        train=training(num_epochs=2, checkpoint_every=1, **settings),
    )


def cnn_task(*members: int) -> Task:
    """Augmentation with interpolation, Adam."""
    layers = (ConvLayer(channels=2, average_pool=2),)
    model = CnnModel(family="cnn", layers=layers, readout="mean", num_outputs=3, parametrisation="pytorch")
    return batched_task(*members, name="cnn", model=model, optimiser="adam", group="C8")


def support_task(*members: int) -> Task:
    """Quarter turns, a network without convolutions in its program, gradient descent."""
    model = SupportCnnModel(
        family="support_cnn", channels=(2, 3), num_pooled=1, support=("010", "111", "010"), num_outputs=3
    )
    return batched_task(*members, name="support", model=model, optimiser="sgd", group="C4")


CASES: dict[str, Callable[..., Task]] = {"mlp": mlp_task, "cnn": cnn_task, "support": support_task}
