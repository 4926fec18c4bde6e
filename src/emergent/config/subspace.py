"""Typed configuration of experiments of kind ``subspace``: distance from the equivariant networks under augmentation.

References:
    arXiv 2303.13458, experimental results of the later versions.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from emergent.config.base import Name, StrictModel
from emergent.config.experiment import DataSelection
from emergent.config.study import StudyBase
from emergent.config.subspace_training import Phases, SubspaceArm, SubspaceNetwork


class SubspaceData(StrictModel):
    """Training images.

    Attributes:
        shape: (H, W, C) of one input; a square with one channel or more.
        train: the images.
        scaling: ``standardise`` divides 8-bit pixels by 255, subtracts their mean and divides by their std.
    """

    shape: tuple[int, int, int] = Field(strict=False)
    train: DataSelection
    scaling: Literal["none", "standardise"]


class SubspaceExperiment(StudyBase):
    """Networks that start equivariant and are trained on all four rotations, in three parametrisations and a control.

    Attributes:
        network: shared by all arms.
        train: the two phases.
    """

    kind: Literal["subspace"]
    data: SubspaceData
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

    @property
    def verbs(self) -> dict[str, str]:
        """Returns the command-line verb of each stage; the summary reads the training files."""
        return {"train": "train_subspace"}

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the training data set."""
        return [self.data.train.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the training split."""
        return [(self.data.train.dataset, self.data.train.split)]

    def stage_config(self, stage: str, arm: str | None) -> dict[str, Any]:
        """Returns the settings that one stage (of one arm) depends on."""
        dumped = self.model_dump(mode="json")
        common = self.common_config(stage)
        if stage == "summary":
            return common
        settings = {key: dumped[key] for key in ("data", "network", "train")}
        return common | settings | {"arm": arm, "parametrisation": dumped["arms"][str(arm)]}
