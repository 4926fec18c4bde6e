"""Typed configuration of the optimisation of one member; apart, so that training depends on nothing else of a run."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from emergent.config.base import StrictModel


class Training(StrictModel):
    """Optimisation of one member.

    Attributes:
        loss: ``mse`` is half the squared error summed over outputs and averaged over samples; ``cross_entropy`` is
            averaged over samples.
        optimiser: ``sgd`` is plain gradient descent.
        learning_rate: in units of the loss above.
        batch_size: base samples per step (before full augmentation); null trains on the full batch.
        num_epochs: passes over the training set; with full batch the number of steps.
        checkpoint_every: epochs between stored parameters; epoch 0 is stored too. Null stores the last epoch only.
        matmul_precision: ``highest`` avoids reduced-precision products on accelerators.
    """

    loss: Literal["mse", "cross_entropy"]
    optimiser: Literal["sgd", "adam"]
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: PositiveInt | None
    num_epochs: PositiveInt
    checkpoint_every: PositiveInt | None
    matmul_precision: Literal["default", "highest"] = "highest"

    def checkpoint_epochs(self) -> tuple[int, ...]:
        """Returns the epochs at which parameters are stored, ascending."""
        if self.checkpoint_every is None:
            return (self.num_epochs,)
        return tuple(range(0, self.num_epochs + 1, self.checkpoint_every))
