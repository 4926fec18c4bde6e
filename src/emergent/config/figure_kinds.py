"""Entries of ``config/figures.yaml``: one class per kind of picture or table, with its settings."""

import string
from typing import Annotated, Literal

from pydantic import Field, field_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.figure_options import (
    ConditionOptions,
    ConditionTableOptions,
    CurveOptions,
    DifferenceOptions,
    DistanceOptions,
    DivergenceOptions,
    EpochAndDataOptions,
    EpochAndSizeOptions,
    EpochOptions,
    FlowOptions,
    GainOptions,
    GapOptions,
    MethodCostOptions,
    MethodOptions,
    NoOptions,
    PoolOptions,
    PublishedPointsOptions,
    ReadingsOptions,
    SampleOptions,
    SizeOptions,
    SizeTableOptions,
    SpreadOptions,
    SubspaceOptions,
)
from emergent.config.papers import Paper

PLACEHOLDERS = frozenset(
    [
        "scale",
        "data",
        "num_members",
        "num_ensembles",
        "ensemble_size",
        "ensemble_sizes",
        "ensembles",
        "groups",
        "widths",
        "epoch",
        "band",
        "bars",
        "arms",
        "divergence",
        "draws",
        "draw_error",
    ]
)
"""Words in braces that a caption may contain; each is filled from the tables that the figure draws."""


class _Entry(StrictModel):
    """What every figure and table says about itself, whatever its plot kind."""

    name: Name = Field(description="file name without suffix")
    paper: Paper = Field(description="folder of the output and category in the report")
    id: str = Field(pattern=r"^[A-Z][0-9]+[a-z]?$", description="label in the specification of the paper, e.g. F2")
    label: str = Field(description="label for people; the papers' own numbers are not known")
    experiments: Many[Name] = Field(min_length=1, description="experiments whose summary is read")
    references: Many[Name] = Field(default=(), description="files of config/references/ with the published values")
    title: str = Field(description="what the picture shows, for its metadata")
    caption: str = Field(description="complete sentences; words in braces are filled from the run")
    width: Literal["one", "two"] = Field(default="two", description="columns of a two-column page")

    @field_validator("caption")
    @classmethod
    def _check_caption(cls, caption: str) -> str:
        if unknown := {word for _, word, _, _ in string.Formatter().parse(caption) if word is not None} - PLACEHOLDERS:
            raise ValueError(f"unknown word(s) in braces {sorted(unknown)}; known: {', '.join(sorted(PLACEHOLDERS))}.")
        if marked := sorted(set(caption) & set("*`|\\")):
            raise ValueError(f"the report reads captions as reStructuredText, so {' '.join(marked)} cannot be used.")
        return caption


class _Figure(_Entry):
    kind: Literal["figure"] = Field(default="figure", description="a picture; follows from plot")


class _Table(_Entry):
    kind: Literal["table"] = Field(default="table", description="a table; follows from plot")


class SpreadBySize(_Figure):
    """Members and ensembles against ensemble size, with a zoom below."""

    plot: Literal["spread_by_size"]
    options: SpreadOptions


class InfiniteWidthDifference(_Figure):
    """Difference between finite ensembles and the infinitely wide one against ensemble size."""

    plot: Literal["infinite_width_difference"]
    options: DifferenceOptions


class InfiniteWidthReadings(_Table):
    """Readings of unpublished settings at infinite width."""

    plot: Literal["infinite_width_readings"]
    options: NoOptions = NoOptions()


class MetricByEpoch(_Figure):
    """A metric of ensembles and members against epoch, a panel per data set or per ensemble size."""

    plot: Literal["metric_by_epoch"]
    options: EpochOptions


class MetricGain(_Figure):
    """The same, ensembles minus members."""

    plot: Literal["metric_gain"]
    options: GainOptions


class MetricByEpochAndSize(_Figure):
    """A metric of one arm against epoch, a curve per ensemble size."""

    plot: Literal["metric_by_epoch_and_size"]
    options: EpochAndSizeOptions


