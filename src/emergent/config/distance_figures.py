"""Entries of ``config/figures.yaml`` on the distance of two kinds of ensembles under several settings."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from emergent.config.base import Name, StrictModel
from emergent.config.figure_entry import Figure, Table
from emergent.config.figure_options import FloorOptions


class DistanceFloor(Figure):
    """What infinitely many members keep of their distance to others and to the infinitely wide one, against width."""

    plot: Literal["distance_floor"]
    options: FloorOptions


class DistanceSensitivityOptions(StrictModel):
    """Which published distances a table of settings is laid beside."""

    data: Name = Field(description="evaluation set whose distances are shown first; its repetitions follow")
    published_size: PositiveInt = Field(description="members of the published large ensembles")
    tolerance: Annotated[float, Field(gt=0)] = Field(
        description="part of the published value within which a setting explains it, beyond two errors"
    )


class DistanceSensitivity(Table):
    """Distances when one unpublished setting changes at a time, beside the published ones."""

    plot: Literal["distance_sensitivity"]
    options: DistanceSensitivityOptions
