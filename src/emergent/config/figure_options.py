"""Options of the figures and tables of arXiv 2410.01452 and 2303.13458 in ``config/figures.yaml``."""

from typing import Literal

from pydantic import Field, PositiveInt

from emergent.config.base import Many, Name, StrictModel

DivergenceScale = Literal["full", "half"]
"""``full``: KL divergence summed over both directions, as in the tables; ``half``: their mean, as in F4 to F6."""


class DivergenceOptions(StrictModel):
    """How a figure shows the orbit divergence."""

    divergence: DivergenceScale = Field(default="full", description="sum or mean of the two directions")


class PointCloudOptions(StrictModel):
    """Which arms of the point-cloud experiment are shown."""

    arms: Many[Name] = Field(default=(), description="in the order of the legend; none means all")


class FillOptions(DivergenceOptions):
    """Which data and ensembles the figure of training time and background shows."""

    role: Literal["in", "ood"] = Field(default="in", description="in distribution or out of distribution")
    ensemble_size: PositiveInt = Field(description="members per disjoint pool; the nearest smaller size in the table")


class PublishedPointsOptions(StrictModel):
    """The run behind the published points."""

    epoch: PositiveInt = Field(description="epoch of the published points")
    num_members: PositiveInt = Field(description="members of the published pool")


class FlowOptions(StrictModel):
    """Rows of the equivariant flow."""

    arms: Many[Name] = Field(min_length=1, description="rows from top to bottom")
    half_width: float = Field(gt=0, description="the panels show this far from the origin")


class SubspaceOptions(StrictModel):
    """Curves of the distance from the equivariant subspace."""

    arms: Many[Name] = Field(min_length=1, description="groups of runs, in the order of the legend")
    scale: Literal["linear", "log"] = Field(description="vertical axes")
