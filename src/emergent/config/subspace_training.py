"""Typed settings of one arm of kind ``subspace``; apart, so that its training depends on nothing else of a run."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.domains import ImageTraining
from emergent.config.stages import ArmStage
from emergent.config.supports import support_mask


class Parametrisation(StrictModel):
    """Parametrisation of the unconstrained network and how augmented batches are made.

    Attributes:
        support: rows of 0 and 1; filter taps exist where it is 1.
        basis: coordinates of the taps: ``unitary`` are the taps themselves; ``random`` is one random basis of unit
            vectors per layer and run, not orthogonal, so that the parametrisation is not unitary.
        batches: ``shuffled`` draws from all rotated copies of all images; ``whole_orbits`` puts the four rotations of
            an image into one batch.
    """

    support: Many[str]
    basis: Literal["unitary", "random"]
    batches: Literal["shuffled", "whole_orbits"]

    @model_validator(mode="after")
    def _check(self) -> "Parametrisation":
        support_mask(self.support)
        return self


class SubspaceNetwork(StrictModel):
    """The network of arXiv 2410.01452's image experiment with other widths and a uniform start.

    Attributes:
        channels: output channels, layer by layer.
        num_pooled: so many of the first layers are followed by 2 x 2 average pooling.
        num_outputs: classes.
        fan_in: what the bound 1 / sqrt(fan_in) of the uniform start counts for a filter: all positions of the square
            filter (``square``) or those of the support (``support``), times the input channels.
    """

    channels: Many[PositiveInt] = Field(min_length=1)
    num_pooled: Annotated[int, Field(ge=0)]
    num_outputs: PositiveInt
    fan_in: Literal["square", "support"]


class Phase(StrictModel):
    """Stochastic gradient descent on the squared error, averaged over batch and outputs, against one-hot targets.

    Attributes:
        num_epochs: passes over the data (all four rotations in the augmented phase).
        batch_size: images per step.
        learning_rate: in units of that loss.
    """

    num_epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: Annotated[float, Field(gt=0)]


class Phases(StrictModel):
    """Equivariant training without augmentation, then unconstrained training on all rotations."""

    equivariant: Phase
    augmented: Phase
    matmul_precision: Literal["default", "highest"] = "highest"

    @model_validator(mode="after")
    def _check(self) -> "Phases":
        if self.augmented.batch_size % 4:
            raise ValueError(
                f"augmented.batch_size: whole orbits have four images; expected a multiple of 4, found "
                f"{self.augmented.batch_size}"
            )
        return self


class SubspaceStage(ArmStage):
    """Training of the runs of one arm."""

    stage: Literal["train"] = "train"
    data: ImageTraining
    parametrisation: Parametrisation
    network: SubspaceNetwork
    train: Phases
