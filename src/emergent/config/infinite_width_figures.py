"""Entries of ``config/figures.yaml`` on infinitely wide networks and their kernels."""

from typing import Literal

from pydantic import Field

from emergent.config.base import StrictModel
from emergent.config.figure_entry import Figure, Table
from emergent.config.figure_options import DifferenceOptions, FloorOptions, NoOptions


class InfiniteWidthDifference(Figure):
    """Difference between finite ensembles and the infinitely wide one against ensemble size."""

    plot: Literal["infinite_width_difference"]
    options: DifferenceOptions


class InfiniteWidthFloor(Figure):
    """What infinitely many members keep of that difference, against width."""

    plot: Literal["infinite_width_floor"]
    options: FloorOptions


class InfiniteWidthReadings(Table):
    """Readings of unpublished settings at infinite width."""

    plot: Literal["infinite_width_readings"]
    options: NoOptions = NoOptions()


class LearningOptions(StrictModel):
    """What kernels learn against the size of the training set."""

    metric: Literal["accuracy", "error"] = Field(
        default="accuracy", description="accuracy from 0 upwards, or error in meV on a logarithmic axis"
    )


class LearningCurve(Figure):
    """Accuracy or error of kernels against the size of the training set."""

    plot: Literal["learning_curve"]
    options: LearningOptions = LearningOptions()


class LearningLaws(Figure):
    """Error rates of kernels against the size of the training set, with power laws."""

    plot: Literal["learning_laws"]
    options: NoOptions = NoOptions()


class ErrorByWidth(Figure):
    """Relative error of mean kernels of random networks against their width."""

    plot: Literal["error_by_width"]
    options: NoOptions = NoOptions()


class MeansByTime(Figure):
    """Means of augmented, equivariant and plain infinite ensembles against training time, and a spectrum."""

    plot: Literal["means_by_time"]
    options: NoOptions = NoOptions()


class SphereSignals(Figure):
    """A molecule and the functions on the sphere that networks see of one of its atoms."""

    plot: Literal["sphere_signals"]
    options: NoOptions = NoOptions()


class LayerCorrespondence(Figure):
    """Layers of augmented and of group convolutional networks that correspond, and how kernels pass them."""

    plot: Literal["layer_correspondence"]
    options: NoOptions = NoOptions()


InfiniteWidthEntry = (
    ErrorByWidth
    | InfiniteWidthDifference
    | InfiniteWidthFloor
    | InfiniteWidthReadings
    | LayerCorrespondence
    | LearningCurve
    | LearningLaws
    | MeansByTime
    | SphereSignals
)
"""All of them."""
