"""Typed configuration of experiments of kind ``spherical_images``: equivariance against augmentation on the sphere.

References:
    arXiv:2202.03990.
"""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ensemble_sizes
from emergent.config.blocks import Members
from emergent.config.spherical_images_training import (
    SphereData,
    SphereDescent,
    SphereNetwork,
    SphereStage,
    SphericalCnn,
    Task,
)
from emergent.config.spherical_memory import map_sides, training_bytes
from emergent.config.stages import ArmFacts, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase
from emergent.config.swin import SwinNetwork
from emergent.errors import ConfigError


class SphereArm(ArmLabels):
    """Networks of one kind, trained on one task.

    Attributes:
        task: classes of images, or of the points of the sphere.
        network: what learns.
        copies: rotated copies of every training image; 0 trains on images that are not rotated.
        train: optimisation.
        num_members: only so many of ``members.num``; null means all.
    """

    task: Task
    network: SphereNetwork
    copies: NonNegativeInt
    train: SphereDescent
    num_members: PositiveInt | None = None


class Bandwidths(StrictModel):
    """Bandwidth b of the grid of 2 b x 2 b points on which images of a task are seen.

    Attributes:
        classify: of images.
        segment: of images and masks.
    """

    classify: PositiveInt
    segment: PositiveInt


class SphereArmFacts(StrictModel):
    """What the summary knows of an arm besides its labels.

    Attributes:
        task: what is learnt.
        family: of the network.
        copies: of every training image.
        num_images: copies included.
        num_members: networks.
        ensemble_sizes: of ensembles of them.
    """

    task: Task
    family: Literal["s2cnn", "cnn", "heal_swin", "flat_swin"]
    copies: NonNegativeInt
    num_images: PositiveInt
    num_members: PositiveInt
    ensemble_sizes: Many[PositiveInt]


class SphereSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        sphere_arms: by name.
        angles: see ``SphereData``.
    """

    sphere_arms: dict[Name, SphereArmFacts]
    angles: Many[int]


class SphericalImagesExperiment(StudyBase):
    """Spherical CNNs beside planar ones that are trained on rotated copies, and ensembles of these.

    Members are networks with starts and batches of their own, all on the same images.

    Attributes:
        ensemble_sizes: ascending, from 1; ensembles are within a block.
        tolerance: largest relative error of a transform and its inverse in single precision.
        timed: how long training and inference take is kept; it differs from run to run, and so does the summary.
    """

    kind: Literal["spherical_images"]
    arms: dict[Name, SphereArm] = Field(min_length=1)
    data: SphereData
    bandwidth: Bandwidths
    ensemble_sizes: Many[PositiveInt]
    tolerance: PositiveFloat
    timed: bool = True

    @model_validator(mode="after")
    def _check(self) -> "SphericalImagesExperiment":
        require_ensemble_sizes(self.ensemble_sizes)
        if self.ensemble_sizes[-1] > self.members.block:
            raise ValueError(
                f"ensemble_sizes: ensembles are made within a block of {self.members.block} members (members.block), "
                f"found {self.ensemble_sizes[-1]}"
            )
        for name, arm in self.arms.items():
            if isinstance(arm.network, SwinNetwork):
                if arm.task != "classify":
                    raise ValueError(f"arms.{name}.task: networks with shifted windows classify, found {arm.task!r}")
                if arm.network.nside is None:
                    self._require_square(name, arm.network)
                continue
            if not isinstance(arm.network, SphericalCnn):
                try:
                    map_sides(arm.network, 2 * getattr(self.bandwidth, arm.task))
                except ConfigError as error:
                    raise ValueError(f"arms.{name}.network.{error}") from None
                continue
            if arm.network.segments != (arm.task == "segment"):
                num, more = len(arm.network.features), "" if arm.task == "classify" else " and one for the last layer"
                raise ValueError(
                    f"arms.{name}.network.max_beta: to {arm.task} takes {num} angles, as of features{more}, found "
                    f"{len(arm.network.max_beta)}"
                )
            bandwidth = getattr(self.bandwidth, arm.task)
            if arm.network.band_limits[0] > bandwidth:
                raise ValueError(
                    f"arms.{name}.network.band_limits: images on a grid of 2 b x 2 b points have degrees below b = "
                    f"{bandwidth} (bandwidth.{arm.task}), found {arm.network.band_limits[0]} for the first layer"
                )
        return self

    def _require_square(self, arm: str, network: SwinNetwork) -> None:
        width = self.bandwidth.classify
        try:
            network.require_cells(1, 2 * width, f"a grid of 2 x {width} points a side (bandwidth.classify)")
        except ValueError as error:
            raise ValueError(f"arms.{arm}.network: {error}") from None

    def members_of_arm(self, arm: str) -> Members:
        """Returns how the members of an arm are cut into blocks."""
        num = self.arms[arm].num_members
        if num is None or num >= self.members.num:
            return self.members
        block = next(block for block in range(min(self.members.block, num), 0, -1) if num % block == 0)
        return Members(num=num, block=block)

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.data.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        return [(self.data.dataset, "train"), (self.data.dataset, "test")]

    def sizes_of(self, arm: str) -> tuple[int, ...]:
        """Returns the sizes of ensembles of an arm."""
        return tuple(size for size in self.ensemble_sizes if size <= self.members_of_arm(arm).block)

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            arms = {name: self._facts_of(name) for name in self.arms}
            return SphereSummary(**self.facts(), sphere_arms=arms, angles=self.data.angles)
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return SphereStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            task=own.task,
            bandwidth=getattr(self.bandwidth, own.task),
            network=own.network,
            copies=own.copies,
            train=own.train,
            ensemble_sizes=self.sizes_of(arm),
            tolerance=self.tolerance,
            timed=self.timed,
        )

    def _facts_of(self, name: str) -> SphereArmFacts:
        own = self.arms[name]
        return SphereArmFacts(
            task=own.task,
            family=own.network.family,
            copies=own.copies,
            num_images=self.data.num_train * max(1, own.copies),
            num_members=self.members_of_arm(name).num,
            ensemble_sizes=self.sizes_of(name),
        )

    def training_bytes(self, arm: str) -> int:
        """Returns the estimated peak memory, in bytes, of training one block of an arm."""
        stage = self.stage("train", arm)
        assert isinstance(stage, SphereStage)
        # On accelerators, too, as many networks train at a time as fit: one must.
        return training_bytes(stage, 1)

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        num = self.arms[name].num_members
        return ArmFacts(**self.arms[name].labels(name), num_members=None if num is None else min(num, self.members.num))
