"""Checks of what an experiment says about other files: claims that its settings were fitted to, members of others."""

import fnmatch
from collections.abc import Sequence

from emergent.config.base import hint
from emergent.config.claims import Claim
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
