"""Typed configuration of experiments of kind ``departure``: three ways of training from one equivariant point.

References:
    arXiv 2303.13458, first version.
"""

from typing import Literal

from pydantic import Field, model_validator

from emergent.config.base import Name
from emergent.config.departure_training import (
    DepartureStage,
    DepartureTask,
    GradientSteps,
    Group,
    Images,
    Inputs,
    OrbitNetwork,
)
from emergent.config.domains import ImageTraining
from emergent.config.stages import ArmFacts, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase


class DepartureArm(ArmLabels):
    """The group under which networks start equivariant."""

    group: Group


class DepartureExperiment(StudyBase):
    """Networks that start equivariant; every run is trained from there in three ways.

    Attributes:
        data: the data set, where the inputs are its images.
        inputs: what the networks read; graphs and shapes are drawn once per run.
        network: shared by all arms.
        train: the steps.
    """

    kind: Literal["departure"]
    data: ImageTraining | None = None
    arms: dict[Name, DepartureArm] = Field(min_length=1)
    inputs: Inputs
    network: OrbitNetwork
    train: GradientSteps

    @model_validator(mode="after")
    def _check(self) -> "DepartureExperiment":
        for arm in self.arms.values():
            self.task(arm)
        if (self.data is None) == isinstance(self.inputs, Images):
            raise ValueError(f"data: {'missing' if self.data is None else 'not used'} with source {self.inputs.source}")
        if self.data is not None and isinstance(self.inputs, Images):
            height, width, _ = self.data.shape
            if height != width or height % self.inputs.pool:
                raise ValueError(
                    f"data.shape: expected a square whose side {self.inputs.pool} divides, found {height} x {width}"
                )
            if self.data.train.num and self.data.train.num % self.train.batch_size:
                raise ValueError(
                    f"batch_size: expected a divisor of the {self.data.train.num} samples, "
                    f"found {self.train.batch_size}"
                )
        return self

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set, if there is one."""
        return [self.data.train.dataset] if self.data and stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the split that is trained on, if there is one."""
        return [(self.data.train.dataset, self.data.train.split)] if self.data else []

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SummaryStage(**self.facts())
        arm = self.trained_arm(stage, arm)
        return DepartureStage(
            experiment=self.experiment, seed=self.seed, arm=arm, data=self.data, task=self.task(self.arms[arm])
        )

    def task(self, arm: DepartureArm) -> DepartureTask:
        """Returns all that training reads."""
        return DepartureTask(inputs=self.inputs, group=arm.group, network=self.network, train=self.train)

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name), group=self.arms[name].group)
