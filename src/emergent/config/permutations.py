"""Typed configuration of experiments of kind ``permutation_flow``: three ways of training from one equivariant point.

References:
    arXiv 2303.13458, first version: permutations.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from emergent.config.base import Name, StrictModel
from emergent.config.permutation_training import (
    BlockGraphs,
    GradientSteps,
    GraphNetworkSettings,
    PermutationTask,
    TrainingMode,
)
from emergent.config.study import StudyBase


class PermutationArm(StrictModel):
    """One way of training."""

    mode: TrainingMode


class PermutationExperiment(StudyBase):
    """Networks on graphs that start equivariant under relabelling; all arms of a run start from the same point.

    Attributes:
        graphs: drawn once per run.
        network: shared by all arms.
        train: the steps.
    """

    kind: Literal["permutation_flow"]
    arms: dict[Name, PermutationArm] = Field(min_length=1)
    graphs: BlockGraphs
    network: GraphNetworkSettings
    train: GradientSteps

    @model_validator(mode="after")
    def _check(self) -> "PermutationExperiment":
        PermutationTask(graphs=self.graphs, network=self.network, train=self.train)
        return self

    @property
    def verbs(self) -> dict[str, str]:
        """Returns the command-line verb of each stage; the summary reads the training files."""
        return {"train": "train_permutations"}

    def stage_config(self, stage: str, arm: str | None) -> dict[str, Any]:
        """Returns the settings that one stage (of one arm) depends on."""
        dumped = self.model_dump(mode="json")
        common = self.common_config(stage)
        if stage == "summary":
            return common | {
                "modes": {name: entry.mode for name, entry in self.arms.items()},
            }
        task = {key: dumped[key] for key in ("graphs", "network", "train")}
        return common | {"arm": arm, "mode": dumped["arms"][str(arm)]["mode"], "task": task}
