"""What each stage of the pipeline may depend on, as frozen models.

The plan writes the canonical JSON of a stage, its verb reads it back into the same class, and functions take the model
or its fields. A setting that is absent here cannot make that stage run again: the number of members is absent from
training (a larger ensemble adds blocks and recomputes none), and batch sizes of evaluation are absent from training.
"""

import math
from collections.abc import Collection
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.domains import EvaluationData, Role, TrainingData
from emergent.config.evaluation import EvaluationSettings
from emergent.config.groups import Augmentation, Fill, Interpolation, UniformRotations
from emergent.config.models import Model
from emergent.config.training import Training

Symmetry = Literal["none", "augmented", "built_in", "relaxed"]
"""How networks come by a symmetry: not at all, from augmented data, by their layers, or by these and further ones."""


class Stage(StrictModel):
    """What every stage knows."""

    experiment: Name
    seed: NonNegativeInt


class ArmStage(Stage):
    """A stage of one arm."""

    arm: Name


class TrainStage(ArmStage):
    """Training of the members of one arm.

    Attributes:
        initialisation: name that initial parameters are drawn under; arms that share it start alike.
    """

    stage: Literal["train"] = "train"
    initialisation: Name
    data: TrainingData
    model: Model
    augmentation: Augmentation
    train: Training


class EvaluateStage(ArmStage):
    """Evaluation of the trained members of one arm.

    Attributes:
        orbit: the elements on whose orbits networks are evaluated, as an augmentation.
    """

    stage: Literal["evaluate"] = "evaluate"
    data: EvaluationData
    model: Model
    orbit: Augmentation
    evaluate: EvaluationSettings
    matmul_precision: Literal["default", "highest"] = "highest"


class PredictStage(ArmStage):
    """Prediction of the infinitely wide ensemble of one arm, at the training time of its members.

    Attributes:
        data: training and test sets.
        model: whose widths go to infinity; written as 1, so that a wider network predicts nothing anew.
        augmentation: of the training set, by its full orbits.
        orbit: the group on whose orbits is predicted.
        train: full-batch gradient descent.
        tile_size: samples per side of one tile of the Gram matrix.
        readings: data sets whose infinite-width spread is laid beside the published one.
    """

    stage: Literal["predict"] = "predict"
    data: EvaluationData
    model: Model
    augmentation: Augmentation
    orbit: Augmentation
    train: Training
    tile_size: PositiveInt
    readings: Many[Name] = ()


class ArmFacts(StrictModel):
    """What summaries and figures know of an arm.

    Attributes:
        label: name in tables, which set no mathematics.
        symbol: name in legends, as mathematics; null takes the label.
        short: name where space is scarce; null takes the label.
        group: of the orbits, e.g. ``C4``; empty where there is none.
        order: elements of an orbit; 0 where there is none.
        compare_to: the arm that this one is compared with, whose value is subtracted.
        width: of the hidden layers, or of the last convolution; null where there are none.
        interpolation: of the rotations in training, where there are some.
        num_members: of this arm, where it has fewer than others.
        symmetry: how its networks come by their symmetry, where that is compared over experiments.
    """

    name: Name
    label: str
    symbol: str | None = None
    short: str | None = None
    group: str = ""
    order: NonNegativeInt = 0
    compare_to: Name | None = None
    width: PositiveInt | None = None
    interpolation: Interpolation | None = None
    num_members: PositiveInt | None = None
    symmetry: Symmetry | None = None

    @field_validator("width", mode="before")
    @classmethod
    def _no_width(cls, width: Any) -> Any:
        # Summaries that were made before, some of which are committed, say 0.
        return None if width == 0 else width

    @property
    def width_in_tables(self) -> float:
        """Returns the width as a number, NaN where there is none; that of an infinitely wide network is infinite."""
        return math.nan if self.width is None else float(self.width)


class DataFacts(StrictModel):
    """What summaries and figures know of an evaluation set; see ``emergent.config.domains.EvaluationSet``.

    Attributes:
        whole: all samples of its split are evaluated, and its split is all that there is, so that they are no draw
            from more.
    """

    name: Name
    dataset: Name
    role: Role
    primary: bool
    label: str | None
    condition_of: Name | None
    condition: str | None
    interpolation: Interpolation | None
    fill: Fill | None
    whole: bool = False
    rotations: UniformRotations | None = None


class Assumption(StrictModel):
    """A setting that the paper does not state, with the value in force and the reason for it.

    Attributes:
        fitted: patterns of the claims whose published values decided it.
        fitted_to: these values in words; empty where none did.
    """

    key: str
    value: Any
    reason: str
    fitted: Many[str] = ()
    fitted_to: str = ""


class SummaryStage(Stage):
    """What the summary of an experiment may depend on, and what its figures know of the experiment.

    Attributes:
        label: short name of the experiment, for legends that tell experiments apart.
        arms: in the order of the experiment.
        data: evaluation sets in the order of the experiment.
    """

    stage: Literal["summary"] = "summary"
    kind: Name
    title: str
    label: str
    num_members: PositiveInt
    arms: Many[ArmFacts] = Field(min_length=1)
    data: Many[DataFacts] = ()
    assumed: Many[Assumption] = ()

    def arm(self, name: str) -> ArmFacts:
        """Returns the facts of one arm."""
        return next(arm for arm in self.arms if arm.name == name)

    def of_draws(self, names: Collection[str]) -> Self:
        """Returns the same with evaluation sets that are a draw of a generator, however many of its samples are taken.

        Training samples stay what they are: networks are asked about those on which they were trained.

        Args:
            names: of evaluation sets.
        """
        data = (
            facts.model_copy(update={"whole": False}) if facts.name in names and facts.role != "train" else facts
            for facts in self.data
        )
        return self.model_copy(update={"data": tuple(data)})
