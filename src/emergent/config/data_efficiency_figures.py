"""Entries of ``config/figures.yaml`` on learning with few samples."""

from typing import Literal

from emergent.config.figure_entry import Figure
from emergent.config.figure_options import NoOptions


class ErrorByTrainingSize(Figure):
    """Test errors, and below them equivariance errors, against the size of the training set, a column per function."""

    plot: Literal["error_by_training_size"]
    options: NoOptions = NoOptions()


class EquivarianceByEnsembleSize(Figure):
    """Equivariance errors of ensembles against their size, a panel per function, a curve per size of training set."""

    plot: Literal["equivariance_by_ensemble_size"]
    options: NoOptions = NoOptions()


class BuiltOrLearnt(Figure):
    """Test and equivariance errors against training work, of symmetries built in, learnt or relaxed, by experiment."""

    plot: Literal["built_or_learnt"]
    options: NoOptions = NoOptions()


EfficiencyEntry = ErrorByTrainingSize | EquivarianceByEnsembleSize | BuiltOrLearnt
"""All of them."""
