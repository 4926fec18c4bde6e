"""The kinds of experiments, one record each: configuration class, stages with their verbs, summary and its settings.

``load_experiment`` reads ``config/experiments/<name>.yaml``, lays the delta of one scale over it, picks the class by
``kind``, validates and returns an immutable model. A question on ensembles that needs no settings of its own takes
``Question`` as its configuration class.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emergent.config import questions
from emergent.config.base import hint, merge, read_yaml, validate
from emergent.config.curve_limit import CurveLimit, LimitSummary
from emergent.config.data_efficiency import DataEfficiencyExperiment, DataEfficiencySummary
from emergent.config.departure import DepartureExperiment
from emergent.config.deviation import DeviationTail, TailSummary
from emergent.config.discretisation import DiscretisationExperiment, DiscretisationSummary
from emergent.config.distance_sweep import DistanceSweep, SweepSummary
from emergent.config.equal_means import EqualMeansExperiment
from emergent.config.flow import FlowExperiment, FlowSummary
from emergent.config.inpainting import InpaintingExperiment, InpaintingSummary
from emergent.config.kernel_convergence import KernelConvergenceExperiment
from emergent.config.kernel_regression import KernelRegressionExperiment
from emergent.config.molecule_regression import MoleculeRegressionExperiment
from emergent.config.overrides import Overrides
from emergent.config.risk_gap import GapSummary, RiskGapExperiment
from emergent.config.stages import SummaryStage
from emergent.config.study import SCALES, StudyBase
from emergent.config.subspace import SubspaceExperiment
from emergent.errors import ConfigError

if TYPE_CHECKING:
    from emergent.summaries.files import Blocks, Predictions, Tables


Summarise = Callable[[Any, "Blocks", "Predictions"], "Tables"]
"""Settings of the summary stage, arm to its files, arm to the prediction of its infinitely wide ensemble; to tables."""


@dataclass(frozen=True)
class Kind:
    """One kind of experiment.

    Attributes:
        config: class of its configuration.
        settings: class of the settings of its summary.
        verbs: command-line verb of each stage of an arm; without ``evaluate`` the summary reads the training files.
        summary: loads the function that makes its summary. Only when it is called: Snakemake reads these records, and
            would import what it never runs.
    """

    config: type[StudyBase]
    settings: type[SummaryStage]
    verbs: Mapping[str, str]
    summary: Callable[[], Summarise]

    @property
    def final_stage(self) -> str:
        """Returns the stage whose files the summary reads."""
        return "evaluate" if "evaluate" in self.verbs else "train"

    @property
    def resumes(self) -> bool:
        """Returns whether its verb of the stage ``train`` takes ``--resume``, to go on from a shorter training."""
        return self.verbs["train"] == ENSEMBLES["train"]


ENSEMBLES = {"train": "train", "evaluate": "evaluate", "predict": "predict"}
"""Verbs of every question that is asked of ensembles."""

KINDS: dict[str, Kind] = {}
"""All kinds by name; filled below, one record each."""


def _kind(
    config: type[StudyBase], settings: type[SummaryStage], verbs: Mapping[str, str]
) -> Callable[[Callable[[], Summarise]], Callable[[], Summarise]]:
    """Returns a decorator that makes a record of what loads the summary, under its name."""

    def add(summary: Callable[[], Summarise]) -> Callable[[], Summarise]:
        KINDS[summary.__name__] = Kind(config, settings, verbs, summary)
        return summary

    return add


@_kind(questions.OrbitSamePrediction, questions.EnsembleSummary, ENSEMBLES)
def orbit_same_prediction() -> Summarise:
    """How many transformations leave the predicted class as it is?"""
    from emergent.summaries.orbit_same_prediction import summarise_osp

    return summarise_osp


@_kind(questions.OrbitSpread, questions.SpreadSummary, ENSEMBLES)
def orbit_spread() -> Summarise:
    """How far does a scalar prediction spread over an orbit, beside the infinitely wide ensemble?"""
    from emergent.summaries.orbit_spread import summarise_orbit_spread

    return summarise_orbit_spread


@_kind(questions.OrbitDivergence, questions.DivergenceSummary, ENSEMBLES)
def orbit_divergence() -> Summarise:
    """How does the symmetry of resampled ensembles depend on their size?"""
    from emergent.summaries.divergence import summarise_divergence

    return summarise_divergence


@_kind(questions.RotationDivergence, questions.RotationSummary, ENSEMBLES)
def rotation_divergence() -> Summarise:
    """The same under rotations drawn from a continuous group."""
    from emergent.summaries.rotation_divergence import summarise_rotation_divergence

    return summarise_rotation_divergence


@_kind(questions.EnsembleDistance, questions.EnsembleSummary, ENSEMBLES)
def ensemble_distance() -> Summarise:
    """How far are the mean predictions of two ensembles from each other?"""
    from emergent.summaries.ensemble_distance import summarise_ensemble_distance

    return summarise_ensemble_distance


@_kind(DistanceSweep, SweepSummary, ENSEMBLES)
def distance_sweep() -> Summarise:
    """How does the distance of two kinds of ensembles depend on the settings?"""
    from emergent.summaries.distance_sweep import summarise_distance_sweep

    return summarise_distance_sweep


@_kind(questions.Equivariance, questions.EquivarianceSummary, ENSEMBLES)
def equivariance() -> Summarise:
    """How far do vector-valued predictions miss to turn with their inputs?"""
    from emergent.summaries.equivariance import summarise_equivariance

    return summarise_equivariance


@_kind(questions.CurveSymmetry, questions.CurveSummary, ENSEMBLES)
def curve_symmetry() -> Summarise:
    """Is the mean of networks on a line its own mirror image while they are trained?"""
    from emergent.summaries.curve_symmetry import summarise_curve_symmetry

    return summarise_curve_symmetry


@_kind(CurveLimit, LimitSummary, ENSEMBLES)
def curve_limit() -> Summarise:
    """How do networks on a line approach the infinitely wide ensemble as they become wider?"""
    from emergent.summaries.curve_limit import summarise_curve_limit

    return summarise_curve_limit


@_kind(DeviationTail, TailSummary, ENSEMBLES)
def deviation_tail() -> Summarise:
    """How often is a finite ensemble far from the infinite one?"""
    from emergent.summaries.deviation_tail import summarise_deviation_tail

    return summarise_deviation_tail


@_kind(SubspaceExperiment, SummaryStage, {"train": "train_subspace"})
def subspace() -> Summarise:
    """Do networks that start equivariant stay so under augmented training?"""
    from emergent.summaries.subspace import summarise_subspace

    return summarise_subspace


@_kind(DepartureExperiment, SummaryStage, {"train": "train_departure"})
def departure() -> Summarise:
    """How far do equivariant, augmented and nominal training leave the equivariant networks?"""
    from emergent.summaries.departure import summarise_departure

    return summarise_departure


@_kind(DataEfficiencyExperiment, DataEfficiencySummary, {"train": "train_data_efficiency"})
def data_efficiency() -> Summarise:
    """How many samples is a symmetry worth, built in, learnt from augmented data or averaged over ensembles?"""
    from emergent.summaries.data_efficiency import summarise_data_efficiency

    return summarise_data_efficiency


@_kind(FlowExperiment, FlowSummary, {"train": "train_flow"})
def flow() -> Summarise:
    """Does an equivariant flow keep an invariant cloud of particles invariant?"""
    from emergent.summaries.flow import summarise_flow

    return summarise_flow


@_kind(DiscretisationExperiment, DiscretisationSummary, {"train": "train_discretisation"})
def discretisation() -> Summarise:
    """How far from invariant under all rotations is an infinite ensemble that learnt a finite part of them?"""
    from emergent.summaries.discretisation import summarise_discretisation

    return summarise_discretisation


@_kind(KernelConvergenceExperiment, SummaryStage, {"train": "train_kernel_convergence"})
def kernel_convergence() -> Summarise:
    """Do kernels of random networks approach those of infinite width?"""
    from emergent.summaries.kernel_convergence import summarise_kernel_convergence

    return summarise_kernel_convergence


@_kind(KernelRegressionExperiment, SummaryStage, {"train": "train_kernel_regression"})
def kernel_regression() -> Summarise:
    """How well do infinitely wide networks learn, with a symmetry and without?"""
    from emergent.summaries.kernel_regression import summarise_kernel_regression

    return summarise_kernel_regression


@_kind(MoleculeRegressionExperiment, SummaryStage, {"train": "train_molecule_regression"})
def molecule_regression() -> Summarise:
    """How well do infinitely wide networks learn energies of molecules, with a symmetry and without?"""
    from emergent.summaries.molecule_regression import summarise_molecule_regression

    return summarise_molecule_regression


@_kind(EqualMeansExperiment, SummaryStage, {"train": "train_equal_means"})
def equal_means() -> Summarise:
    """Do augmented and equivariant networks of infinite width have the same mean at all times?"""
    from emergent.summaries.equal_means import summarise_equal_means

    return summarise_equal_means


@_kind(RiskGapExperiment, GapSummary, {"train": "train_risk_gap"})
def risk_gap() -> Summarise:
    """When does symmetrising a linear regression help?"""
    from emergent.summaries.risk_gap import summarise_risk_gap

    return summarise_risk_gap


@_kind(InpaintingExperiment, InpaintingSummary, {"train": "train_inpainting"})
def inpainting() -> Summarise:
    """Which of nested groups of permutations fills in missing parts of images best?"""
    from emergent.summaries.inpainting import summarise_inpainting

    return summarise_inpainting


def experiment_names(folder: Path) -> list[str]:
    """Returns the names of all experiments in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_experiment(folder: Path, name: str, scale: str, overrides: Overrides | None = None) -> StudyBase:
    """Returns one experiment at one scale.

    Args:
        folder: usually ``config/experiments``.
        name: file name without ending.
        scale: ``smoke``, ``laptop`` or ``paper``.
        overrides: changes asked for on the command line.

    Raises:
        ConfigError: no such experiment, kind or scale, unknown key, wrong type or impossible combination.
    """
    if scale not in SCALES:
        raise ConfigError(f"scale: expected one of {', '.join(SCALES)}, found {scale!r}{hint(scale, list(SCALES))}.")
    path = folder / f"{name}.yaml"
    content = read_yaml(path)
    scales = content.pop("scales", None)
    if not isinstance(scales, dict) or set(scales) != set(SCALES):
        raise ConfigError(f"{path}: scales: expected exactly {', '.join(SCALES)}, found {list(scales or {})}.")
    # The name is part of all paths and random keys: a copied file that keeps it would train the same networks again.
    if (found := content.get("experiment")) != name:
        raise ConfigError(f"{path}: experiment: expected the file's own name {name!r}, found {found!r}.")
    if not isinstance(delta := scales[scale] or {}, dict):
        raise ConfigError(f"{path}: scales.{scale}: expected a mapping of keys to values, found {delta!r}.")
    kind = str(content.get("kind"))
    if kind not in KINDS:
        raise ConfigError(f"{path}: kind: no kind {kind!r}{hint(kind, list(KINDS))}. There are: {', '.join(KINDS)}.")
    where = f"{path} (scale {scale})"
    return validate(KINDS[kind].config, (overrides or Overrides()).apply(merge(content, delta), content, where), where)


def kind_of(study: StudyBase) -> Kind:
    """Returns the record of an experiment's kind."""
    return KINDS[getattr(study, "kind")]  # noqa: B009 - declared by every class of a kind
