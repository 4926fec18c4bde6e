"""All kinds of experiments behind one door: reading them from YAML, and what the workflow asks of them.

``load_experiment`` reads ``config/experiments/<name>.yaml``, lays the delta of one scale over it, picks the class by
``kind``, validates and returns an immutable model. A new kind is one class and one line in ``KINDS``.
"""

from pathlib import Path
from typing import Any

from emergent.config import stages
from emergent.config.base import hint, merge, read_yaml, validate
from emergent.config.departure import DepartureExperiment
from emergent.config.experiment import Experiment
from emergent.config.flow import FlowExperiment
from emergent.config.memory import require_memory as require_memory_of_networks
from emergent.config.overrides import Overrides
from emergent.config.point_clouds import PointCloudExperiment
from emergent.config.study import SCALES, StudyBase
from emergent.config.subspace import SubspaceExperiment
from emergent.errors import ConfigError

KINDS: dict[str, type[StudyBase]] = {
    "departure": DepartureExperiment,
    "flow": FlowExperiment,
    "point_clouds": PointCloudExperiment,
    "subspace": SubspaceExperiment,
}
"""Kinds with a class of their own; all others are kinds of ``Experiment``."""

IMAGE_VERBS = {"train": "train", "evaluate": "evaluate"}
OWN_VERBS = ("train_departure", "train_flow", "train_points", "evaluate_points", "train_subspace")
"""Verbs of the kinds with a class of their own."""


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
        ConfigError: no such experiment or scale, unknown key, wrong type or impossible combination.
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
    model = KINDS.get(str(content.get("kind")), Experiment)
    where = f"{path} (scale {scale})"
    return validate(model, (overrides or Overrides()).apply(merge(content, delta), content, where), where)


def verbs(study: StudyBase) -> dict[str, str]:
    """Returns the command-line verb of each stage of an experiment."""
    return IMAGE_VERBS if isinstance(study, Experiment) else study.verbs


def all_verbs() -> set[str]:
    """Returns the verbs of stages of all kinds."""
    return {*IMAGE_VERBS.values(), *OWN_VERBS}


def stage_config(study: StudyBase, stage: str, arm: str | None = None) -> dict[str, Any]:
    """Returns the settings that one stage (of one arm) depends on.

    Raises:
        ConfigError: no such stage or arm.
    """
    if isinstance(study, Experiment):
        return stages.stage_config(study, stage, arm)
    return study.stage_config(stage, arm)


def dataset_names(study: StudyBase, stage: str) -> list[str]:
    """Returns the data sets that a stage reads (``train``, ``evaluate`` or ``kernel``), sorted."""
    if isinstance(study, Experiment):
        return [study.data.train.dataset] if stage == "train" else stages.datasets_of(study, stage)
    return study.dataset_names(stage)


def splits_used(study: StudyBase) -> list[tuple[str, str]]:
    """Returns every (data set, split) that an experiment reads."""
    if isinstance(study, Experiment):
        selections = (study.data.train, *study.data.evaluate.values())
        return [(selection.dataset, selection.split) for selection in selections]
    return study.splits_used()


def has_kernel(study: StudyBase) -> bool:
    """Returns whether an experiment compares with the infinite-width prediction."""
    return isinstance(study, Experiment) and study.kernel is not None


def require_memory(study: StudyBase, limit_bytes: int, vectorised: bool) -> None:
    """Checks that one block of every arm fits into memory.

    Raises:
        ResourceError: naming arm, need, limit and the largest block that would fit.
    """
    if isinstance(study, Experiment):
        require_memory_of_networks(study, limit_bytes, vectorised)
    else:
        study.require_memory(limit_bytes, vectorised)
