"""Typed configuration of experiments of kind ``subspace``: distance from the equivariant networks under augmentation.

References:
    arXiv 2303.13458, experimental results of the later versions.
"""

from typing import Literal

from pydantic import Field, model_validator

from emergent.config.base import Name
from emergent.config.stages import Stage, SummaryStage
from emergent.config.study import ArmLabels, ImageStudy
from emergent.config.subspace_training import Parametrisation, Phases, SubspaceNetwork, SubspaceStage


class SubspaceArm(ArmLabels, Parametrisation):
    """One parametrisation and its place in the experiment."""


class SubspaceExperiment(ImageStudy):
    """Networks that start equivariant and are trained on all four rotations, in three parametrisations and a control.

    Attributes:
        network: shared by all arms.
        train: the two phases.
    """

    kind: Literal["subspace"]
    arms: dict[Name, SubspaceArm] = Field(min_length=1)
    network: SubspaceNetwork
    train: Phases

    @model_validator(mode="after")
    def _check(self) -> "SubspaceExperiment":
        height, width, _ = self.data.shape
        if height != width or height % 2**self.network.num_pooled:
            raise ValueError(
                f"data.shape: quarter turns and {self.network.num_pooled} poolings need a square image whose side is "
                f"divisible by {2**self.network.num_pooled}, found {height} x {width}"
            )
        if self.network.num_pooled > len(self.network.channels):
            raise ValueError(f"network.num_pooled: exceeds the {len(self.network.channels)} layers")
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SummaryStage(**self.facts())
        arm = self.trained_arm(stage, arm)
        return SubspaceStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            parametrisation=Parametrisation(**self.arms[arm].model_dump(include=set(Parametrisation.model_fields))),
            network=self.network,
            train=self.train,
        )
