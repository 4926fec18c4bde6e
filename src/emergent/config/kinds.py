"""The kinds of experiments, one record each: configuration class, stages with their verbs, what the summary reads.

``load_experiment`` reads ``config/experiments/<name>.yaml``, lays the delta of one scale over it, picks the class by
``kind``, validates and returns an immutable model. The function that makes the summary of a kind stands in
``emergent.summaries.registry`` under the kind's name.
"""

from dataclasses import dataclass
from pathlib import Path

from emergent.config.base import hint, merge, read_yaml, validate
from emergent.config.departure import DepartureExperiment
from emergent.config.flow import FlowExperiment, FlowSummary
from emergent.config.overrides import Overrides
from emergent.config.questions import (
    DivergenceSummary,
    EnsembleDistance,
    EnsembleSummary,
    Equivariance,
    EquivarianceSummary,
    OrbitDivergence,
    OrbitSamePrediction,
    OrbitSpread,
    RotationDivergence,
    RotationSummary,
    SpreadSummary,
)
from emergent.config.stages import SummaryStage
from emergent.config.study import SCALES, StudyBase
from emergent.config.subspace import SubspaceExperiment
from emergent.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    """One kind of experiment.

    Attributes:
        config: class of its configuration.
        summary: class of the settings of its summary.
        verbs: command-line verb of each stage of an arm; without ``evaluate`` the summary reads the training files.
    """

    config: type[StudyBase]
    summary: type[SummaryStage]
    verbs: dict[str, str]

    @property
    def final_stage(self) -> str:
        """Returns the stage whose files the summary reads."""
        return "evaluate" if "evaluate" in self.verbs else "train"


ENSEMBLES = {"train": "train", "evaluate": "evaluate", "predict": "predict"}
KINDS: dict[str, Kind] = {
    "departure": Kind(DepartureExperiment, SummaryStage, {"train": "train_departure"}),
    "ensemble_distance": Kind(EnsembleDistance, EnsembleSummary, ENSEMBLES),
    "equivariance": Kind(Equivariance, EquivarianceSummary, ENSEMBLES),
    "flow": Kind(FlowExperiment, FlowSummary, {"train": "train_flow"}),
    "orbit_divergence": Kind(OrbitDivergence, DivergenceSummary, ENSEMBLES),
    "orbit_same_prediction": Kind(OrbitSamePrediction, EnsembleSummary, ENSEMBLES),
    "orbit_spread": Kind(OrbitSpread, SpreadSummary, ENSEMBLES),
    "rotation_divergence": Kind(RotationDivergence, RotationSummary, ENSEMBLES),
    "subspace": Kind(SubspaceExperiment, SummaryStage, {"train": "train_subspace"}),
}


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
    if content.get("experiment") != name:
        found = content.get("experiment")
        raise ConfigError(f"{path}: experiment: expected the file's own name {name!r}, found {found!r}.")
    delta = scales[scale] or {}
    if not isinstance(delta, dict):
        raise ConfigError(f"{path}: scales.{scale}: expected a mapping of keys to values, found {delta!r}.")
    kind = str(content.get("kind"))
    if kind not in KINDS:
        raise ConfigError(f"{path}: kind: no kind {kind!r}{hint(kind, list(KINDS))}. There are: {', '.join(KINDS)}.")
    where = f"{path} (scale {scale})"
    return validate(KINDS[kind].config, (overrides or Overrides()).apply(merge(content, delta), content, where), where)


def kind_of(study: StudyBase) -> Kind:
    """Returns the record of an experiment's kind."""
    return KINDS[getattr(study, "kind")]  # noqa: B009 - declared by every class of a kind
