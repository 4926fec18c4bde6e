"""Checks of what an experiment says about other files: claims, members of others, and how many samples there are."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emergent.config.base import StrictModel, hint
from emergent.config.claims import Claim
from emergent.config.datasets import DatasetRegistry
from emergent.config.domains import DataSelection
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.study import StudyBase
from emergent.errors import ConfigError


def require_fitted_claims(study: StudyBase, claims: Sequence[Claim]) -> None:
    """Checks that settings say to be fitted to claims that there are.

    Raises:
        ConfigError: a pattern matches none.
    """
    known = [word for claim in claims if claim.experiment == study.experiment for word in (claim.id, claim.series_id)]
    for item in study.assumed:
        for pattern in item.fitted:
            if not fnmatch.filter(known, pattern):
                raise ConfigError(
                    f"config/experiments/{study.experiment}.yaml: assumed: {item.key}: fitted: {pattern!r} matches no "
                    f"claim on this experiment{hint(pattern, known)}"
                )


def selections(settings: Any, where: str = "") -> Iterator[tuple[str, DataSelection]]:
    """Yields the selections of data in settings, each with its key path."""
    if isinstance(settings, DataSelection):
        yield where, settings
        return
    parts: Mapping[Any, Any] = {}
    if isinstance(settings, StrictModel):
        parts = {name: getattr(settings, name) for name in type(settings).model_fields}
    elif isinstance(settings, Mapping):
        parts = settings
    elif isinstance(settings, tuple | list):
        parts = dict(enumerate(settings))
    for name, value in parts.items():
        yield from selections(value, f"{where}.{name}" if where else str(name))


def require_samples(study: StudyBase, registry: DatasetRegistry, scale: str) -> None:
    """Checks that an experiment asks for splits that its data sets have, and for no more samples than are in them.

    Args:
        study: the experiment.
        registry: of the data sets.
        scale: for messages.

    Raises:
        ConfigError: no such split, or more samples than the registry says that there are.
    """
    where = f"{study.experiment} (scale {scale})"
    for dataset, split in study.splits_used():
        splits = registry.entry(dataset).splits
        if split not in splits:
            raise ConfigError(
                f"{where}: data set {dataset} has no split {split!r}{hint(split, list(splits))}. Its splits: "
                f"{', '.join(splits)}."
            )
    for key, chosen in selections(study):
        size = registry.entry(chosen.dataset).splits.get(chosen.split)
        if size is not None and chosen.num is not None and chosen.num > size:
            raise ConfigError(
                f"{where}: {key}.num: expected at most the {size} samples of split {chosen.split!r} of "
                f"{chosen.dataset}, found {chosen.num}; lower it, or choose another data set."
            )
    for words in study.too_large(lambda dataset, split: registry.entry(dataset).splits[split]):
        raise ConfigError(f"{where}: {words}")


def require_same_training(study: StudyBase, arm: str, other: StudyBase, scale: str) -> None:
    """Checks that an arm that evaluates another's members says of their training what that one says.

    Args:
        study: the experiment of the arm.
        arm: any arm; those that evaluate their own members are right.
        other: the experiment that trains the members, at the same scale.
        scale: for messages.

    Raises:
        ConfigError: no such arm is trained there, or it is trained otherwise; the message says in what.
    """
    _, source = study.trained_by(arm)
    if (other.experiment, source) == (study.experiment, arm):
        return
    where = f"config/experiments/{study.experiment}.yaml (scale {scale}): arms.{arm}.members_of"
    if not isinstance(study, EnsembleExperiment) or not isinstance(other, EnsembleExperiment):
        raise ConfigError(f"{where}.experiment: expected one with ensembles, found {other.experiment!r}.")
    trained = other.arms_of("train")
    if source not in trained:
        raise ConfigError(f"{where}.arm: {other.experiment} trains no arm {source!r}{hint(source, list(trained))}")
    own, theirs = study.training_stage(arm), other.training_stage(source)
    fields = ("data", "model", "augmentation", "train")
    if differing := [field for field in fields if getattr(own, field) != getattr(theirs, field)]:
        raise ConfigError(
            f"{where}: arm {source} of {other.experiment} has another {', '.join(differing)}; its members can be "
            "evaluated here only with the same."
        )
