"""Typed configuration of experiments of kind ``cloud_distance``: distances of point clouds learnt from invariants.

References:
    arXiv 2405.08097, experiment on distances of point clouds.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Name, StrictModel
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage, Symmetry
from emergent.config.study import ArmLabels, StudyBase

Features = Literal["products", "centroids", "coordinates"]
INVARIANT: tuple[Features, ...] = ("products", "centroids")
"""What no rotation, reflection or order of the points changes."""


class CloudNetwork(StrictModel):
    """Network that embeds one cloud; distances of embeddings are what is learnt.

    Attributes:
        features: ``products`` of all pairs of points, their sets and f*; ``centroids``, products of points with those
            of three clusters, and of these with one another; ``coordinates`` of the points as they are.
        hidden: width h of hidden layers: sets go through 1-h-2h, their sums through 2h-h, and all that is found through
            a hidden layer of h.
        outputs: of the embedding.
        augmented: every cloud is rotated at random at every step. Coordinates only.
        relaxed: a network on coordinates is added, its embeddings times a factor that starts at 0 and is learnt.
            Invariant features only.
        networks: of every trial; means of their predicted distances are ensembles.
    """

    features: Features
    hidden: PositiveInt = 16
    outputs: PositiveInt = 16
    augmented: bool = False
    relaxed: bool = False
    networks: PositiveInt = 1

    @model_validator(mode="after")
    def _check(self) -> "CloudNetwork":
        if self.augmented and self.features in INVARIANT:
            raise ValueError(f"augmented: no rotation changes {self.features}; expected features 'coordinates'")
        if self.relaxed and self.features not in INVARIANT:
            names = " or ".join(repr(name) for name in INVARIANT)
            raise ValueError(f"relaxed: {self.features} have no symmetry to relax; expected features {names}")
        return self


class CloudSteps(StrictModel):
    """Adam on the mean squared error of all pairs at once.

    Attributes:
        learning_rate: of the embedding.
        distance_rate: of the linear map of embeddings before distances are taken, and of the affine map after that.
        num_epochs: steps.
    """

    learning_rate: PositiveFloat
    distance_rate: PositiveFloat
    num_epochs: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class CloudDistanceArm(ArmLabels, CloudNetwork):
    """One kind of network."""


class CloudDistanceStage(ArmStage):
    """Training and test of the networks of one arm; see ``CloudDistanceExperiment``."""

    stage: Literal["train"] = "train"
    dataset: Name
    network: CloudNetwork
    train: CloudSteps
    rotations: PositiveInt
    tolerance: PositiveFloat


class CloudDistanceSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        networks: of a trial, by arm.
    """

    networks: dict[Name, PositiveInt]


class CloudDistanceExperiment(StudyBase):
    """Distances of pairs of clouds. Members are trials: all see the same clouds, each has its own start.

    Attributes:
        dataset: pairs of clouds with their distances.
        rotations: random ones of every test cloud, under which the error of invariance is measured.
        tolerance: largest error of invariance, before training, of what is called invariant.
    """

    kind: Literal["cloud_distance"]
    dataset: Name
    arms: dict[Name, CloudDistanceArm] = Field(min_length=1)
    train: CloudSteps
    rotations: PositiveInt
    tolerance: PositiveFloat

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        return [(self.dataset, "train"), (self.dataset, "test")]

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            networks = {name: own.networks for name, own in self.arms.items()}
            return CloudDistanceSummary(**self.facts(), networks=networks)
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return CloudDistanceStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            dataset=self.dataset,
            network=CloudNetwork(**{name: getattr(own, name) for name in CloudNetwork.model_fields}),
            train=self.train,
            rotations=self.rotations,
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        own = self.arms[name]
        return ArmFacts(**own.labels(name), width=own.hidden, symmetry=_symmetry(own))


def _symmetry(network: CloudNetwork) -> Symmetry:
    if network.features in INVARIANT:
        return "relaxed" if network.relaxed else "built_in"
    return "augmented" if network.augmented else "none"
