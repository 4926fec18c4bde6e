"""Typed configuration of experiments of kind ``unit_dynamics``: motion that is learnt with units and without.

References:
    arXiv 2204.00887 (units equivariance), experiment on a double pendulum of springs.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, require_ensemble_sizes
from emergent.config.stages import ArmFacts, Stage, SummaryStage, Symmetry
from emergent.config.study import ArmLabels, StudyBase
from emergent.config.unit_dynamics_training import PendulumDescent, Pendulums, PlainUnits, UnitNetwork, UnitStage

SYMMETRY = "units"


class UnitArm(ArmLabels):
    """One way to learn.

    Attributes:
        network: what it sees and gives.
        train: its optimisation.
    """

    network: UnitNetwork
    train: PendulumDescent


class UnitSummary(SummaryStage):
    """What the summary depends on.

    Attributes:
        interval: between two points of a rollout.
        ensemble_sizes: see ``UnitDynamicsExperiment``.
    """

    interval: PositiveFloat
    ensemble_sizes: Many[PositiveInt]


class UnitDynamicsExperiment(StudyBase):
    """Dynamics of many pendulums, learnt in several ways. Members are trials: each has pendulums of its own.

    Attributes:
        ensemble_sizes: of ensembles of the networks of a trial, ascending; arms with fewer networks have the sizes up
            to theirs.
        tolerance: largest error under changes of units, before training, of what is called equivariant.
    """

    kind: Literal["unit_dynamics"]
    pendulums: Pendulums
    arms: dict[Name, UnitArm] = Field(min_length=1)
    ensemble_sizes: Many[PositiveInt] = (1,)
    tolerance: PositiveFloat

    @model_validator(mode="after")
    def _check(self) -> "UnitDynamicsExperiment":
        require_ensemble_sizes(self.ensemble_sizes)
        for name, arm in self.arms.items():
            if arm.train.batch_size > self.pendulums.num_train:
                raise ValueError(
                    f"arms.{name}.train.batch_size: expected at most pendulums.num_train = "
                    f"{self.pendulums.num_train}, found {arm.train.batch_size}"
                )
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return UnitSummary(**self.facts(), interval=self.pendulums.interval, ensemble_sizes=self.ensemble_sizes)
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return UnitStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            pendulums=self.pendulums,
            network=own.network,
            train=own.train,
            ensemble_sizes=tuple(size for size in self.ensemble_sizes if size <= own.network.networks),
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        own = self.arms[name]
        facts = own.labels(name)
        return ArmFacts(**facts, group=SYMMETRY, width=own.network.width, symmetry=_symmetry(own.network))


def _symmetry(network: UnitNetwork) -> Symmetry:
    """Returns how networks come by the symmetry of motion under changes of units.

    Energies that are sums of coefficients without units times products with those of an energy have it built in. As
    published a number with units is subtracted from each product: that is a second sum beside the first one, which
    changes with units and which training may make large or small, so that the symmetry is relaxed. Networks that see
    numbers with units have none, or see pieces in units that change.
    """
    if isinstance(network, PlainUnits):
        return "augmented" if max(network.largest_change) > 1 else "none"
    return "relaxed" if network.shifted else "built_in"
