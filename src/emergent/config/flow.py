"""Typed configuration of experiments of kind ``flow``: a cloud of particles pushed by a gradient flow in the plane.

The mirror image (x, y) -> (x, -y) acts on the plane. A potential that it leaves as it is has an equivariant gradient
flow, and an equivariant flow keeps an invariant cloud invariant: the theorem of arXiv 2410.01452 in two dimensions.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.stages import ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

Positive = Annotated[float, Field(gt=0)]


class Well(StrictModel):
    """A Gaussian well of the potential; its mirror image below the line is added when it does not lie on the line.

    Attributes:
        x: centre.
        y: height of the centre above the line.
        depth: value at the centre.
        width_x: standard deviation along the line.
        width_y: standard deviation across it.
    """

    x: float
    y: Annotated[float, Field(ge=0)]
    depth: Positive
    width_x: Positive
    width_y: Positive


class Ring(StrictModel):
    """A circular trough with its centre on the line and a Gaussian profile.

    Attributes:
        x: centre.
        radius: of the circle.
        depth: value on the circle.
        width: standard deviation of the profile.
    """

    x: float
    radius: Positive
    depth: Positive
    width: Positive


class FlowPotential(StrictModel):
    """A potential with mirror symmetry by construction: wells, rings and a weak parabola that keeps everything in.

    Attributes:
        confinement: curvature of the parabola.
    """

    wells: Many[Well]
    rings: Many[Ring] = ()
    confinement: Positive


class FlowStart(StrictModel):
    """How the cloud starts, and what breaks the symmetry of its flow, if anything does.

    Attributes:
        center: mean of the Gaussian start; off the line it is not invariant.
        spread: its standard deviation in both directions.
        tilt: slope of the potential across the line; not 0, it makes the flow not equivariant.
        paired: every other particle starts at the mirror image of the one before, so that the cloud itself, not only
            its law, is invariant.
    """

    center: Annotated[tuple[float, float], Field(strict=False)]
    spread: Positive
    tilt: float = 0.0
    paired: bool = False


class FlowArm(ArmLabels, FlowStart):
    """One start and its place in the experiment."""


class FlowStage(ArmStage):
    """Integration of the particles of one arm."""

    stage: Literal["train"] = "train"
    start: FlowStart
    potential: FlowPotential
    times: Many[float]
    tolerance: float


class FlowSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        paired_arms: arms whose particles come in mirrored pairs, which are what is independent.
    """

    paired_arms: Many[Name]


class FlowExperiment(StudyBase):
    """Particles in the plane: the schematic of arXiv 2410.01452 as a real flow.

    Attributes:
        potential: shared by all arms.
        times: when positions are stored, in the units of the potential; the first is 0.
        tolerance: relative and absolute error that the integrator allows per step.
    """

    kind: Literal["flow"]
    arms: dict[Name, FlowArm] = Field(min_length=1)
    potential: FlowPotential
    times: Many[float] = Field(min_length=2)
    tolerance: Annotated[float, Field(ge=1e-13, le=1e-3)]

    @model_validator(mode="after")
    def _check_times(self) -> "FlowExperiment":
        if self.times[0] != 0 or any(b <= a for a, b in zip(self.times, self.times[1:], strict=False)):
            raise ValueError(f"times: expected ascending times that start with 0, found {list(self.times)}")
        if self.members.num < 2:
            raise ValueError(f"members.num: a spread needs at least two particles, found {self.members.num}")
        paired = [name for name, arm in self.arms.items() if arm.paired]
        if paired and (self.members.num % 2 or self.members.num < 4):
            raise ValueError(f"members.num: arm {paired[0]} needs two or more pairs, found {self.members.num}")
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            paired = tuple(name for name, arm in self.arms.items() if arm.paired)
            return FlowSummary(**self.facts(), paired_arms=paired)
        arm = self.trained_arm(stage, arm)
        start = FlowStart(**self.arms[arm].model_dump(include=set(FlowStart.model_fields)))
        return FlowStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            start=start,
            potential=self.potential,
            times=self.times,
            tolerance=self.tolerance,
        )
