"""Typed settings of kind ``departure``; apart, so that its training depends on nothing else of a run."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.domains import ImageTraining
from emergent.config.stages import ArmStage

Probability = Annotated[float, Field(ge=0, le=1)]
Mode = Literal["equivariant", "augmented", "nominal"]
MODES: tuple[Mode, ...] = ("equivariant", "augmented", "nominal")
"""Three ways of training from one point: gradients projected onto E; data moved at random; neither."""
Group = Literal["relabelling", "C4", "shifts_x", "shifts_xy", "C4_shifts_xy"]
"""``relabelling``: of the nodes of graphs; the others turn or shift (cyclically) the pixels of images."""


class BlockGraphs(StrictModel):
    """Random graphs of two blocks of nodes, relabelled at random; the label says whether a graph is connected.

    Attributes:
        num: graphs.
        block_size: nodes per block.
        inside: probability of an edge within a block.
        across: probability of an edge between the blocks.
    """

    source: Literal["block_graphs"]
    num: PositiveInt
    block_size: PositiveInt
    inside: Probability
    across: Probability


class Shapes(StrictModel):
    """Images of a triangle or a pentagon; the targets are masks of both.

    Attributes:
        num: images.
        side: in pixels.
        absent: value of the mask of the shape that is not there.
    """

    source: Literal["shapes"]
    num: PositiveInt
    side: PositiveInt
    absent: Literal[0, 1]


class Images(StrictModel):
    """The images of a data set, with classes as targets.

    Attributes:
        pool: they are averaged over boxes of pool x pool pixels.
        num_classes: of the labels.
    """

    source: Literal["images"]
    pool: PositiveInt
    num_classes: PositiveInt


Inputs = Annotated[BlockGraphs | Shapes | Images, Field(discriminator="source")]


class OrbitNetwork(StrictModel):
    """Widths of a network on functions on a set of points.

    Attributes:
        channels: of the layers from functions to functions.
        features: of the layer from functions to numbers that do not change with the group; null where the network's
            output are functions, which one more layer makes.
        hidden: of the dense layers before the output.
        normalise: layer normalisation, without affine part, of the features.
        weight_std: of the Gaussian draws before their projection onto E, times the root of the fan-in.
    """

    channels: Many[PositiveInt] = Field(min_length=1)
    features: PositiveInt | None = None
    hidden: Many[PositiveInt] = ()
    normalise: bool
    weight_std: Annotated[float, Field(gt=0)]


class GradientSteps(StrictModel):
    """Gradient descent with one step per look at all the data.

    Attributes:
        num_steps: steps ("epochs").
        learning_rate: for the loss, averaged over samples.
        batch_size: samples that share a group element; divides their number.
        num_passes: passes over the data per step of augmented training, each with new elements.
    """

    num_steps: PositiveInt
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: PositiveInt
    num_passes: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class DepartureTask(StrictModel):
    """All settings that training reads."""

    inputs: Inputs
    group: Group
    network: OrbitNetwork
    train: GradientSteps

    @model_validator(mode="after")
    def _check(self) -> "DepartureTask":
        source = self.inputs.source
        if (self.group == "relabelling") != (source == "block_graphs"):
            raise ValueError(f"group: {self.group} does not act on inputs of source {source}")
        if (self.network.features is None) != (source == "shapes"):
            expected = "null (the targets are masks)" if source == "shapes" else "a number (the targets are classes)"
            raise ValueError(f"network.features: expected {expected}, found {self.network.features}")
        if self.network.features is None and (self.network.hidden or self.network.normalise):
            raise ValueError("network: hidden and normalise need features")
        if not isinstance(self.inputs, Images) and self.inputs.num % self.train.batch_size:
            raise ValueError(
                f"batch_size: expected a divisor of the {self.inputs.num} samples, found {self.train.batch_size}"
            )
        return self


class DepartureStage(ArmStage):
    """Training of the runs of one arm, each in three ways.

    Attributes:
        data: the data set, where the inputs are its images.
    """

    stage: Literal["train"] = "train"
    data: ImageTraining | None
    task: DepartureTask
