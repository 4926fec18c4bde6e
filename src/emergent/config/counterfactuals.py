"""Typed configuration of experiments of kind ``counterfactuals``: samples moved to another class, by two ways.

Gradients of a classifier move a sample in data space X, off the manifold of the data, or in the latent space Z of a
generative model, which keeps it near. Members are trials: each has its own flow, classifiers and samples.

References:
    Dombrowski, Gerken, Müller and Kessel, Diffeomorphic counterfactuals with generative models, arXiv:2206.05075.
"""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Name
from emergent.config.counterfactual_training import (
    Attack,
    Classifiers,
    CounterfactualStage,
    CouplingFlow,
    DigitImages,
    DrawnMasks,
    Generator,
    Manifold,
    require_masks,
)
from emergent.config.stages import ArmFacts, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase


class CounterfactualArm(ArmLabels):
    """One latent space.

    Attributes:
        generator: whose latent space it is.
    """

    generator: Generator


class CounterfactualSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        reach: of the helix; null for images.
        ensemble: networks of the attacked ensemble.
    """

    reach: PositiveFloat | None
    ensemble: PositiveInt


class CounterfactualExperiment(StudyBase):
    """Counterfactuals in data and in latent space. Members are trials."""

    kind: Literal["counterfactuals"]
    data: Manifold
    arms: dict[Name, CounterfactualArm] = Field(min_length=1)
    classifiers: Classifiers
    attack: Attack
    tolerance: PositiveFloat

    @model_validator(mode="after")
    def _check(self) -> "CounterfactualExperiment":
        for name, arm in self.arms.items():
            if isinstance(arm.generator, CouplingFlow) and not isinstance(arm.generator.masks, DrawnMasks):
                try:
                    require_masks(arm.generator.masks, self.data.dimension)
                except ValueError as error:
                    raise ValueError(f"arms.{name}.generator.{error}") from None
        outputs = self.classifiers.model.num_outputs
        if isinstance(self.data, DigitImages):
            if outputs <= (most := max(self.data.start, self.data.target)):
                raise ValueError(
                    f"classifiers.model.num_outputs: expected one for each class, more than {most}, found {outputs}"
                )
            if self.attack.traced:
                raise ValueError(
                    f"attack.traced: paths are kept of points only, expected 0, found {self.attack.traced}"
                )
        elif outputs != 1 or self.classifiers.model.family != "mlp":
            raise ValueError(
                "classifiers.model: expected family mlp with one output for the two classes of points, found "
                f"{self.classifiers.model.family} with {outputs}"
            )
        return self

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data sets; points are drawn."""
        return sorted({name for name, _ in self.splits_used()}) if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        data = self.data
        return [(part.dataset, part.split) for part in (data.train, data.test)] if isinstance(data, DigitImages) else []

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return CounterfactualSummary(
                **self.facts(),
                reach=None if isinstance(self.data, DigitImages) else self.data.reach,
                ensemble=self.classifiers.ensemble,
            )
        arm = self.trained_arm(stage, arm)
        return CounterfactualStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            generator=self.arms[arm].generator,
            classifiers=self.classifiers,
            attack=self.attack,
            tolerance=self.tolerance,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))
