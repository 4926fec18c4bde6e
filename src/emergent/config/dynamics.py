"""Typed configuration of experiments of kind ``dynamics``: motion that is learnt, and followed for long.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on a double pendulum of springs.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, require_ensemble_sizes
from emergent.config.dynamics_training import (
    SYMMETRY,
    DynamicsMethod,
    DynamicsStage,
    Family,
    PieceDescent,
    PlainDynamics,
    TensorDynamics,
    Trajectories,
)
from emergent.config.stages import ArmFacts, Stage, SummaryStage, Symmetry
from emergent.config.study import ArmLabels, StudyBase


class DynamicsArm(ArmLabels):
    """One way to learn.

    Attributes:
        family: what the network gives.
        network: and what symmetry it has.
        train: its optimisation.
        method: label of the way to learn, the same in both families.
    """

    family: Family
    network: DynamicsMethod
    train: PieceDescent
    method: str


class DynamicsSummary(SummaryStage):
    """What the summary depends on.

    Attributes:
        families: of each arm.
        methods: labels of each arm, alike for the same way to learn in both families.
        interval: between two points of a rollout.
        ensemble_sizes: see ``DynamicsExperiment``.
    """

    families: dict[Name, Family]
    methods: dict[Name, str]
    interval: PositiveFloat
    ensemble_sizes: Many[PositiveInt]


class DynamicsExperiment(StudyBase):
    """Dynamics of a pendulum, learnt in several ways. Members are trials: each has trajectories of its own.

    Attributes:
        ensemble_sizes: of ensembles of the networks of a trial, ascending; arms with fewer networks have the sizes up
            to theirs.
        tolerance: largest equivariance error, before training, of what is called equivariant.
    """

    kind: Literal["dynamics"]
    trajectories: Trajectories
    arms: dict[Name, DynamicsArm] = Field(min_length=1)
    ensemble_sizes: Many[PositiveInt] = (1,)
    tolerance: PositiveFloat

    @model_validator(mode="after")
    def _check(self) -> "DynamicsExperiment":
        require_ensemble_sizes(self.ensemble_sizes)
        for name, arm in self.arms.items():
            late = [step for step in arm.train.milestones if step >= arm.train.num_epochs]
            if late:
                raise ValueError(
                    f"arms.{name}.train.milestones: expected steps before the last of {arm.train.num_epochs}, "
                    f"found {late[0]}"
                )
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return DynamicsSummary(
                **self.facts(),
                families={name: own.family for name, own in self.arms.items()},
                methods={name: own.method for name, own in self.arms.items()},
                interval=self.trajectories.interval,
                ensemble_sizes=self.ensemble_sizes,
            )
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return DynamicsStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            trajectories=self.trajectories,
            family=own.family,
            network=own.network,
            train=own.train,
            ensemble_sizes=tuple(size for size in self.ensemble_sizes if size <= own.network.networks),
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        network = self.arms[name].network
        group = network.group if isinstance(network, TensorDynamics) else SYMMETRY
        width = network.width if isinstance(network, PlainDynamics) else None
        # Families would be two tasks, and the published ones are compared in figures of their own.
        symmetry = _symmetry(network) if self.arms[name].family == "hamiltonian" else None
        return ArmFacts(**self.arms[name].labels(name), group=group, width=width, symmetry=symmetry)


def _symmetry(network: DynamicsMethod) -> Symmetry | None:
    """Returns how networks come by the symmetry of the pendulum; None where they have a smaller one built in."""
    if isinstance(network, PlainDynamics):
        return "augmented" if network.augmented else "none"
    if isinstance(network, TensorDynamics) and network.group != SYMMETRY:
        return None
    return "relaxed" if isinstance(network, TensorDynamics) and network.relaxed else "built_in"
