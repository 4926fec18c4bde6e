"""Typed configuration of the optimisation of one member; apart, so that training depends on nothing else of a run."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel

Loss = Literal["mse", "cross_entropy"]
Optimiser = Literal["sgd", "adam"]
STATE_COPIES = {"sgd": 2, "adam": 4}
"""Parameters, gradients and what the optimiser keeps, in units of the parameters."""


class Training(StrictModel):
    """Optimisation of one member.

    Attributes:
        loss: ``mse`` is half the squared error summed over outputs and averaged over samples; ``cross_entropy`` is
            averaged over samples.
        optimiser: ``sgd`` is plain gradient descent.
        momentum: of ``sgd``; 0 keeps nothing from step to step.
        learning_rate: in units of the loss above; at the start, where a schedule changes it.
        schedule: of the learning rate, over all steps: ``cosine`` and ``linear`` end at 0.
        batch_size: base samples per step (before full augmentation); null trains on the full batch.
        last_batch: of an epoch, where it is smaller: ``drop`` leaves its samples out of that epoch,
            ``keep`` trains on it.
        num_epochs: passes over the training set; with full batch the number of steps.
        checkpoint_every: epochs between stored parameters; epoch 0 is stored too. Null stores the last epoch only.
        checkpoints: or the epochs themselves, ascending.
        matmul_precision: ``highest`` avoids reduced-precision products on accelerators.
    """

    loss: Loss
    optimiser: Optimiser
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    batch_size: PositiveInt | None
    last_batch: Literal["drop", "keep"] = "drop"
    num_epochs: PositiveInt
    checkpoint_every: PositiveInt | None = None
    checkpoints: Many[NonNegativeInt] | None = None
    matmul_precision: Literal["default", "highest"] = "highest"

    @model_validator(mode="after")
    def _check(self) -> "Training":
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(f"momentum: a setting of 'sgd', found optimiser {self.optimiser!r}")
        if self.checkpoint_every and self.checkpoints:
            raise ValueError("checkpoint_every and checkpoints exclude each other; set one of them to null")
        if self.checkpoint_every and self.num_epochs % self.checkpoint_every:
            raise ValueError("checkpoint_every: must divide num_epochs, so that the last epoch is stored")
        if self.checkpoints is not None and (
            list(self.checkpoints) != sorted(set(self.checkpoints)) or self.checkpoints[-1:] != (self.num_epochs,)
        ):
            raise ValueError(f"checkpoints: expected ascending epochs that end with num_epochs = {self.num_epochs}")
        return self

    def checkpoint_epochs(self) -> tuple[int, ...]:
        """Returns the epochs at which parameters are stored, ascending."""
        if self.checkpoints is not None:
            return self.checkpoints
        if self.checkpoint_every is None:
            return (self.num_epochs,)
        return tuple(range(0, self.num_epochs + 1, self.checkpoint_every))

    @property
    def is_gradient_descent(self) -> bool:
        """Returns whether a step leaves nothing behind but the parameters: no momentum, moments or schedule."""
        return self.optimiser == "sgd" and self.momentum == 0 and self.schedule == "constant"

    def without_epochs(self) -> "Training":
        """Returns the settings apart from how long is trained and what is stored on the way."""
        return self.model_copy(update={"num_epochs": 1, "checkpoint_every": None, "checkpoints": None})
