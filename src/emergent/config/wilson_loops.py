"""Typed configuration of experiments of kind ``wilson_loops``: numbers that gauge transformations leave alone.

References:
    arXiv:2012.12901, Wilson loops of SU(2) in 1+1 dimensions.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name
from emergent.config.stages import ArmFacts, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase
from emergent.config.wilson_loops_training import (
    Augmentation,
    GaugeNetwork,
    LoopData,
    LoopDescent,
    LoopNetwork,
    LoopStage,
)


class LoopArm(ArmLabels):
    """One way to learn.

    Attributes:
        network: and what symmetry it has.
        augmentation: and what symmetry it is shown.
        train: its optimisation.
    """

    network: LoopNetwork
    augmentation: Augmentation | None = None
    train: LoopDescent


class LoopSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        sizes: of the test lattices.
        loop: sides of the rectangles.
        ensemble_sizes: of disjoint ensembles.
    """

    sizes: Many[PositiveInt]
    loop: tuple[PositiveInt, PositiveInt]
    ensemble_sizes: Many[PositiveInt]


class WilsonLoopsExperiment(StudyBase):
    """Loops of links, learnt in several ways on a small lattice and tested on larger ones. Members are networks.

    Attributes:
        ensemble_sizes: ascending, from 1.
    """

    kind: Literal["wilson_loops"]
    arms: dict[Name, LoopArm] = Field(min_length=1)
    data: LoopData
    ensemble_sizes: Many[PositiveInt]
    tolerance: PositiveFloat

    @model_validator(mode="after")
    def _check(self) -> "WilsonLoopsExperiment":
        sizes = list(self.ensemble_sizes)
        if sizes != sorted(set(sizes)) or sizes[:1] != [1] or sizes[-1] > self.members.num:
            raise ValueError(
                f"ensemble_sizes: expected ascending numbers from 1 to members.num = {self.members.num}, found {sizes}"
            )
        if max(self.data.loop) >= self.data.sizes[0]:
            raise ValueError(
                f"data.loop: expected sides below that of the smallest lattice, {self.data.sizes[0]} (data.sizes), "
                f"around which a longer one would wind, found {list(self.data.loop)}"
            )
        square = self.data.loop[0] == self.data.loop[1]
        for name, arm in self.arms.items():
            tied = isinstance(arm.network, GaugeNetwork) and arm.network.point_group is not None
            if not square and (tied or arm.augmentation == "point_group"):
                raise ValueError(
                    f"arms.{name}: D4 takes a rectangle of {self.data.loop[0]} x {self.data.loop[1]} links to another "
                    "form; choose a square in data.loop, or leave the point group out"
                )
        return self

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.data.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        return [(self.data.dataset, split) for split in
                ("train", "validation", *(f"test_{size}" for size in self.data.sizes))]  # fmt: skip

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return LoopSummary(
                **self.facts(), sizes=self.data.sizes, loop=self.data.loop, ensemble_sizes=self.ensemble_sizes
            )
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return LoopStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            network=own.network,
            augmentation=own.augmentation,
            train=own.train,
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))
