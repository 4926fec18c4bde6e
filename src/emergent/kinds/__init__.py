"""The kinds of experiments, one record each: configuration class, stages with their verbs, summary and its settings.

``load_experiment`` reads ``config/experiments/<name>.yaml``, lays the delta of one scale over it, picks the class by
``kind``, validates and returns an immutable model. A question on ensembles that needs no settings of its own takes
``Question`` as its configuration class.
"""

from pathlib import Path

from emergent.config.base import hint, merge, read_yaml, validate
from emergent.config.overrides import Overrides
from emergent.config.study import SCALES, StudyBase
from emergent.errors import ConfigError
from emergent.kinds import ensembles, infinite_width, symmetries
from emergent.kinds.record import KINDS, Kind

__all__ = ["KINDS", "Kind", "experiment_names", "kind_of", "load_experiment"]

# Importing the modules above has filled the table.
del ensembles, infinite_width, symmetries


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
