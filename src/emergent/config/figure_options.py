"""Options of figures and tables, by plot kind, as they stand in ``config/figures.yaml``."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel

Band = Literal["quartiles", "range", "std"]
"""Band over members: 25-75 % quantiles, minimum to maximum, or mean +- one standard deviation."""

DivergenceScale = Literal["full", "half"]
"""``full``: KL divergence summed over both directions, as in the tables; ``half``: their mean."""


class NoOptions(StrictModel):
    """A plot without settings."""


class MetricOptions(StrictModel):
    """Which table of a metric a figure draws."""

    table: Name = Field(description="summary table with members and ensembles; also the quantity of published series")
    metric: Name | None = Field(
        default=None, description="rows of the table, where it has a column metric; else the table is named for its one"
    )


class SpreadOptions(MetricOptions):
    """Members and ensembles against ensemble size, with a zoom below."""

    table: Name = Field(default="orbit_std", description="summary table; also the quantity of published series")
    data: Many[Name] = Field(min_length=1, description="panels from left to right")
    scale: Literal["log", "linear"] = Field(description="vertical axis of the lower row (zoom)")
    guide: bool = Field(default=False, description="draw members / sqrt(M) into the lower row")


class DifferenceOptions(StrictModel):
    """Distance of finite ensembles to the infinitely wide one."""

    data: Many[Name] = Field(min_length=1, description="panels from left to right")
    scale: Literal["log", "linear"] = Field(description="vertical axis")


class FloorOptions(StrictModel):
    """What infinitely many members keep of an error or of a distance."""

    data: Many[Name] = Field(min_length=1, description="evaluation sets, from left to right")


class EpochOptions(MetricOptions):
    """Ensembles and members against epoch."""

    table: Name = Field(default="osp", description="summary table; also the quantity of published series")
    ensemble_size: PositiveInt | Many[PositiveInt] = Field(
        description="members per ensemble, the nearest smaller size in the table; each size of a list is a panel"
    )
    data: Name | None = Field(
        default=None, description="data set, or 'in' or 'ood' for the first of a role; null: a panel for each"
    )
    band: Band = Field(default="quartiles", description="statistic of the band over members")
    published_data: Name | None = Field(
        default=None,
        description="data set of published curves that name none, or else the first OOD set",
    )
    published_size: PositiveInt | None = Field(default=None, description="members per published ensemble")
    arms: Many[Name] = Field(default=(), description="arms shown, of those that there are; none means all")


class EpochAndDataOptions(MetricOptions):
    """One arm against epoch, one curve per data set."""

    table: Name = Field(default="osp", description="summary table; also the quantity of published series")
    ensemble_size: PositiveInt = Field(description="members per ensemble; the nearest smaller size in the table")
    arm: Name | None = Field(default=None, description="arm; the one of the largest group if not given")
    band: Band = Field(default="quartiles", description="statistic of the band over members")
    published_size: PositiveInt | None = Field(default=None, description="members per published ensemble")


class GainOptions(MetricOptions):
    """Ensembles minus members against epoch."""

    table: Name = Field(default="osp", description="summary table with members and ensembles")
    ensemble_size: PositiveInt = Field(description="members per ensemble; the nearest smaller size in the table")


class EpochAndSizeOptions(MetricOptions):
    """One arm against epoch, one curve per ensemble size."""

    table: Name = Field(default="osp", description="summary table; series of its name with _sizes are published")
    data: Name = Field(description="data set, or 'ood' for the first out-of-distribution set")
    arm: Name | None = Field(default=None, description="arm; the one of the largest group if not given")


class Method(StrictModel):
    """One row of the table of methods."""

    label: str = Field(description="name of the method")
    predictor: Literal["ensemble", "members"] = Field(description="ensembles of the arms, or single networks")
    arms: Many[Name] = Field(min_length=1, description="one arm a group; those that there are")
    published: Name | None = Field(default=None, description="predictor of the published row, if there is one")


class MethodOptions(StrictModel):
    """Row selection of the table of methods."""

    methods: Many[Method] = Field(min_length=1, description="rows from top to bottom")
    data: Name = Field(description="data set, or 'ood' for the first out-of-distribution set")
    epoch: int = Field(ge=0, description="epoch whose values are shown; the last one if the run was shorter")
    ensemble_size: PositiveInt = Field(description="members per ensemble; the nearest smaller size in the table")


class MethodCostOptions(StrictModel):
    """Rows of the table of what methods reach and cost."""

    methods: Many[Method] = Field(min_length=1, description="rows from top to bottom, one for every arm")
    ensemble_size: PositiveInt = Field(description="members per ensemble; the nearest smaller size in the table")


class ReadingsOptions(MetricOptions):
    """Which ensembles a table of readings shows, and which published curve they are laid beside."""

    table: Name = Field(default="osp", description="summary table; also the quantity of published series")
    ensemble_size: PositiveInt = Field(description="members per ensemble; the nearest smaller size in the table")
    published_data: Name = Field(description="data set of the published series, as their key data names it")


class SensitivityOptions(MetricOptions):
    """Which ensembles and sets a table of settings shows."""

    table: Name = Field(default="osp", description="summary table with members and ensembles")
    ensemble_size: PositiveInt = Field(description="members per ensemble; the nearest smaller size in the table")
    data: Many[Name] = Field(default=(), description="evaluation sets, in order; none means all")


class DistanceOptions(StrictModel):
    """Which data and which epoch the figure of the distance between two kinds of ensembles shows."""

    data: Name = Field(description="data set, or 'ood' for the first out-of-distribution set")
    fit_epoch: int | Literal["last"] = Field(default="last", description="epoch of the right panel")


class DivergenceOptions(StrictModel):
    """How a figure shows the orbit divergence."""

    divergence: DivergenceScale = Field(default="full", description="sum or mean of the two directions")


class PoolOptions(DivergenceOptions):
    """The whole pool against epoch."""

    published_members: PositiveInt | None = Field(default=None, description="members of the published pool")


class SizeOptions(PoolOptions):
    """Metrics against ensemble size."""

    metrics: Many[Name] = Field(default=("osp", "divergence"), min_length=1, description="rows from top to bottom")
    labels: dict[Name, str] = Field(
        default={}, description="labels of axes by metric, where they differ from the usual ones"
    )
    arms: Many[Name] = Field(default=(), description="arms shown; none means all")


class GapOptions(StrictModel):
    """Arms whose difference from the one that they are compared with is shown."""

    arms: Many[Name] = Field(default=(), description="arms shown; none means all that are compared with another")


class SizeTableOptions(StrictModel):
    """The same as a table."""

    metrics: Many[Name] = Field(default=("osp", "divergence"), min_length=1, description="rows of each data set")
    arms: Many[Name] = Field(default=(), description="arms shown; none means all")


class ConditionTableOptions(DivergenceOptions):
    """Which ensembles the table of training time and conditions of testing compares."""

    ensemble_size: PositiveInt = Field(description="members per disjoint pool; the nearest smaller size in the table")


class ConditionOptions(ConditionTableOptions):
    """Which data and ensembles the figure of training time and conditions of testing shows."""

    role: Literal["in", "ood"] = Field(default="in", description="in distribution or out of distribution")


class PublishedPointsOptions(StrictModel):
    """The run behind the published points."""

    epoch: PositiveInt = Field(description="epoch of the published points")
    num_members: PositiveInt = Field(description="members of the published pool")


class FlowOptions(StrictModel):
    """Rows of the equivariant flow."""

    arms: Many[Name] = Field(min_length=1, description="rows from top to bottom")
    half_width: float = Field(gt=0, description="the panels show this far from the origin")


class BoundOptions(StrictModel):
    """Which training times are shown."""

    times: Many[PositiveInt] = Field(default=(), description="training times shown; none means all")


class TailOptions(StrictModel):
    """Which evaluation set is shown."""

    data: Name = Field(description="evaluation set")


class CurveOptions(StrictModel):
    """Which networks on a line are shown, and beside what."""

    arm: Name = Field(description="arm whose members are drawn")
    truth: Name = Field(description="evaluation set whose targets are drawn as the function that is learned")


class TruthOptions(StrictModel):
    """What networks on a line learn."""

    truth: Name = Field(description="evaluation set whose targets are drawn as the function that is learned")


class SampleOptions(StrictModel):
    """Which samples of an evaluation set are shown, and how."""

    num: int = Field(default=9, ge=1, le=9, description="samples, the first ones")
    limits: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None, description="values shown as black and as white; null stretches each sample between its own"
    )

    @model_validator(mode="after")
    def _limits_are_ordered(self) -> "SampleOptions":
        if self.limits is not None and self.limits[0] >= self.limits[1]:
            raise ValueError(f"limits: expected black below white, found {list(self.limits)}")
        return self


class SubspaceOptions(StrictModel):
    """Curves of the distance from the equivariant subspace."""

    arms: Many[Name] = Field(min_length=1, description="groups of runs, in the order of the legend")
    scale: Literal["linear", "log"] = Field(description="vertical axes")
