"""The questions that are asked of ensembles: what each needs to be told, and what its summary may depend on."""

from typing import ClassVar, Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from emergent.config.base import Many, Name
from emergent.config.domains import VectorData
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.evaluation import Bootstrap, CurveEvaluation, DivergenceEvaluation, EnergyScale, SpreadEvaluation
from emergent.config.groups import Augmentation
from emergent.config.stages import SummaryStage
from emergent.config.subsets import require_names


class EnsembleSummary(SummaryStage):
    """What the summary of every question on ensembles knows; see ``emergent.config.evaluation.Evaluation``."""

    ensemble_sizes: Many[PositiveInt]
    max_ensembles: PositiveInt
    reference_ensemble_size: PositiveInt


class SpreadSummary(EnsembleSummary):
    """Settings of ``orbit_spread``.

    Attributes:
        infinite_arm: the arm whose infinitely wide ensemble all arms are compared with.
    """

    energy_scale: EnergyScale
    infinite_arm: Name


class DivergenceSummary(EnsembleSummary):
    """Settings of ``orbit_divergence``."""

    bootstrap: Bootstrap


class RotationSummary(SummaryStage):
    """Settings of ``rotation_divergence``."""

    bootstrap: Bootstrap


class EquivarianceSummary(EnsembleSummary):
    """Settings of ``equivariance``.

    Attributes:
        orbits: elements of the orbits of each arm, in order; the outputs are vectors that turn with the inputs.
        augmentations: elements that the training samples of each arm are moved by, in order.
    """

    orbits: Many[Augmentation]
    augmentations: Many[Augmentation]


class CurveSummary(EnsembleSummary):
    """Settings of ``curve_symmetry``; see ``emergent.config.evaluation.CurveEvaluation``."""

    panels: Many[NonNegativeInt]


class Question(EnsembleExperiment):
    """A question with no settings of its own."""

    kind: Name

    def summary_stage(self) -> EnsembleSummary:
        """Returns what the summary depends on."""
        return EnsembleSummary(**self.ensemble_facts())


class OrbitSamePrediction(EnsembleExperiment):
    """How many transformations leave the predicted class as it is?"""

    needed_metrics: ClassVar[tuple[str, ...]] = ("orbit_same_predictions",)
    counts_costs: ClassVar[bool] = True
    knows_rotations: ClassVar[bool] = True

    kind: Literal["orbit_same_prediction"]

    def summary_stage(self) -> EnsembleSummary:
        """Returns what the summary depends on."""
        return EnsembleSummary(**self.ensemble_facts())


class OrbitSpread(EnsembleExperiment):
    """How far does a scalar prediction spread over an orbit, beside the infinitely wide ensemble?"""

    needed_metrics: ClassVar[tuple[str, ...]] = ("orbit_std", "mean_output")
    pools_may_differ: ClassVar[bool] = True

    kind: Literal["orbit_spread"]
    evaluate: SpreadEvaluation

    @model_validator(mode="after")
    def _check_arms(self) -> "OrbitSpread":
        infinite = [name for name, arm in self.arms.items() if arm.infinite_width is not None]
        if len(infinite) != 1:
            raise ValueError(
                f"arms: kind 'orbit_spread' compares all arms with one infinitely wide ensemble; give one of them a "
                f"section infinite_width, found {infinite or 'none'}"
            )
        reference = self.arms[infinite[0]]
        if not reference.infinite_width or not reference.infinite_width.readings:
            raise ValueError(f"arms.{infinite[0]}.infinite_width.readings: expected at least one data set")
        for name in self.arms:
            self._check_comparable(name, infinite[0])
        return self

    def _check_comparable(self, name: str, infinite: str) -> None:
        arm, reference = self.arms[name], self.arms[infinite]
        own, limit = arm.model.infinitely_wide(), reference.model.infinitely_wide()
        if own != limit:
            different = (
                ["family"]
                if own.family != limit.family
                else [key for key in type(own).model_fields if getattr(own, key) != getattr(limit, key)]
            )
            raise ValueError(
                f"arms.{name}.model: compared with the infinitely wide {infinite}, it may differ from it in width "
                f"only, but differs in {', '.join(different)}"
            )
        for key in ("learning_rate", "loss", "optimiser"):
            if getattr(self.training_of(name), key) != getattr(self.training_of(infinite), key):
                raise ValueError(f"arms.{name}.{key}: differs from that of the infinitely wide {infinite}")
        if arm.num_training_samples is not None:
            raise ValueError(f"arms.{name}.num_training_samples: differs from that of the infinitely wide {infinite}")
        if arm.augmentation != reference.augmentation:
            raise ValueError(f"arms.{name}.augmentation: differs from that of the infinitely wide {infinite}")
        if arm.orbit != reference.orbit:
            raise ValueError(f"arms.{name}.orbit_group: differs from that of the infinitely wide {infinite}")

    def summary_stage(self) -> SpreadSummary:
        """Returns what the summary depends on."""
        infinite = next(name for name, arm in self.arms.items() if arm.infinite_width is not None)
        return SpreadSummary(**self.ensemble_facts(), energy_scale=self.evaluate.energy_scale, infinite_arm=infinite)


