"""Typed settings of kind ``wilson_loops``; apart, so that its training depends on nothing else of a run.

References:
    arXiv:2012.12901, Wilson loops of SU(2) in 1+1 dimensions; arXiv:2303.11448 for the point group of the lattice.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.stages import ArmStage


class LinkCnn(StrictModel):
    """Convolutional network on the components of links.

    Attributes:
        channels: of its layers.
        plaquettes: their components are inputs, too.
    """

    family: Literal["cnn"]
    channels: Many[PositiveInt] = Field(min_length=1)
    plaquettes: bool


class GaugeNetwork(StrictModel):
    """Gauge equivariant network: combined layers on plaquettes, traces, a linear map.

    Attributes:
        channels: of its layers; with the point group for each of the eight plaquettes that begin at a site.
        reach: longest path of transport, in links.
        point_group: ``weights`` averages them over D4; null leaves them free.
    """

    family: Literal["lcnn"]
    channels: Many[PositiveInt] = Field(min_length=1)
    reach: PositiveInt
    point_group: Literal["weights"] | None = None


LoopNetwork = Annotated[LinkCnn | GaugeNetwork, Field(discriminator="family")]
Augmentation = Literal["point_group", "gauge"]


class LoopDescent(StrictModel):
    """Adam on the mean squared error over sites, with the parameters that are best on validation samples.

    Attributes:
        learning_rate: constant.
        batch_size: samples per step.
        num_epochs: validation samples are looked at after each.
    """

    learning_rate: PositiveFloat
    batch_size: PositiveInt
    num_epochs: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class LoopData(StrictModel):
    """Links, and what is asked of them.

    Attributes:
        dataset: entry of ``config/datasets.yaml``, of module ``su2_links``.
        sizes: of its lattices that are tested, ascending; the first is that of training.
        loop: sides of the rectangles, in links, whose Re Tr W is learnt at every site.
        moved: test samples on the first lattice that are also seen moved by D4 and by gauge transformations.
    """

    dataset: Name
    sizes: Many[PositiveInt] = Field(min_length=1)
    loop: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    moved: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "LoopData":
        require_ascending("sizes", self.sizes)
        return self


class LoopStage(ArmStage):
    """Training and test of the networks of one arm.

    Attributes:
        network: what learns.
        augmentation: every sample of a step is moved by a random element of D4, or by a random gauge transformation.
        tolerance: largest relative error, before training, of a symmetry that a network has built in.
    """

    stage: Literal["train"] = "train"
    data: LoopData
    network: LoopNetwork
    augmentation: Augmentation | None
    train: LoopDescent
    tolerance: PositiveFloat
