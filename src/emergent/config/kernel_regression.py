"""Typed configuration of experiments of kind ``kernel_regression``: infinitely wide networks learn images.

Members are random splits of a data set, the same for all arms: there is no other randomness at infinite width and
infinite time.

References:
    arXiv 2406.06504, accuracy of kernels of convolutional and group convolutional networks by training set size.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, require_ascending
from emergent.config.domains import ImageTraining
from emergent.config.equal_means import equivariant
from emergent.config.models import CnnModel, Model, PixelGroup
from emergent.config.splits import Splits
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, ImageStudy


class KernelArm(ArmLabels):
    """One network, of which only the kernel is used.

    Attributes:
        augmented: group of quarter turns and mirror images, all of whose copies of the training images are learnt too;
            null for none.
    """

    model: Model
    augmented: PixelGroup | None = None


class ImageSplits(Splits):
    """How the images of a data set are divided, and made smaller first.

    Attributes:
        average_pool: images are averaged over boxes of so many pixels a side first.
        turned: every image is turned by quarter turns drawn at random, so that all orientations are equally likely.
    """

    average_pool: PositiveInt = 1
    turned: bool = False


class KernelRegressionStage(ArmStage):
    """Accuracies of one arm; see ``KernelRegressionExperiment``."""

    stage: Literal["train"] = "train"
    data: ImageTraining
    model: Model
    augmented: PixelGroup | None = None
    splits: ImageSplits
    regularisers: Many[float]
    tile_size: PositiveInt


class KernelRegressionExperiment(ImageStudy):
    """Accuracy of kernel regression against the size of the training set.

    Attributes:
        data: images with classes; their whole split is drawn from.
        splits: of every member.
        regularisers: added to the diagonal in units of its mean, ascending; the best on validation images is taken.
        tile_size: samples per side of one tile of the Gram matrix, of which one half is computed.
    """

    kind: Literal["kernel_regression"]
    arms: dict[Name, KernelArm] = Field(min_length=1)
    splits: ImageSplits
    regularisers: Many[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    tile_size: PositiveInt = 32

    @model_validator(mode="after")
    def _check(self) -> "KernelRegressionExperiment":
        require_ascending("splits.train", self.splits.train)
        require_ascending("regularisers", self.regularisers)
        height, width, channels = self.data.shape
        pool = self.splits.average_pool
        if height % pool or width % pool:
            raise ValueError(f"splits.average_pool: expected a divisor of {height} and {width}, found {pool}")
        if self.splits.turned and height != width:
            raise ValueError(f"splits.turned: quarter turns need square images, found {height} x {width}")
        if self.data.train.num is not None and self.data.train.num < self.splits.total:
            raise ValueError(
                f"data.train.num: the splits need {self.splits.total} images, found {self.data.train.num}; use fewer"
            )
        for name, arm in self.arms.items():
            missing = arm.model.missing_kernel((height // pool, width // pool, channels))
            if missing is not None:
                raise ValueError(f"arms.{name}.model: no infinite-width kernel: {missing}")
            if arm.augmented is not None:
                _require_augmentable(f"arms.{name}", arm, (height // pool, width // pool, channels))
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SummaryStage(**self.facts())
        arm = self.trained_arm(stage, arm)
        return KernelRegressionStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            model=self.arms[arm].model.infinitely_wide(),
            augmented=self.arms[arm].augmented,
            splits=self.splits,
            regularisers=self.regularisers,
            tile_size=self.tile_size,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))


def _require_augmentable(where: str, arm: KernelArm, shape: tuple[int, int, int]) -> None:
    """Refuses copies under which the kernel of pairs of images would change."""
    assert arm.augmented is not None
    if arm.model.family != "cnn" or not isinstance(arm.model, CnnModel):
        raise ValueError(
            f"{where}.augmented: only networks of family 'cnn' are augmented here, found {arm.model.family!r}"
        )
    if shape[0] != shape[1]:
        raise ValueError(f"{where}.augmented: copies need square images, found {shape[0]} x {shape[1]}")
    missing = equivariant(arm.model, arm.augmented).missing_kernel(shape)
    if missing is not None:
        raise ValueError(
            f"{where}.augmented: no infinite-width kernel of a network equivariant by construction: {missing}"
        )
