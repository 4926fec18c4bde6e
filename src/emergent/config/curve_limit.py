"""Typed configuration of experiments of kind ``curve_limit``: networks on a line beside their infinitely wide limit."""

from typing import ClassVar, Literal

from pydantic import model_validator

from emergent.config.base import Name
from emergent.config.domains import VectorData
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.limits import limits_of
from emergent.config.questions import EnsembleSummary


class LimitSummary(EnsembleSummary):
    """Settings of ``curve_limit``.

    Attributes:
        limits: arm to the arm whose infinitely wide ensemble is its limit.
    """

    limits: dict[Name, Name]


class CurveLimit(EnsembleExperiment):
    """How do networks on a line, and their mean, approach the infinitely wide ensemble as they become wider?"""

    pools_may_differ: ClassVar[bool] = True

    kind: Literal["curve_limit"]
    data: VectorData

    @model_validator(mode="after")
    def _check_curves(self) -> "CurveLimit":
        if self.data.sample_floats != 1:
            raise ValueError("data: curves are functions of one number: num_vectors and dimension must be 1")
        if not any(entry.role == "in" and entry.primary for entry in self.data.evaluate.values()):
            raise ValueError("data.evaluate: curves are drawn on the primary set of role 'in'; found none")
        if 1 not in self.evaluate.ensemble_sizes or self.evaluate.max_ensembles < self.members.num:
            raise ValueError(
                "evaluate: every network is drawn by itself; ensemble_sizes must hold 1, and max_ensembles be no less "
                f"than members.num = {self.members.num}, found {self.evaluate.max_ensembles}"
            )
        limits = limits_of(self)
        for name, arm in self.arms.items():
            if arm.model.num_outputs != 1:
                raise ValueError(f"arms.{name}.model.num_outputs: expected 1, found {arm.model.num_outputs}")
            if name not in limits:
                raise ValueError(
                    f"arms.{name}: kind 'curve_limit' compares every arm with its limit; give it a section "
                    "infinite_width, or let it differ in width alone from an arm that has one"
                )
        return self

    def summary_stage(self) -> LimitSummary:
        """Returns what the summary depends on."""
        return LimitSummary(**self.ensemble_facts(), limits=limits_of(self))
