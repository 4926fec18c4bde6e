"""Typed configuration of experiments of kind ``data_efficiency``: what symmetry is worth in samples.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on learning with few samples.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, require_ensemble_sizes
from emergent.config.data_efficiency_training import (
    SUBGROUPS,
    SYMMETRY,
    DataEfficiencyStage,
    Descent,
    FrameMethod,
    Method,
    PlainMethod,
    Task,
    TensorMethod,
)
from emergent.config.stages import ArmFacts, Stage, SummaryStage, Symmetry
from emergent.config.study import ArmLabels, StudyBase


class DataEfficiencyArm(ArmLabels):
    """One way to learn.

    Attributes:
        network: and what symmetry it has.
        train: its optimisation.
        tolerance: in the place of the experiment's, where its arithmetic is less precise; null for that.
    """

    network: Method
    train: Descent
    tolerance: PositiveFloat | None = None


class DataEfficiencySummary(SummaryStage):
    """What the summary depends on.

    Attributes:
        function: that is learnt.
        sizes: of the training set.
        ensemble_sizes: see ``DataEfficiencyExperiment``.
        ensembles: arms that have several networks per trial.
    """

    function: Name
    sizes: Many[PositiveInt]
    ensemble_sizes: Many[PositiveInt]
    ensembles: Many[Name]


class DataEfficiencyExperiment(StudyBase):
    """One function with a symmetry, learnt in several ways from training sets of several sizes.

    Members are trials: each has samples of its own, on which every arm trains.

    Attributes:
        ensemble_sizes: of ensembles of the networks of a trial, ascending; arms with fewer networks have the sizes up
            to theirs.
        tolerance: largest equivariance error, before training, of what is called equivariant.
    """

    kind: Literal["data_efficiency"]
    task: Task
    arms: dict[Name, DataEfficiencyArm] = Field(min_length=1)
    ensemble_sizes: Many[PositiveInt] = (1,)
    tolerance: PositiveFloat

    @model_validator(mode="after")
    def _check(self) -> "DataEfficiencyExperiment":
        allowed = SUBGROUPS[self.task.function]
        require_ensemble_sizes(self.ensemble_sizes)
        for name, arm in self.arms.items():
            if isinstance(arm.network, TensorMethod) and arm.network.group not in allowed:
                raise ValueError(
                    f"arms.{name}.network.group: {self.task.function} is symmetric under {', '.join(allowed)}, "
                    f"found {arm.network.group}"
                )
            for size in self.task.sizes:
                batch = arm.train.batch(size)
                if not arm.train.samples_per_epoch and size % batch:
                    raise ValueError(
                        f"task.sizes: {size} is no multiple of arms.{name}.train.batch_size = {batch}; samples would "
                        "be left out of every epoch"
                    )
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return DataEfficiencySummary(
                **self.facts(),
                function=self.task.function,
                sizes=self.task.sizes,
                ensemble_sizes=self.ensemble_sizes,
                ensembles=tuple(name for name, arm in self.arms.items() if arm.network.networks > 1),
            )
        arm = self.trained_arm(stage, arm)
        own = self.arms[arm]
        return DataEfficiencyStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            task=self.task,
            network=own.network,
            train=own.train,
            ensemble_sizes=tuple(size for size in self.ensemble_sizes if size <= own.network.networks),
            tolerance=own.tolerance or self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        network = self.arms[name].network
        group = network.group if isinstance(network, TensorMethod) else SYMMETRY[self.task.function]
        width = network.width if isinstance(network, PlainMethod | FrameMethod) else None
        return ArmFacts(**self.arms[name].labels(name), group=group, width=width, symmetry=_symmetry(network))


def _symmetry(network: Method) -> Symmetry:
    if isinstance(network, PlainMethod):
        return "augmented" if network.augmented else "none"
    return "relaxed" if isinstance(network, TensorMethod) and network.relaxed else "built_in"
