"""Options of figures and tables, by plot kind, as they stand in ``config/figures.yaml``."""

from typing import Literal

from pydantic import Field, PositiveInt

from emergent.config.base import Many, Name, StrictModel

Band = Literal["quartiles", "range", "std"]
"""Band over members: 25-75 % quantiles, minimum to maximum, or mean +- one standard deviation."""


class IsingOptions(StrictModel):
    """Panels of the Ising figures."""

    data: Many[Name] = Field(default=("train", "test", "ood"), min_length=1, description="panels from left to right")
    scale: Literal["log", "linear"] = Field(description="vertical axis of F1, and of the lower row (zoom) of F2")
    guide: bool = Field(default=False, description="draw 1/sqrt(M) through the first ensemble of each width (F2)")


class PredictionOptions(StrictModel):
    """Which ensemble and which band the orbit-same-prediction figures show."""

    ensemble_size: int = Field(ge=1, description="members per ensemble; the nearest smaller size in the table is used")
    band: Band = Field(default="quartiles", description="statistic of the band over members")
    published_data: Name | None = Field(
        default=None, description="data set of the published curve, or else the first OOD set"
    )


class SizesOptions(StrictModel):
    """Orbit same prediction against epoch, one curve per ensemble size."""

    data: Name = Field(description="data set, or 'ood' for the first out-of-distribution set")
    arm: Name | None = Field(default=None, description="arm; the one of the largest group if not given")


class TableOptions(StrictModel):
    """Row selection of the out-of-distribution table."""

    data: Name = Field(description="data set, or 'ood' for the first out-of-distribution set")
    epoch: int = Field(ge=0, description="epoch whose values are shown; the last one if the run was shorter")
    ensemble_size: int = Field(ge=1, description="members per ensemble; the nearest smaller size in the table is used")


class ConvergenceOptions(StrictModel):
    """Which data and which epoch the CNN-GCNN figure shows."""

    data: Name = Field(description="data set, or 'ood' for the first out-of-distribution set")
    fit_epoch: int | Literal["last"] = Field(default="last", description="epoch of the right panel")


class NoOptions(StrictModel):
    """A plot without settings."""


DivergenceScale = Literal["full", "half"]
"""``full``: KL divergence summed over both directions, as in the tables; ``half``: their mean, as in F4 to F6."""


class DivergenceOptions(StrictModel):
    """How a figure shows the orbit divergence."""

    divergence: DivergenceScale = Field(default="full", description="sum or mean of the two directions")


class PointCloudOptions(StrictModel):
    """Which arms of the point-cloud experiment are shown."""

    arms: Many[Name] = Field(default=(), description="in the order of the legend; none means all")


class FillTableOptions(DivergenceOptions):
    """Which ensembles the table of training time and background compares."""

    ensemble_size: PositiveInt = Field(description="members per disjoint pool; the nearest smaller size in the table")


class FillOptions(FillTableOptions):
    """Which data and ensembles the figure of training time and background shows."""

    role: Literal["in", "ood"] = Field(default="in", description="in distribution or out of distribution")


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
