"""Which arms of an experiment have the same infinitely wide ensemble as their limit."""

from emergent.config.base import Name
from emergent.config.ensembles import EnsembleExperiment


def limits_of(experiment: EnsembleExperiment) -> dict[Name, Name]:
    """Returns, for each arm that has one, the arm whose predicted infinitely wide ensemble is its limit too.

    An arm with a prediction describes those that differ from it in width at most.
    """
    found = {name: _limit(experiment, name) for name in experiment.arms}
    return {name: limit for name, limit in found.items() if limit is not None}


def _limit(experiment: EnsembleExperiment, name: str) -> str | None:
    own = experiment.arms[name]
    for other, arm in experiment.arms.items():
        alike = (
            arm.infinite_width is not None
            and own.num_training_samples is None
            and own.model.infinitely_wide() == arm.model.infinitely_wide()
            and experiment.training_of(name) == experiment.training_of(other)
            and own.augmentation == arm.augmentation
        )
        if alike:
            return other
    return None