class EnsembleDistance(EnsembleExperiment):
    """How far are the mean predictions of two ensembles from each other?"""

    fewest_ensembles: ClassVar[int] = 4
    """Fewer have no pairs left to tell their share of the error of the law by."""

    kind: Literal["ensemble_distance"]

    @model_validator(mode="after")
    def _check_arms(self) -> "EnsembleDistance":
        compared = [name for name, arm in self.arms.items() if arm.compare_to is not None]
        if len(self.arms) != 2 or len(compared) != 1:
            raise ValueError(
                f"arms: kind 'ensemble_distance' needs two arms, one of which says compare_to; "
                f"found {sorted(self.arms)} with compare_to in {compared or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _check_law(self) -> "EnsembleDistance":
        evaluate = self.evaluate
        most = max(min(self.members.num // size, evaluate.max_ensembles) for size in evaluate.ensemble_sizes)
        if most < self.fewest_ensembles:
            raise ValueError(
                f"members.num: {self.members.num} members make at most {most} disjoint ensembles of one of the sizes "
                f"{list(evaluate.ensemble_sizes)} (evaluate.max_ensembles: {evaluate.max_ensembles}); the law of the "
                f"distance needs {self.fewest_ensembles}: take {self.fewest_ensembles * min(evaluate.ensemble_sizes)} "
                "members or more"
            )
        return self

    def summary_stage(self) -> EnsembleSummary:
        """Returns what the summary depends on."""
        return EnsembleSummary(**self.ensemble_facts())


class _Resampled(EnsembleExperiment):
    """What questions on resampled ensembles share."""

    evaluate: DivergenceEvaluation

    @model_validator(mode="after")
    def _check_bootstrap(self) -> "_Resampled":
        bootstrap = self.evaluate.bootstrap
        too_large = [size for size in bootstrap.sizes if size > self.members.num]
        if too_large:
            raise ValueError(f"evaluate.bootstrap.sizes: {too_large} exceed the pool, members.num = {self.members.num}")
        absent = sorted(set(bootstrap.epochs) - set(self.train.checkpoint_epochs()))
        if absent:
            raise ValueError(
                f"evaluate.bootstrap.epochs: no checkpoint at {absent}; there are {self.train.checkpoint_epochs()}"
            )
        return self

    def output_epochs(self) -> tuple[int, ...]:
        """Returns the checkpoints at which every member's outputs are kept."""
        return self.evaluate.bootstrap.epochs


class OrbitDivergence(_Resampled):
    """How does the symmetry of resampled ensembles depend on their size?"""

    keeps_whole_blocks: ClassVar[bool] = True
    needed_metrics: ClassVar[tuple[str, ...]] = ("orbit_same_predictions", "symmetric_kl", "correct", "cross_entropy")

    kind: Literal["orbit_divergence"]

    def summary_stage(self) -> DivergenceSummary:
        """Returns what the summary depends on."""
        return DivergenceSummary(**self.ensemble_facts(), bootstrap=self.evaluate.bootstrap)


class RotationDivergence(_Resampled):
    """The same under rotations drawn from a continuous group."""

    kind: Literal["rotation_divergence"]

    @model_validator(mode="after")
    def _check_epochs(self) -> "RotationDivergence":
        if self.evaluate.bootstrap.epochs != (self.train.num_epochs,):
            raise ValueError(f"evaluate.bootstrap.epochs: expected the last epoch, [{self.train.num_epochs}]")
        if list(self.evaluate.bootstrap.sizes) != sorted(set(self.evaluate.bootstrap.sizes)):
            raise ValueError("evaluate.bootstrap.sizes: expected ascending sizes")
        return self

    def summary_stage(self) -> RotationSummary:
        """Returns what the summary depends on."""
        return RotationSummary(**self.facts(), bootstrap=self.evaluate.bootstrap)


class Equivariance(EnsembleExperiment):
    """How far do vector-valued predictions miss to turn with their inputs?"""

    needed_metrics: ClassVar[tuple[str, ...]] = ("orbit_mse", "equivariance_error")

    kind: Literal["equivariance"]
    data: VectorData

    @model_validator(mode="after")
    def _check_outputs(self) -> "Equivariance":
        if self.data.outputs != "vectors":
            raise ValueError(
                f"data.outputs: kind 'equivariance' needs an action on the outputs; expected 'vectors', "
                f"found {self.data.outputs!r}"
            )
        require_names(arm.augmentation for arm in self.arms.values())
        return self

    def summary_stage(self) -> EquivarianceSummary:
        """Returns what the summary depends on."""
        arms = self.arms.values()
        return EquivarianceSummary(
            **self.ensemble_facts(),
            orbits=tuple(arm.orbit for arm in arms),
            augmentations=tuple(arm.augmentation for arm in arms),
        )


class CurveSymmetry(EnsembleExperiment):
    """Is the mean of networks on a line its own mirror image while they are trained?"""

    kind: Literal["curve_symmetry"]
    data: VectorData
    evaluate: CurveEvaluation

    @model_validator(mode="after")
    def _check_curves(self) -> "CurveSymmetry":
        if self.data.sample_floats != 1:
            raise ValueError("data: curves are functions of one number: num_vectors and dimension must be 1")
        if not any(entry.role == "in" and entry.primary for entry in self.data.evaluate.values()):
            raise ValueError("data.evaluate: curves are drawn on the primary set of role 'in'; found none")
        for name, arm in self.arms.items():
            if (arm.model.num_outputs, arm.orbit.group) != (1, "reflection"):
                raise ValueError(f"arms.{name}: expected one output, and orbit_group (or augmentation) 'reflection'")
        if absent := sorted(set(self.evaluate.panels) - set(self.train.checkpoint_epochs())):
            raise ValueError(f"evaluate.panels: no checkpoint at {absent}; there are {self.train.checkpoint_epochs()}")
        return self

    def output_epochs(self) -> tuple[int, ...]:
        """Returns the checkpoints at which every member's outputs are kept: all, for animations."""
        return self.train.checkpoint_epochs()

    def summary_stage(self) -> CurveSummary:
        """Returns what the summary depends on."""
        return CurveSummary(**self.ensemble_facts(), panels=self.evaluate.panels)
