"""Typed settings of kind ``dynamics``; apart, so that its training depends on nothing else of a run.

References:
    arXiv 2104.09459 (networks on tensors) and arXiv 2106.06610 (functions of scalar products), experiments on a double
    pendulum of springs.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel, require_ascending
from emergent.config.stages import ArmStage

Family = Literal["hamiltonian", "neural_ode"]
"""What a network gives: an energy, whose derivatives are velocities, or velocities at once."""
SYMMETRY = "O(2)_z"
"""Of the pendulum: gravity leaves rotations about the vertical axis, and reflections in planes through it."""
SUBGROUPS = ("O(2)_z", "SO(2)_z", "D2_z", "D6_z")
"""Groups that networks on tensors may be built for."""


class Trajectories(StrictModel):
    """True trajectories that networks learn from, and that their own are compared with.

    Attributes:
        num_train: trajectories, of each of which one piece is learnt.
        num_test: trajectories, of each of which one piece is where a rollout starts.
        num_times: T, points of a trajectory and of a rollout.
        interval: time between two points.
        piece: points of a piece.
        tolerance: of adaptive steps of true trajectories, relative and absolute.
        rollout_steps: fixed steps of rollouts of networks in each interval.
        shown: rollouts of the first trial that are kept for pictures.
    """

    num_train: PositiveInt
    num_test: PositiveInt
    num_times: Annotated[int, Field(ge=2)] = 150
    interval: PositiveFloat = 0.2
    piece: Annotated[int, Field(ge=2)] = 5
    tolerance: PositiveFloat = 2e-6
    rollout_steps: PositiveInt = 4
    shown: PositiveInt = 1

    @model_validator(mode="after")
    def _check(self) -> "Trajectories":
        if self.num_times % self.piece:
            raise ValueError(f"piece: expected a divisor of num_times = {self.num_times}, found {self.piece}")
        if self.shown > self.num_test:
            raise ValueError(f"shown: expected at most num_test = {self.num_test}, found {self.shown}")
        return self


class PieceDescent(StrictModel):
    """Adam on the mean squared error of all pieces at once, integrated from their first points; the last step is kept.

    Attributes:
        learning_rate: at the start.
        milestones: steps from which it is multiplied by the factor in the same place.
        factors: see ``milestones``.
        num_epochs: steps.
        integration_steps: of Runge and Kutta's method in each interval.
    """

    learning_rate: PositiveFloat
    milestones: Many[PositiveInt] = ()
    factors: Many[PositiveFloat] = ()
    num_epochs: PositiveInt
    integration_steps: PositiveInt = 2
    matmul_precision: Literal["default", "highest"] = "highest"

    @model_validator(mode="after")
    def _check(self) -> "PieceDescent":
        require_ascending("milestones", self.milestones)
        if len(self.milestones) != len(self.factors):
            raise ValueError(
                f"factors: expected one for each of {len(self.milestones)} milestones, found {len(self.factors)}"
            )
        return self


class PlainDynamics(StrictModel):
    """Fully connected network on the twelve numbers of a state, swish units.

    Attributes:
        augmented: every piece is moved by a random element of O(2)_z at every step.
        networks: of a trial; ensembles are made of them.
    """

    method: Literal["mlp"]
    width: PositiveInt = 128
    depth: PositiveInt = 3
    augmented: bool = False
    networks: PositiveInt = 1


class TensorDynamics(StrictModel):
    """Equivariant layers on tensors (arXiv 2104.09459).

    Attributes:
        group: that layers are equivariant under.
        relaxed: a plain network is added, times a factor that starts at 0 and is learnt.
        channels: numbers in a hidden layer, spread over tensors of all ranks that fit.
    """

    method: Literal["tensors"]
    group: Literal["O(2)_z", "SO(2)_z", "D2_z", "D6_z"]
    relaxed: bool = False
    channels: PositiveInt = 128
    depth: PositiveInt = 3
    networks: PositiveInt = 1


class ScalarDynamics(StrictModel):
    """Networks on scalar products, ReLU units (arXiv 2106.06610).

    Attributes:
        width: of the hidden layers.
        depth: number of hidden layers.
        gaussians: in which each scalar is expanded before a network of velocities sees it.
    """

    method: Literal["scalars"]
    width: PositiveInt = 100
    depth: PositiveInt = 4
    gaussians: Annotated[int, Field(ge=2)] = 200
    networks: PositiveInt = 1


DynamicsMethod = Annotated[PlainDynamics | TensorDynamics | ScalarDynamics, Field(discriminator="method")]


class DynamicsStage(ArmStage):
    """Training of one arm, and rollouts of its networks and ensembles.

    Attributes:
        ensemble_sizes: networks of a trial whose mean velocity is followed.
        tolerance: largest equivariance error, before training, of what is called equivariant.
    """

    stage: Literal["train"] = "train"
    trajectories: Trajectories
    family: Family
    network: DynamicsMethod
    train: PieceDescent
    ensemble_sizes: Many[PositiveInt]
    tolerance: PositiveFloat
