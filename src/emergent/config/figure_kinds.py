"""Entries of ``config/figures.yaml``: one class per kind of picture or table, with its settings."""

from typing import Annotated, Literal

from pydantic import Field

from emergent.config.counterfactual_figures import CounterfactualEntry
from emergent.config.data_efficiency_figures import EfficiencyEntry
from emergent.config.distance_figures import DistanceFloor, DistanceSensitivity
from emergent.config.dynamics_figures import DynamicsEntry
from emergent.config.embedding_figures import EmbeddingEntry
from emergent.config.figure_entry import Figure, Table
from emergent.config.figure_options import (
    BoundOptions,
    ConditionOptions,
    ConditionTableOptions,
    CurveOptions,
    DistanceOptions,
    DivergenceOptions,
    EpochAndDataOptions,
    EpochAndSizeOptions,
    EpochOptions,
    FloorOptions,
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
    SensitivityOptions,
    SizeOptions,
    SizeTableOptions,
    SpreadOptions,
    SubspaceOptions,
    TailOptions,
    TruthOptions,
)
from emergent.config.infinite_width_figures import InfiniteWidthEntry
from emergent.config.lattice_figures import LatticeEntry
from emergent.config.sphere_figures import SphereEntry
from emergent.config.symmetry_figures import SymmetryEntry


class SpreadBySize(Figure):
    """Members and ensembles against ensemble size, with a zoom below."""

    plot: Literal["spread_by_size"]
    options: SpreadOptions


class MetricByEpoch(Figure):
    """A metric of ensembles and members against epoch, a panel per data set or per ensemble size."""

    plot: Literal["metric_by_epoch"]
    options: EpochOptions


class MetricGain(Figure):
    """The same, ensembles minus members."""

    plot: Literal["metric_gain"]
    options: GainOptions


class MetricByEpochAndSize(Figure):
    """A metric of one arm against epoch, a curve per ensemble size."""

    plot: Literal["metric_by_epoch_and_size"]
    options: EpochAndSizeOptions


class MetricByEpochAndData(Figure):
    """A metric of one arm against epoch, a curve per data set."""

    plot: Literal["metric_by_epoch_and_data"]
    options: EpochAndDataOptions


class FloorTable(Table):
    """What infinite ensembles keep of their orbit error, a row per arm, by what augmented its training."""

    plot: Literal["floor_table"]
    options: FloorOptions


class MethodTable(Table):
    """A metric at one epoch, a row per method, a column per group."""

    plot: Literal["method_table"]
    options: MethodOptions


class MethodCosts(Table):
    """What methods reach, in and out of distribution, and what they cost."""

    plot: Literal["method_costs"]
    options: MethodCostOptions


class MetricReadings(Table):
    """Readings of unpublished settings: a metric by epoch, nearest to print first."""

    plot: Literal["metric_readings"]
    options: ReadingsOptions


class MetricSensitivity(Table):
    """What a metric does when one setting changes at a time: a row per setting and set."""

    plot: Literal["metric_sensitivity"]
    options: SensitivityOptions


class DistanceByEpoch(Figure):
    """Distance between two kinds of ensembles against epoch, and its law in the ensemble size."""

    plot: Literal["distance_by_epoch"]
    options: DistanceOptions


class Samples(Figure):
    """Samples of an evaluation set."""

    plot: Literal["samples"]
    options: SampleOptions = SampleOptions()


class PoolByEpoch(Figure):
    """Metrics of the ensemble of all members against epoch."""

    plot: Literal["pool_by_epoch"]
    options: PoolOptions = PoolOptions()


class MetricBySize(Figure):
    """Metrics of ensembles against ensemble size."""

    plot: Literal["metric_by_size"]
    options: SizeOptions = SizeOptions()


class MetricBySizeTable(Table):
    """The same as a table."""

    plot: Literal["metric_by_size_table"]
    options: SizeTableOptions = SizeTableOptions()


class Law(Figure):
    """Law of the divergence in the ensemble size, and what is left in an infinite ensemble."""

    plot: Literal["law"]
    options: DivergenceOptions = DivergenceOptions()


class ExperimentGap(Figure):
    """Differences between the arms of one experiment beside those of another."""

    plot: Literal["experiment_gap"]
    options: GapOptions = GapOptions()


class Conditions(Figure):
    """Training time and conditions of testing."""

    plot: Literal["conditions"]
    options: ConditionOptions


class ConditionsTable(Table):
    """The same, with the differences from the published points."""

    plot: Literal["conditions_table"]
    options: ConditionTableOptions


class AccuracyTable(Table):
    """Accuracy and symmetry of members, ensembles and the pool."""

    plot: Literal["accuracy_table"]
    options: DivergenceOptions = DivergenceOptions()


class Significance(Table):
    """Differences between arms and their significance."""

    plot: Literal["significance"]
    options: DivergenceOptions = DivergenceOptions()


class PublishedPoints(Table):
    """Ours beside published points, with the difference in standard errors."""

    plot: Literal["published_points"]
    options: PublishedPointsOptions


class Flow(Figure):
    """Schematic: a cloud pushed by an equivariant flow in the plane."""

    plot: Literal["flow"]
    options: FlowOptions


class ErrorWithBound(Figure):
    """Error of invariance against the distance of a group from its part that augmented, with the bound on it."""

    plot: Literal["error_with_bound"]
    options: BoundOptions = BoundOptions()


class TailWithBound(Figure):
    """How often finite ensembles are farther from the infinite one than a distance, with the bound on it."""

    plot: Literal["tail_with_bound"]
    options: TailOptions


class LearnedCurves(Figure):
    """Networks on a line and their mean, a panel per time."""

    plot: Literal["learned_curves"]
    options: CurveOptions


class CurvesByWidth(Figure):
    """Networks on a line beside their infinitely wide limit, a panel per width, and how they approach it."""

    plot: Literal["curves_by_width"]
    options: TruthOptions


class SubspaceDistance(Figure):
    """Distance from the equivariant subspace along augmented training."""

    plot: Literal["subspace_distance"]
    options: SubspaceOptions


class Departure(Figure):
    """Distance from equivariance against distance moved."""

    plot: Literal["departure"]
    options: NoOptions = NoOptions()


Entry = Annotated[
    SpreadBySize
    | MetricByEpoch
    | MetricGain
    | MetricByEpochAndSize
    | MetricByEpochAndData
    | FloorTable
    | MethodTable
    | MethodCosts
    | MetricReadings
    | MetricSensitivity
    | DistanceByEpoch
    | DistanceFloor
    | DistanceSensitivity
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
    | ErrorWithBound
    | TailWithBound
    | LearnedCurves
    | CurvesByWidth
    | SubspaceDistance
    | Departure
    | InfiniteWidthEntry
    | SymmetryEntry
    | DynamicsEntry
    | EfficiencyEntry
    | EmbeddingEntry
    | LatticeEntry
    | CounterfactualEntry
    | SphereEntry,
    Field(discriminator="plot"),
]
