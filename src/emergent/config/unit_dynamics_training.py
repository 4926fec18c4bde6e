"""Typed settings of kind ``unit_dynamics``; apart, so that its training depends on nothing else of a run.

References:
    arXiv 2204.00887, experiment on a double pendulum of springs.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.stages import ArmStage

Range = Annotated[tuple[PositiveFloat, PositiveFloat], Field(strict=False)]
"""Smallest and largest of numbers that are drawn uniformly."""
Factor = Annotated[float, Field(ge=1)]
TESTS = ("same_law", "new_unit", "returned", "wide")
"""Pendulums as in training; the same in another unit of mass; these rollouts brought back to the unit of training,
since the relative error of a state mixes quantities of several units; others, of a wider range."""


class Pendulums(StrictModel):
    """Pendulums with constants of their own, and the trajectories that are learnt and followed.

    Attributes:
        num_train: trajectories, of each of which one piece is learnt.
        num_test: trajectories of each test; a rollout starts at a piece of each.
        num_times: T, points of a trajectory and of a rollout.
        interval: time between two points.
        piece: points of a piece.
        constants: range of masses, stiffness and lengths.
        gravity: range of the acceleration, in any direction.
        mass_units: test ``new_unit``: range of the factor of masses, momenta and stiffness, one for each pendulum.
        wide: test ``wide``: range of masses, stiffness and lengths.
        tolerance: of adaptive steps of true trajectories, relative and absolute.
        rollout_steps: fixed steps of rollouts of networks in each interval.
    """

    num_train: PositiveInt
    num_test: PositiveInt
    num_times: Annotated[int, Field(ge=2)] = 60
    interval: PositiveFloat = 0.2
    piece: Annotated[int, Field(ge=2)] = 10
    constants: Range = (1.0, 2.0)
    gravity: Range = (1.0, 2.0)
    mass_units: Range = (3.0, 7.0)
    wide: Range = (1.0, 5.0)
    tolerance: PositiveFloat = 2e-6
    rollout_steps: PositiveInt = 4

    @model_validator(mode="after")
    def _check(self) -> "Pendulums":
        if self.num_times % self.piece:
            raise ValueError(f"piece: expected a divisor of num_times = {self.num_times}, found {self.piece}")
        for name in ("constants", "gravity", "mass_units", "wide"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: expected the smallest number first, found {low:g} before {high:g}")
        return self


class PendulumDescent(StrictModel):
    """Adam on the mean squared error of pieces, integrated from their first points; the last step is kept.

    Attributes:
        learning_rate: constant.
        largest_gradient: norm that longer gradients are cut down to.
        batch_size: pieces of a step.
        num_epochs: passes over all pieces; the last, smaller batch counts.
        integration_steps: of Runge and Kutta's method in each interval.
        left_out: steps in a row whose gradient may be infinite, and which are then left out: energies of angles between
            vectors have poles where one of them vanishes, and fixed steps may fall into one.
    """

    learning_rate: PositiveFloat = 1e-3
    largest_gradient: PositiveFloat = 0.5
    batch_size: PositiveInt = 512
    num_epochs: PositiveInt
    integration_steps: PositiveInt = 2
    left_out: NonNegativeInt = 10
    matmul_precision: Literal["default", "highest"] = "highest"


class PlainUnits(StrictModel):
    """Network that sees constants and products of vectors in whatever units they are given.

    Attributes:
        width: of the hidden layers.
        depth: number of hidden layers.
        largest_change: of units of mass, length and time: pieces are seen in units that are up to so many times larger
            or smaller, drawn anew at every step, uniformly by logarithm; 1 leaves a unit as it is.
        networks: of a trial; ensembles are made of them.
    """

    inputs: Literal["plain"]
    width: PositiveInt = 100
    depth: PositiveInt = 6
    largest_change: Annotated[tuple[Factor, Factor, Factor], Field(strict=False)] = (1.0, 1.0, 1.0)
    networks: PositiveInt = 1


class DimensionlessUnits(StrictModel):
    """Network that sees numbers without units, and gives coefficients of products that have those of an energy.

    Attributes:
        shifted: energies are brought to [0, 1] in the training set, as published, which other units break; otherwise
            only divided.
    """

    inputs: Literal["dimensionless"]
    width: PositiveInt = 100
    depth: PositiveInt = 6
    shifted: bool = True
    networks: PositiveInt = 1


UnitNetwork = Annotated[PlainUnits | DimensionlessUnits, Field(discriminator="inputs")]


class UnitStage(ArmStage):
    """Training of one arm, and rollouts of its networks and ensembles.

    Attributes:
        ensemble_sizes: networks of a trial whose mean energy is followed.
        tolerance: largest error under changes of units, before training, of what is called equivariant.
    """

    stage: Literal["train"] = "train"
    pendulums: Pendulums
    network: UnitNetwork
    train: PendulumDescent
    ensemble_sizes: Many[PositiveInt]
    tolerance: PositiveFloat