class MetricByEpochAndData(_Figure):
    """A metric of one arm against epoch, a curve per data set."""

    plot: Literal["metric_by_epoch_and_data"]
    options: EpochAndDataOptions


class MethodTable(_Table):
    """A metric at one epoch, a row per method, a column per group."""

    plot: Literal["method_table"]
    options: MethodOptions


class MethodCosts(_Table):
    """What methods reach, in and out of distribution, and what they cost."""

    plot: Literal["method_costs"]
    options: MethodCostOptions


class MetricReadings(_Table):
    """Readings of unpublished settings: a metric by epoch, nearest to print first."""

    plot: Literal["metric_readings"]
    options: ReadingsOptions


class DistanceByEpoch(_Figure):
    """Distance between two kinds of ensembles against epoch, and its law in the ensemble size."""

    plot: Literal["distance_by_epoch"]
    options: DistanceOptions


class Samples(_Figure):
    """Samples of an evaluation set."""

    plot: Literal["samples"]
    options: SampleOptions = SampleOptions()


class PoolByEpoch(_Figure):
    """Metrics of the ensemble of all members against epoch."""

    plot: Literal["pool_by_epoch"]
    options: PoolOptions = PoolOptions()


class MetricBySize(_Figure):
    """Metrics of ensembles against ensemble size."""

    plot: Literal["metric_by_size"]
    options: SizeOptions = SizeOptions()


class MetricBySizeTable(_Table):
    """The same as a table."""

    plot: Literal["metric_by_size_table"]
    options: SizeTableOptions = SizeTableOptions()


class Law(_Figure):
    """Law of the divergence in the ensemble size, and what is left in an infinite ensemble."""

    plot: Literal["law"]
    options: DivergenceOptions = DivergenceOptions()


class ExperimentGap(_Figure):
    """Differences between the arms of one experiment beside those of another."""

    plot: Literal["experiment_gap"]
    options: GapOptions = GapOptions()


class Conditions(_Figure):
    """Training time and conditions of testing."""

    plot: Literal["conditions"]
    options: ConditionOptions


class ConditionsTable(_Table):
    """The same, with the differences from the published points."""

    plot: Literal["conditions_table"]
    options: ConditionTableOptions


class AccuracyTable(_Table):
    """Accuracy and symmetry of members, ensembles and the pool."""

    plot: Literal["accuracy_table"]
    options: DivergenceOptions = DivergenceOptions()


class Significance(_Table):
    """Differences between arms and their significance."""

    plot: Literal["significance"]
    options: DivergenceOptions = DivergenceOptions()


class PublishedPoints(_Table):
    """Ours beside published points, with the difference in standard errors."""

    plot: Literal["published_points"]
    options: PublishedPointsOptions


class Flow(_Figure):
    """Schematic: a cloud pushed by an equivariant flow in the plane."""

    plot: Literal["flow"]
    options: FlowOptions


class LearnedCurves(_Figure):
    """Networks on a line and their mean, a panel per time."""

    plot: Literal["learned_curves"]
    options: CurveOptions


class SubspaceDistance(_Figure):
    """Distance from the equivariant subspace along augmented training."""

    plot: Literal["subspace_distance"]
    options: SubspaceOptions


class Departure(_Figure):
    """Distance from equivariance against distance moved."""

    plot: Literal["departure"]
    options: NoOptions = NoOptions()


Entry = Annotated[
    SpreadBySize
    | InfiniteWidthDifference
    | InfiniteWidthReadings
    | MetricByEpoch
    | MetricGain
    | MetricByEpochAndSize
    | MetricByEpochAndData
    | MethodTable
    | MethodCosts
    | MetricReadings
    | DistanceByEpoch
    | Samples
    | PoolByEpoch
    | MetricBySize
    | MetricBySizeTable
    | Law
    | ExperimentGap
    | Conditions
    | ConditionsTable
    | AccuracyTable
    | Significance
    | PublishedPoints
    | Flow
    | LearnedCurves
    | SubspaceDistance
    | Departure,
    Field(discriminator="plot"),
]
