"""Typed configuration of experiments of kind ``poses``: where joints are, from where a camera sees them.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on human pose.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from emergent.config.base import Name, StrictModel
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage, Symmetry
from emergent.config.study import ArmLabels, StudyBase

JointGroup = Literal["S16", "S2", "S2_2", "S2_6", "trivial"]
"""Groups of permutations of the sixteen joints; see ``emergent.groups.joints.joint_generators``."""


class JointNetwork(StrictModel):
    """Network whose layers commute with a group of permutations of the joints.

    Attributes:
        group: pairs of joints that it takes to each other share their weights.
        channels: of every joint, in hidden layers.
        depth: hidden layers from channels to channels, each added to what it was given.
        augmented: every pose is reflected, or not, at random at every step.
        networks: of every trial; means of their predictions are ensembles.
    """

    group: JointGroup
    channels: PositiveInt = 32
    depth: NonNegativeInt = 2
    augmented: bool = False
    networks: PositiveInt = 1


class PoseSteps(StrictModel):
    """Adam on the mean squared error of the coordinates.

    Attributes:
        learning_rate: at the start; it falls to 0 along a cosine.
        batch_size: poses.
        num_epochs: over all training poses.
    """

    learning_rate: PositiveFloat
    batch_size: PositiveInt
    num_epochs: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class PosesArm(ArmLabels, JointNetwork):
    """One kind of network."""


class PosesStage(ArmStage):
    """Training and test of the networks of one arm; see ``PosesExperiment``."""

    stage: Literal["train"] = "train"
    dataset: Name
    network: JointNetwork
    train: PoseSteps
    tolerance: PositiveFloat


class PosesSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        networks: of a trial, by arm.
    """

    networks: dict[Name, PositiveInt]


class PosesExperiment(StudyBase):
    """Positions of joints. Members are trials: all see the same poses, each has its own start and order of them.

    Attributes:
        dataset: poses in images and in space.
        tolerance: largest equivariance error under the permutations of an arm's group, before training.
    """

    kind: Literal["poses"]
    dataset: Name
    arms: dict[Name, PosesArm] = Field(min_length=1)
    train: PoseSteps
    tolerance: PositiveFloat

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        return [(self.dataset, "train"), (self.dataset, "test")]

    def too_large(self, size: Callable[[str, str], int]) -> Iterator[str]:
        """Yields batches that are larger than the data."""
        if self.train.batch_size > (num := size(self.dataset, "train")):
            yield (
                f"train.batch_size: expected at most the {num} poses for training of {self.dataset}, found "
                f"{self.train.batch_size}; lower it."
            )

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return PosesSummary(**self.facts(), networks={name: own.networks for name, own in self.arms.items()})
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return PosesStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            dataset=self.dataset,
            network=JointNetwork(**{name: getattr(own, name) for name in JointNetwork.model_fields}),
            train=self.train,
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        own = self.arms[name]
        return ArmFacts(**own.labels(name), width=own.channels, symmetry=_symmetry(own))


def _symmetry(network: JointNetwork) -> Symmetry | None:
    """Returns how networks come by the symmetry of bodies, which is their reflection.

    Networks that commute with no permutation of joints have none, or see reflected bodies. None where they commute with
    some: an exchange of joints is no reflection without turning the horizontal coordinate about, so that these groups
    neither hold the symmetry of bodies nor a part of it.
    """
    if network.group != "trivial":
        return None
    return "augmented" if network.augmented else "none"
