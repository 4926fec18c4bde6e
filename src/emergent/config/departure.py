"""Typed configuration of experiments of kind ``departure``: three ways of training from one equivariant point.

References:
    arXiv 2303.13458, first version.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from emergent.config.base import Name, StrictModel
from emergent.config.departure_training import DepartureTask, GradientSteps, Group, Images, Inputs, OrbitNetwork
from emergent.config.study import StudyBase
from emergent.config.subspace import SubspaceData


class DepartureArm(StrictModel):
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
    data: SubspaceData | None = None
    arms: dict[Name, DepartureArm] = Field(min_length=1)
    inputs: Inputs
    network: OrbitNetwork
    train: GradientSteps

    @model_validator(mode="after")
    def _check(self) -> "DepartureExperiment":
        for arm in self.arms.values():
            DepartureTask(inputs=self.inputs, group=arm.group, network=self.network, train=self.train)
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

    @property
    def verbs(self) -> dict[str, str]:
        """Returns the command-line verb of each stage; the summary reads the training files."""
        return {"train": "train_departure"}

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set, if there is one."""
        return [self.data.train.dataset] if self.data and stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the split that is trained on, if there is one."""
        return [(self.data.train.dataset, self.data.train.split)] if self.data else []

    def stage_config(self, stage: str, arm: str | None) -> dict[str, Any]:
        """Returns the settings that one stage (of one arm) depends on."""
        dumped = self.model_dump(mode="json")
        common = self.common_config(stage)
        if stage == "summary":
            return common | {"groups": {name: entry.group for name, entry in self.arms.items()}}
        task = {key: dumped[key] for key in ("inputs", "network", "train")} | dumped["arms"][str(arm)]
        return common | {"arm": arm, "data": dumped["data"], "task": task}
