"""Typed configuration of experiments of kind ``traffic``: speeds at sensors, with weights shared by clusters of them.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on traffic.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Name, StrictModel
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase


class TrafficNetwork(StrictModel):
    """Recurrent encoder and decoder on the graph of the sensors.

    Attributes:
        clusters: of sensors; each has weights and biases of its own in the convolution of the candidate state. One is
            the symmetry under all permutations of the sensors that keep the graph.
        threshold: smaller weights of the graph are dropped; 0 keeps all.
        units: of the state of a sensor.
        networks: of every trial; means of their predictions are ensembles.
    """

    clusters: PositiveInt
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.0
    units: PositiveInt = 64
    networks: PositiveInt = 1


class TrafficWindows(StrictModel):
    """Windows of a series.

    Attributes:
        dataset: speeds and graph.
        past: steps that are seen.
        future: steps that are predicted.
        validation: fraction of the windows, after those for training, that chooses the epoch.
        test: fraction of the windows, at the end.
    """

    dataset: Name
    past: PositiveInt
    future: PositiveInt
    validation: Annotated[float, Field(gt=0, lt=0.5)]
    test: Annotated[float, Field(gt=0, lt=0.5)]


class TrafficSteps(StrictModel):
    """Adam on the mean absolute error where there are speeds, with gradients cut off at a norm.

    Attributes:
        learning_rate: of Adam.
        epsilon: of Adam.
        clip: largest norm of all gradients.
        batch_size: windows.
        num_epochs: over all training windows.
        sampling_steps: s; the decoder sees true speeds with probability s / (s + exp(step / s)), else its own.
    """

    learning_rate: PositiveFloat
    epsilon: PositiveFloat
    clip: PositiveFloat
    batch_size: PositiveInt
    num_epochs: PositiveInt
    sampling_steps: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class TrafficArm(ArmLabels, TrafficNetwork):
    """One kind of network on one graph."""


class TrafficStage(ArmStage):
    """Training and test of the networks of one arm; see ``TrafficExperiment``."""

    stage: Literal["train"] = "train"
    data: TrafficWindows
    network: TrafficNetwork
    train: TrafficSteps
    tolerance: PositiveFloat


class TrafficSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        networks: of a trial, by arm.
        clusters: by arm.
        thresholds: by arm.
    """

    networks: dict[Name, PositiveInt]
    clusters: dict[Name, PositiveInt]
    thresholds: dict[Name, float]


class TrafficExperiment(StudyBase):
    """Speeds a few steps ahead. Members are trials: all see the same series, each has its own start.

    Attributes:
        tolerance: largest equivariance error under permutations of sensors and graph, before training, of networks with
            one cluster.
    """

    kind: Literal["traffic"]
    data: TrafficWindows
    arms: dict[Name, TrafficArm] = Field(min_length=1)
    train: TrafficSteps
    tolerance: PositiveFloat

    @model_validator(mode="after")
    def _check_parts(self) -> "TrafficExperiment":
        if self.data.validation + self.data.test >= 1:
            raise ValueError("data: validation and test: expected windows that are left for training")
        return self

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.data.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        return [(self.data.dataset, "series"), (self.data.dataset, "graph")]

    def too_large(self, size: Callable[[str, str], int]) -> Iterator[str]:
        """Yields arms that have more clusters than there are sensors, and windows longer than the series."""
        sensors, steps = size(self.data.dataset, "graph"), size(self.data.dataset, "series")
        for name, arm in self.arms.items():
            if arm.clusters > sensors:
                yield (
                    f"arms.{name}.clusters: expected at most the {sensors} sensors of {self.data.dataset}, found "
                    f"{arm.clusters}; lower it."
                )
        if (window := self.data.past + self.data.future) > steps:
            yield (
                f"data: past and future: expected together at most the {steps} steps of {self.data.dataset}, found "
                f"{window}; lower them."
            )

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return TrafficSummary(
                **self.facts(),
                networks={name: own.networks for name, own in self.arms.items()},
                clusters={name: own.clusters for name, own in self.arms.items()},
                thresholds={name: own.threshold for name, own in self.arms.items()},
            )
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return TrafficStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            network=TrafficNetwork(**{name: getattr(own, name) for name in TrafficNetwork.model_fields}),
            train=self.train,
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name), width=self.arms[name].units)
