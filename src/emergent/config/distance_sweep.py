"""Typed configuration of experiments of kind ``distance_sweep``: two kinds of ensembles under several settings."""

from typing import ClassVar, Literal

from pydantic import PositiveInt, model_validator

from emergent.config.base import Name
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.evaluation import Evaluation
from emergent.config.limits import limits_of
from emergent.config.questions import EnsembleDistance, EnsembleSummary


class SweepEvaluation(Evaluation):
    """Evaluation of pairs of ensembles.

    Attributes:
        law_size: members of the ensembles whose distance, over that of single networks, is read off the law.
    """

    law_size: PositiveInt = 100


class SweepSummary(EnsembleSummary):
    """Settings of ``distance_sweep``.

    Attributes:
        limits: arm to the arm whose infinitely wide ensemble is its own limit too; of those that have one.
        law_size: see ``SweepEvaluation``.
    """

    limits: dict[Name, Name]
    law_size: PositiveInt


class DistanceSweep(EnsembleExperiment):
    """How does the distance of two kinds of ensembles, and what infinite ones keep of it, depend on the settings?

    Every arm with ``compare_to`` makes a pair with the arm that it names, which may belong to several pairs.
    """

    pools_may_differ: ClassVar[bool] = True

    kind: Literal["distance_sweep"]
    evaluate: SweepEvaluation

    @model_validator(mode="after")
    def _check_pairs(self) -> "DistanceSweep":
        pairs = {name: arm.compare_to for name, arm in self.arms.items() if arm.compare_to is not None}
        if not pairs:
            raise ValueError("arms: kind 'distance_sweep' compares pairs of arms; none of them says compare_to")
        for name, other in pairs.items():
            num, theirs = self.members_of_arm(name).num, self.members_of_arm(str(other)).num
            if num != theirs:
                raise ValueError(
                    f"arms.{name}.num_members: a pair is compared member by member; expected the {theirs} of {other}, "
                    f"found {num}"
                )
            fewest, smallest = EnsembleDistance.fewest_ensembles, min(self.evaluate.ensemble_sizes)
            if min(num // smallest, self.evaluate.max_ensembles) < fewest:
                raise ValueError(
                    f"arms.{name}: the law of the distance needs {fewest} disjoint ensembles of one size; {num} "
                    f"members and evaluate.max_ensembles = {self.evaluate.max_ensembles} make fewer of {smallest}"
                )
        return self

    def summary_stage(self) -> SweepSummary:
        """Returns what the summary depends on."""
        return SweepSummary(**self.ensemble_facts(), limits=limits_of(self), law_size=self.evaluate.law_size)
