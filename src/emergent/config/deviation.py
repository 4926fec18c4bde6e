"""Typed configuration of experiments of kind ``deviation_tail``: finite ensembles beside the infinite one."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from emergent.config.base import Many
from emergent.config.domains import VectorData
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.evaluation import Evaluation
from emergent.config.questions import EnsembleSummary


class TailEvaluation(Evaluation):
    """Evaluation of finite ensembles beside the infinite one.

    Attributes:
        deviations: distances from the infinite ensemble, in standard deviations that a member of infinite width has,
            divided by the root of the ensemble size.
    """

    deviations: Many[Annotated[float, Field(gt=0)]] = Field(min_length=1)


class TailSummary(EnsembleSummary):
    """Settings of ``deviation_tail``; see ``TailEvaluation``."""

    deviations: Many[float]


class DeviationTail(EnsembleExperiment):
    """How often is a finite ensemble far from the infinite one?"""

    kind: Literal["deviation_tail"]
    data: VectorData
    evaluate: TailEvaluation

    @model_validator(mode="after")
    def _check_arms(self) -> "DeviationTail":
        if missing := [name for name, arm in self.arms.items() if arm.infinite_width is None]:
            raise ValueError(
                f"arms.{missing[0]}.infinite_width: kind 'deviation_tail' compares every arm with its infinitely wide "
                f"ensemble; give it a section, {{}} will do"
            )
        return self

    def summary_stage(self) -> TailSummary:
        """Returns what the summary depends on."""
        return TailSummary(**self.ensemble_facts(), deviations=self.evaluate.deviations)
