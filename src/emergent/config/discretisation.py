"""Typed configuration of experiments of kind ``discretisation``: part of the rotations of the plane as augmentation.

Infinitely wide networks learn points of the plane and their copies under C_k, the finite part of SO(2) that augments.
Under all of SO(2) their mean is invariant up to an error that a lemma of arXiv 2403.03103 bounds. Members are
independent training sets: there is no other randomness at infinite width.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.stages import ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase


class WideNetwork(StrictModel):
    """Fully connected network of infinite width in NTK parametrisation, with one output.

    Attributes:
        activation: gradients of networks with ``erf`` change smoothly with the input; those with ``relu`` jump.
        depth: hidden layers.
        weight_std: gain of the weights.
        bias_std: standard deviation of the biases. Without them a network with ``erf`` is odd, and learns nothing
            that half turns leave as it is.
    """

    activation: Literal["relu", "erf"]
    depth: PositiveInt = 1
    weight_std: Annotated[float, Field(gt=0)]
    bias_std: Annotated[float, Field(ge=0)]

    @property
    def smooth(self) -> bool:
        """Returns whether gradients with respect to parameters are Lipschitz continuous in the input."""
        return self.activation == "erf"


class DiscretisationArm(ArmLabels, WideNetwork):
    """One network and its place in the experiment."""


class PlaneSampling(StrictModel):
    """What one member is: a training set, points at which it is tested, and rotations of these.

    Attributes:
        num_train: points that are trained on, before augmentation; standard normal in the plane, as are their targets,
            which have no symmetry of their own.
        num_points: test points, standard normal too.
        num_angles: rotations drawn uniformly from SO(2), the same for all points of a member.
    """

    num_train: PositiveInt
    num_points: PositiveInt
    num_angles: PositiveInt


class DiscretisationStage(ArmStage):
    """Errors and bounds of one arm."""

    stage: Literal["train"] = "train"
    network: WideNetwork
    sampling: PlaneSampling
    orders: Many[int]
    times: Many[int]


class DiscretisationSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        smooth_arms: arms to which the lemma applies.
    """

    smooth_arms: Many[Name]


class DiscretisationExperiment(StudyBase):
    """Error of infinite ensembles under SO(2) that were augmented by C_k.

    Attributes:
        sampling: of every member.
        orders: k of the groups, ascending.
        times: training times of gradient flow, ascending: learning rate times time, where the loss is half the mean
            squared error over all training points and their copies.
    """

    kind: Literal["discretisation"]
    arms: dict[Name, DiscretisationArm] = Field(min_length=1)
    sampling: PlaneSampling
    orders: Many[Annotated[int, Field(ge=2, le=999)]] = Field(min_length=2)
    times: Many[PositiveInt] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_order(self) -> "DiscretisationExperiment":
        require_ascending("orders", self.orders)
        require_ascending("times", self.times)
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            smooth = tuple(name for name, own in self.arms.items() if own.smooth)
            return DiscretisationSummary(**self.facts(), smooth_arms=smooth)
        arm = self.trained_arm(stage, arm)
        return DiscretisationStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            network=WideNetwork(**self.arms[arm].model_dump(include=set(WideNetwork.model_fields))),
            sampling=self.sampling,
            orders=self.orders,
            times=self.times,
        )
