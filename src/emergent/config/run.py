"""Typed form of ``config/config.yaml``: what a run does, and nothing scientific."""

from typing import Literal

from pydantic import Field

from emergent.config.base import Many, Name, StrictModel
from emergent.config.study import Scale


class RunConfig(StrictModel):
    """``config/config.yaml``: which papers, experiments and scale are on.

    Attributes:
        scale: scale of the default targets.
        experiments: experiments that run.
        members: train so many members of every arm; members are numbered, so a later run with more adds
            blocks and recomputes none. Null takes all.
        block: members per job and file, at most, in place of what the experiments say.
        epochs: train for so many; a later run with more of them goes on from there (plain gradient descent). Null
            takes what the experiments say.
        arms: ``all`` adds the arms that a scale leaves out; null takes the scale's.
        samples: evaluate on at most so many samples of every set; errors then hold the noise of a part of a test set.
            Null takes what the experiments say.
        substitute: data sets by the name of the one that is used in place of them, where one cannot be had.
        figures: figures and tables that are made; null makes all whose experiments run.
        mirror: folder with data files, tried before any download.
        memory_gb: memory in GiB that one training job may use; null takes the machine's.
        accelerator: jobs train all members of a block at once, as they do on a GPU; memory_gb is then the GPU's.
    """

    scale: Scale
    experiments: Many[Name]
    members: int | None = Field(default=None, gt=0, strict=False)
    block: int | None = Field(default=None, gt=0, strict=False)
    epochs: int | None = Field(default=None, gt=0, strict=False)
    arms: Literal["all"] | None = None
    samples: int | None = Field(default=None, gt=1, strict=False)
    substitute: dict[Name, Name] = Field(default_factory=dict)
    figures: Many[Name] | None = None
    mirror: str | None = None
    memory_gb: float | None = Field(default=None, gt=0)
    accelerator: bool = Field(default=False, strict=False)
