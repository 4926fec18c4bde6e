"""Typed configuration of experiments of kind ``equal_means``: augmented and equivariant networks of infinite width.

Members are random draws of training and test images, the same for all arms.

References:
    arXiv 2406.06504: augmented and group convolutional networks have the same mean at all times.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.domains import ImageTraining
from emergent.config.models import CnnModel, GcnnModel
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, ImageStudy

PixelGroup = Literal["C2", "C4", "D4"]
CURVES = ("augmented", "equivariant", "plain")
"""Infinite ensembles that are compared, in the order of stored arrays."""


class MeansArm(ArmLabels):
    """A group that acts on images.

    Attributes:
        group: augments the convolutional network, and is that of the group convolutional one.
    """

    group: PixelGroup


class MeansSampling(StrictModel):
    """What one member is.

    Attributes:
        train: images that are trained on, before augmentation.
        test: images on whose orbits is predicted.
        average_pool: images are averaged over boxes of so many pixels a side first.
    """

    train: PositiveInt
    test: PositiveInt
    average_pool: PositiveInt = 1

    @property
    def total(self) -> int:
        """Returns the images of one member."""
        return self.train + self.test


class MeansStage(ArmStage):
    """Means of one arm; see ``EqualMeansExperiment``."""

    stage: Literal["train"] = "train"
    data: ImageTraining
    model: CnnModel
    group: PixelGroup
    sampling: MeansSampling
    times: Many[float]
    tile_size: PositiveInt


class EqualMeansExperiment(ImageStudy):
    """Mean predictions of three infinite ensembles over training time: augmented, equivariant, and neither.

    Attributes:
        data: images with classes; their whole split is drawn from.
        model: the convolutional network; the equivariant one has the same filters.
        sampling: of every member.
        times: of gradient flow, ascending, in units in which the fastest mode of the augmented problem falls like
            exp(-t); infinite time is added.
        tile_size: samples per side of one tile of the Gram matrices.
    """

    kind: Literal["equal_means"]
    model: CnnModel
    arms: dict[Name, MeansArm] = Field(min_length=1)
    sampling: MeansSampling
    times: Many[Annotated[float, Field(ge=0)]] = Field(min_length=1)
    tile_size: PositiveInt = 64

    @model_validator(mode="after")
    def _check(self) -> "EqualMeansExperiment":
        require_ascending("times", self.times)
        height, width, channels = self.data.shape
        pool = self.sampling.average_pool
        if height % pool or width % pool or height != width:
            raise ValueError(
                f"sampling.average_pool: expected square images and a divisor of their side, found {height} x {width} "
                f"and {pool}"
            )
        if self.data.train.num is not None and self.data.train.num < self.sampling.total:
            raise ValueError(
                f"data.train.num: a member needs {self.sampling.total} images, found {self.data.train.num}"
            )
        for name, arm in self.arms.items():
            missing = equivariant(self.model, arm.group).missing_kernel((height // pool, width // pool, channels))
            if missing is not None:
                raise ValueError(f"arms.{name}: model has no equivariant counterpart with a kernel: {missing}")
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SummaryStage(**self.facts())
        arm = self.trained_arm(stage, arm)
        return MeansStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            model=self.model.infinitely_wide(),
            group=self.arms[arm].group,
            sampling=self.sampling,
            times=self.times,
            tile_size=self.tile_size,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name), group=self.arms[name].group)


def equivariant(model: CnnModel, group: str) -> GcnnModel:
    """Returns the settings of the group convolutional network with the same filters.

    Raises:
        ValueError: there is none.
    """
    return GcnnModel.model_validate({**model.model_dump(exclude={"family"}), "family": "gcnn", "group": group})
