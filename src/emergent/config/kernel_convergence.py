"""Typed configuration of experiments of kind ``kernel_convergence``: kernels of random networks against their limit.

Members are random networks before training; every member has one network of each width.

References:
    arXiv 2406.06504, convergence of kernels of group convolutional networks with their width.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.models import CnnModel, GcnnModel
from emergent.config.spherical import BandLimit, SphericalGcnnModel
from emergent.config.stages import ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

Convolutional = Annotated[CnnModel | GcnnModel | SphericalGcnnModel, Field(discriminator="family")]


class ConvergenceArm(ArmLabels):
    """One architecture, whose channels are those of ``widths``, layer by layer alike."""

    model: Convolutional


class RandomImages(StrictModel):
    """Images whose pixels are independent normal draws.

    Attributes:
        num: images, of which all pairs are compared.
        shape: (H, W, C).
    """

    num: PositiveInt
    shape: Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], Field(strict=False)]


class RandomSignals(StrictModel):
    """Functions on the sphere whose coefficients are independent normal draws, with a mean square of 1 over the sphere.

    Attributes:
        num: functions, of which all pairs are compared.
        channels: of each.
        band_limit: degrees are below it.
    """

    num: PositiveInt
    channels: PositiveInt
    band_limit: BandLimit

    @property
    def shape(self) -> tuple[int, int]:
        """Returns (C, L^2)."""
        return self.channels, self.band_limit**2


class ConvergenceStage(ArmStage):
    """Kernels of the random networks of one arm."""

    stage: Literal["train"] = "train"
    model: Convolutional
    inputs: RandomImages | RandomSignals
    widths: Many[PositiveInt]


class KernelConvergenceExperiment(StudyBase):
    """Mean of the kernels of random networks of several widths, beside those of infinite width.

    Attributes:
        images: on which kernels are compared.
        signals: in place of images, for networks on the sphere.
        widths: channels of every layer, ascending.
    """

    kind: Literal["kernel_convergence"]
    arms: dict[Name, ConvergenceArm] = Field(min_length=1)
    images: RandomImages | None = None
    signals: RandomSignals | None = None
    widths: Many[PositiveInt] = Field(min_length=1)

    @property
    def inputs(self) -> RandomImages | RandomSignals:
        """Returns what kernels are compared on."""
        found = self.images or self.signals
        assert found is not None
        return found

    @model_validator(mode="after")
    def _check(self) -> "KernelConvergenceExperiment":
        require_ascending("widths", self.widths)
        if (self.images is None) == (self.signals is None):
            raise ValueError("images, signals: expected one of them, on which kernels are compared")
        if self.members.num < 2:
            raise ValueError(f"members.num: a mean with an error needs at least two networks, found {self.members.num}")
        for name, arm in self.arms.items():
            missing = arm.model.missing_kernel(self.inputs.shape)
            if missing is not None:
                raise ValueError(f"arms.{name}.model: no infinite-width kernel: {missing}")
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SummaryStage(**self.facts())
        arm = self.trained_arm(stage, arm)
        common: dict[str, Any] = {"experiment": self.experiment, "seed": self.seed, "arm": arm}
        model = self.arms[arm].model.infinitely_wide()
        return ConvergenceStage(**common, model=model, inputs=self.inputs, widths=self.widths)
