"""Typed configuration of experiments of kind ``flow``: a cloud of particles pushed by a gradient flow in the plane.

The mirror image (x, y) -> (x, -y) acts on the plane. A potential that it leaves as it is has an equivariant gradient
flow, and an equivariant flow keeps an invariant cloud invariant: the theorem of arXiv 2410.01452 in two dimensions.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.study import StudyBase

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


class FlowArm(StrictModel):
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

    @property
    def verbs(self) -> dict[str, str]:
        """Returns the command-line verb of each stage; the summary reads the training files."""
        return {"train": "train_flow"}

    def stage_config(self, stage: str, arm: str | None) -> dict[str, Any]:
        """Returns the settings that one stage (of one arm) depends on."""
        dumped = self.model_dump(mode="json")
        common = self.common_config(stage)
        if stage == "summary":
            return common | {
                "paired_arms": [name for name, arm in self.arms.items() if arm.paired],
            }
        settings = {key: dumped[key] for key in ("potential", "times", "tolerance")}
        return common | settings | {"arm": arm, "start": dumped["arms"][str(arm)]}
