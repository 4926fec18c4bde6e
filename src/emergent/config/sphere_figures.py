"""Entries of ``config/figures.yaml`` on images on the sphere."""

from typing import Literal

from pydantic import Field

from emergent.config.base import Many, Name, StrictModel
from emergent.config.figure_entry import Figure
from emergent.config.figure_options import NoOptions


class ScoreByCopies(Figure):
    """Scores and errors of equivariance against the number of training images."""

    plot: Literal["score_by_copies"]
    options: NoOptions = NoOptions()


class ScoreByCost(Figure):
    """Scores against multiplications, and times."""

    plot: Literal["score_by_cost"]
    options: NoOptions = NoOptions()


class MaskOptions(StrictModel):
    """Options of ``projected_masks``."""

    arms: Many[Name] = Field(min_length=1, description="arms whose predictions are shown, those that a scale has")


class ProjectedMasks(Figure):
    """Images on the sphere, masks and predicted masks."""

    plot: Literal["projected_masks"]
    options: MaskOptions


class ChangeByAngle(Figure):
    """Scores of classifiers, and changes of their logits against the angle of rotations."""

    plot: Literal["change_by_angle"]
    options: NoOptions = NoOptions()


SphereEntry = ScoreByCopies | ScoreByCost | ProjectedMasks | ChangeByAngle
"""All of them."""
