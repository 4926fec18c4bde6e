"""Questions on infinitely wide networks: their kernels, and regression with them."""

from emergent.config.discretisation import DiscretisationExperiment, DiscretisationSummary
from emergent.config.equal_means import EqualMeansExperiment
from emergent.config.kernel_convergence import KernelConvergenceExperiment
from emergent.config.kernel_regression import KernelRegressionExperiment
from emergent.config.molecule_regression import MoleculeRegressionExperiment
from emergent.config.stages import SummaryStage
from emergent.kinds.record import Summarise, kind


@kind(DiscretisationExperiment, DiscretisationSummary, {"train": "train_discretisation"})
def discretisation() -> Summarise:
    """How far from invariant under all rotations is an infinite ensemble that learnt a finite part of them?"""
    from emergent.summaries.discretisation import summarise_discretisation

    return summarise_discretisation


@kind(KernelConvergenceExperiment, SummaryStage, {"train": "train_kernel_convergence"})
def kernel_convergence() -> Summarise:
    """Do kernels of random networks approach those of infinite width?"""
    from emergent.summaries.kernel_convergence import summarise_kernel_convergence

    return summarise_kernel_convergence


@kind(KernelRegressionExperiment, SummaryStage, {"train": "train_kernel_regression"})
def kernel_regression() -> Summarise:
    """How well do infinitely wide networks learn, with a symmetry and without?"""
    from emergent.summaries.kernel_regression import summarise_kernel_regression

    return summarise_kernel_regression


@kind(MoleculeRegressionExperiment, SummaryStage, {"train": "train_molecule_regression"})
def molecule_regression() -> Summarise:
    """How well do infinitely wide networks learn energies of molecules, with a symmetry and without?"""
    from emergent.summaries.molecule_regression import summarise_molecule_regression

    return summarise_molecule_regression


@kind(EqualMeansExperiment, SummaryStage, {"train": "train_equal_means"})
def equal_means() -> Summarise:
    """Do augmented and equivariant networks of infinite width have the same mean at all times?"""
    from emergent.summaries.equal_means import summarise_equal_means

    return summarise_equal_means
