"""Typed configuration of experiments of kind ``risk_gap``: linear regression whose truth may have a symmetry.

Groups permute coordinates within clusters, S_c1 x ... x S_ck. Least squares is compared with its projection onto the
maps that commute with a group, with regression among these maps, and with least squares on all permuted copies.
Members are independent repetitions, each of many data sets.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

Estimator = Literal["projected", "tied", "augmented", "descent"]
ESTIMATORS: dict[str, tuple[Estimator, ...]] = {
    "scalar": ("projected", "tied", "augmented", "descent"),
    "permuted": ("projected", "tied", "augmented"),
}
"""Estimators by kind of output. ``projected``: least squares, averaged over the group. ``tied``: least squares among
the equivariant maps, whose weights are equal on orbits. ``augmented``: least squares on all permuted copies.
``descent``: gradient descent on tied weights, stopped early, which is what was published."""


class GapGroup(StrictModel):
    """Permutations of coordinates within clusters.

    Attributes:
        clusters: sizes, in the order of the coordinates; they add up to D.
        symbol: name in legends, as mathematics.
    """

    clusters: Many[PositiveInt] = Field(min_length=1)
    symbol: str


class LinearTask(StrictModel):
    """One linear truth, and the groups that are compared on it.

    Attributes:
        outputs: ``scalar`` for one invariant number; ``permuted`` for D numbers that move with the D inputs.
        dimension: D.
        truth: weights from each input to each output; a null is drawn, standard normal, once for all repetitions. Null
            in place of the list draws all.
        unit: the weights are scaled to norm 1.
        noise_std: of each output; inputs are standard normal.
        groups: by name; one of them, with clusters of size 1, is trivial.
    """

    outputs: Literal["scalar", "permuted"]
    dimension: PositiveInt
    truth: Many[float | None] | None = None
    unit: bool
    noise_std: Annotated[float, Field(gt=0)]
    groups: dict[Name, GapGroup] = Field(min_length=2)

    @property
    def num_outputs(self) -> int:
        """Returns K."""
        return 1 if self.outputs == "scalar" else self.dimension

    @model_validator(mode="after")
    def _check_sizes(self) -> "LinearTask":
        for name, group in self.groups.items():
            if sum(group.clusters) != self.dimension:
                raise ValueError(
                    f"groups.{name}.clusters: expected sizes that add up to the {self.dimension} inputs, found "
                    f"{list(group.clusters)}, which make {sum(group.clusters)}"
                )
        if not any(set(group.clusters) == {1} for group in self.groups.values()):
            raise ValueError(f"groups: expected a trivial one, with {self.dimension} clusters of size 1, found none")
        weights = self.dimension * self.num_outputs
        if self.truth is not None and len(self.truth) != weights:
            raise ValueError(f"truth: expected {weights} weights or null, found {len(self.truth)}")
        if self.unit and self.truth is not None and not any(self.truth) and None not in self.truth:
            raise ValueError("truth: expected a weight that is not 0, found none; it cannot be scaled to norm 1")
        return self


class GapArm(ArmLabels, LinearTask):
    """One truth and its place in the experiment."""


class GapSampling(StrictModel):
    """What one member is.

    Attributes:
        sizes: of training sets, ascending.
        num_draws: training sets of each size. The first of every member is one trial of the published figure.
        num_test: test samples of a trial.
    """

    sizes: Many[PositiveInt] = Field(min_length=3)
    num_draws: PositiveInt
    num_test: PositiveInt

    @model_validator(mode="after")
    def _check_order(self) -> "GapSampling":
        require_ascending("sizes", self.sizes)
        return self


class Descent(StrictModel):
    """Gradient descent on the mean squared error of all training samples, from weights uniform between 0 and 1."""

    num_steps: PositiveInt
    learning_rate: Annotated[float, Field(gt=0)]


class GapStage(ArmStage):
    """Risks of the estimators of one arm."""

    stage: Literal["train"] = "train"
    task: LinearTask
    sampling: GapSampling
    descent: Descent


class GapSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        tasks: by arm.
        sizes: of training sets.
        crossings: arm to the smaller and the larger group whose risks are compared over the sizes.
    """

    tasks: dict[Name, LinearTask]
    sizes: Many[PositiveInt]
    crossings: dict[Name, Annotated[tuple[Name, Name], Field(strict=False)]]


class RiskGapExperiment(StudyBase):
    """Risk gap of linear regression by symmetry group.

    Attributes:
        crossings: arm to two of its groups, the smaller one first: where does the larger one stop to be better?
    """

    kind: Literal["risk_gap"]
    arms: dict[Name, GapArm] = Field(min_length=1)
    sampling: GapSampling
    descent: Descent
    crossings: dict[Name, Annotated[tuple[Name, Name], Field(strict=False)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_sizes(self) -> "RiskGapExperiment":
        for name, arm in self.arms.items():
            if self.sampling.sizes[0] <= arm.dimension + 1:
                raise ValueError(
                    f"sampling.sizes: expected more than D + 1 = {arm.dimension + 1} samples, without which least "
                    f"squares on arm {name} has no finite risk; found {self.sampling.sizes[0]}. Leave out small sizes."
                )
        for name, pair in self.crossings.items():
            if name not in self.arms or not set(pair) <= set(self.arms[name].groups):
                raise ValueError(f"crossings.{name}: expected an arm and two of its groups, found {list(pair)}")
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            tasks = {name: self.task(name) for name in self.arms}
            return GapSummary(**self.facts(), tasks=tasks, sizes=self.sampling.sizes, crossings=self.crossings)
        arm = self.trained_arm(stage, arm)
        return GapStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            task=self.task(arm),
            sampling=self.sampling,
            descent=self.descent,
        )

    def task(self, arm: str) -> LinearTask:
        """Returns what is learnt in an arm."""
        return LinearTask(**self.arms[arm].model_dump(include=set(LinearTask.model_fields)))

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))
