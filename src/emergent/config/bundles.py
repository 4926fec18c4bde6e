"""Typed configuration of experiments of kind ``bundles``: equivariant maps between sections of homogeneous bundles.

Arms over finite groups count the maps between induced representations and write each as a convolution; the arm over the
sphere asks which multipliers of degrees have a kernel whose square can be integrated. Nothing is trained.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

Permutation = Many[int]
Fibre = Literal["trivial", "sign", "points"]
"""Representations of a group of permutations: one number that stays, one that takes the sign of the permutation, and
one for each point, which moves with it."""
Multiplier = Literal["identity", "band_limited", "inverse", "inverse_power", "heat"]
"""Factors a_l of degree l: 1; 1 up to a band limit and 0 beyond; 1 / (l + 1); (l + 1)^(-3/2); exp(-t l (l + 1))."""


class FiniteTask(StrictModel):
    """A group G, subgroups K, and all pairs of bundles over G / K.

    Attributes:
        space: ``finite``.
        generators: permutations of points 0, 1, ... that generate G.
        subgroups: generators of each K.
        fibres: representations of K.
    """

    space: Literal["finite"]
    generators: Many[Permutation] = Field(min_length=1)
    subgroups: dict[Name, Many[Permutation]] = Field(min_length=1)
    fibres: Many[Fibre] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_permutations(self) -> "FiniteTask":
        points = list(range(len(self.generators[0])))
        for name, generators in {"generators": self.generators, **self.subgroups}.items():
            for one in generators:
                if sorted(one) != points:
                    raise ValueError(f"{name}: expected permutations of the points {points}, found {list(one)}")
        return self


class SphereTask(StrictModel):
    """Operators on functions on the sphere that multiply each degree.

    Attributes:
        space: ``sphere``.
        band_limits: L; degrees up to L are kept.
        multipliers: which operators.
        band_limit: of the multiplier that has one.
        time: of the heat equation.
    """

    space: Literal["sphere"]
    band_limits: Many[PositiveInt] = Field(min_length=2)
    multipliers: Many[Multiplier] = Field(min_length=1)
    band_limit: PositiveInt
    time: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _check_limits(self) -> "SphereTask":
        require_ascending("band_limits", self.band_limits)
        if self.band_limit >= self.band_limits[-2]:
            raise ValueError(
                f"band_limit: expected less than the last but one of band_limits, {self.band_limits[-2]}, found "
                f"{self.band_limit}; beyond it nothing may change"
            )
        return self


class FiniteArm(ArmLabels, FiniteTask):
    """A finite group and its place in the experiment."""


class SphereArm(ArmLabels, SphereTask):
    """The sphere and its place in the experiment."""


class BundleStage(ArmStage):
    """Maps or operators of one arm."""

    stage: Literal["train"] = "train"
    task: FiniteTask | SphereTask = Field(discriminator="space")


class BundleSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        tasks: by arm.
    """

    tasks: dict[Name, Annotated[FiniteTask | SphereTask, Field(discriminator="space")]]


class BundleExperiment(StudyBase):
    """Equivariant maps between sections of homogeneous bundles, and convolutions."""

    kind: Literal["bundles"]
    arms: dict[Name, Annotated[FiniteArm | SphereArm, Field(discriminator="space")]] = Field(min_length=1)

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return BundleSummary(**self.facts(), tasks={name: self.task(name) for name in self.arms})
        arm = self.trained_arm(stage, arm)
        return BundleStage(experiment=self.experiment, seed=self.seed, arm=arm, task=self.task(arm))

    def task(self, arm: str) -> FiniteTask | SphereTask:
        """Returns what an arm is about."""
        known = self.arms[arm]
        task = FiniteTask if isinstance(known, FiniteArm) else SphereTask
        return task(**known.model_dump(include=set(task.model_fields)))

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))
