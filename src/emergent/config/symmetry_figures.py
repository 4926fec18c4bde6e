"""Entries of ``config/figures.yaml`` on symmetries that are built in, learnt or relaxed."""

from typing import Literal

from pydantic import Field

from emergent.config.base import Many, Name, StrictModel
from emergent.config.figure_entry import Figure, Table
from emergent.config.figure_options import NoOptions


class RiskBySize(Figure):
    """Test error of linear estimators against the size of the training set, a panel per truth."""

    plot: Literal["risk_by_size"]
    options: NoOptions = NoOptions()


class GapTable(Table):
    """Risk gap by group, measured and by theory, and augmentation beside projection."""

    plot: Literal["gap_table"]
    options: NoOptions = NoOptions()


class ExampleOptions(StrictModel):
    """In-painted images."""

    arms: Many[Name] = Field(min_length=1, description="arms from left to right, each under all of its groups")


class InpaintingTable(Table):
    """Test errors of in-painting by group, with published values."""

    plot: Literal["inpainting_table"]
    options: NoOptions = NoOptions()


class InpaintingExamples(Figure):
    """In-painted images by group; below, ensembles of augmented networks by their size."""

    plot: Literal["inpainting_examples"]
    options: ExampleOptions


class InvariantMatrix(Figure):
    """Distances of invariants, a row per set of them, a column per kind of pair."""

    plot: Literal["invariant_matrix"]
    options: NoOptions = NoOptions()


class PredictedPairs(Figure):
    """Predicted against true distances of pairs of clouds, a panel per arm, and errors by arm as bars."""

    plot: Literal["predicted_pairs"]
    options: NoOptions = NoOptions()


class ErrorByClusters(Figure):
    """Errors of predicted speeds by the number of clusters of sensors, of networks and ensembles."""

    plot: Literal["error_by_clusters"]
    options: NoOptions = NoOptions()


class ClustersTable(Table):
    """The same as a table, with published values."""

    plot: Literal["clusters_table"]
    options: NoOptions = NoOptions()


class JointsTable(Table):
    """Errors of joints by group of permutations, of networks and ensembles."""

    plot: Literal["joints_table"]
    options: NoOptions = NoOptions()


class CloudTable(Table):
    """Errors, rank correlations and errors of invariance of learnt distances, with published values."""

    plot: Literal["cloud_table"]
    options: NoOptions = NoOptions()


class UnitsOptions(StrictModel):
    """Predictions of radiation."""

    arms: Many[Name] = Field(min_length=1, description="arms whose predictions are drawn; errors are those of all")


class PredictedRadiation(Figure):
    """Predictions by wavelength, a panel per test temperature; below, errors by arm."""

    plot: Literal["predicted_radiation"]
    options: UnitsOptions


class IntertwinerCounts(Figure):
    """Dimensions of equivariant maps against their count; and norms of kernels on the sphere."""

    plot: Literal["intertwiner_counts"]
    options: NoOptions = NoOptions()


SymmetryEntry = (
    RiskBySize
    | GapTable
    | InpaintingTable
    | InpaintingExamples
    | InvariantMatrix
    | PredictedPairs
    | CloudTable
    | PredictedRadiation
    | IntertwinerCounts
    | ErrorByClusters
    | ClustersTable
    | JointsTable
)
"""All of them."""
