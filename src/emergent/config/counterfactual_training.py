"""Typed settings of kind ``counterfactuals``; apart, so that its training depends on nothing else of a run.

References:
    Dombrowski, Gerken, Müller and Kessel, Diffeomorphic counterfactuals with generative models, arXiv:2206.05075.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.domains import DataSelection
from emergent.config.models import CnnModel, MlpModel
from emergent.config.stages import ArmStage


class Helix(StrictModel):
    """Points (sin t, cos t, t) with t uniform from -reach to reach; the class is whether t is positive.

    Attributes:
        reach: largest t.
        num: points of an epoch, drawn anew for every step.
        validation: points that choose the epoch of the flow.
    """

    source: Literal["helix"]
    reach: PositiveFloat
    num: PositiveInt
    validation: PositiveInt

    @property
    def dimension(self) -> int:
        """Returns the number of coordinates."""
        return 3


class DigitImages(StrictModel):
    """Images whose pixels, 8 bits with uniform noise within a grey level, are numbers between 0 and 1.

    Attributes:
        train: images that flows and classifiers learn from.
        test: images of which some are moved, and others measure what near is.
        side: of the square images, in pixels.
        start: class of the images that are moved.
        target: class that they are moved to.
        validation: of the training images, those that choose the epoch of the flow and are not learnt from.
        margin: flows see logit(margin + (1 - 2 margin) x), standardised pixel by pixel.
        held_out: test images of the target class whose distance to training images is the unit of distance.
    """

    source: Literal["images"]
    train: DataSelection
    test: DataSelection
    side: PositiveInt
    start: NonNegativeInt
    target: NonNegativeInt
    validation: PositiveInt
    margin: Annotated[float, Field(gt=0, lt=0.5)]
    held_out: PositiveInt

    @property
    def dimension(self) -> int:
        """Returns the number of pixels."""
        return self.side**2

    @model_validator(mode="after")
    def _check(self) -> "DigitImages":
        if self.start == self.target:
            raise ValueError(f"target: expected another class than start, found {self.target} for both")
        if self.train.num is not None and self.validation >= self.train.num:
            raise ValueError(f"validation: expected fewer images than train.num = {self.train.num}, found "
                             f"{self.validation}")  # fmt: skip
        return self


Manifold = Annotated[Helix | DigitImages, Field(discriminator="source")]


class Descent(StrictModel):
    """Adam.

    Attributes:
        learning_rate: constant.
        batch_size: samples per step.
        num_epochs: validation samples are looked at after each.
    """

    learning_rate: PositiveFloat
    batch_size: PositiveInt
    num_epochs: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class DrawnMasks(StrictModel):
    """Masks of random halves of the coordinates, each followed by its complement; the same for all trials.

    Attributes:
        num: masks, an even number.
    """

    num: Annotated[int, Field(ge=2, multiple_of=2)]


class CouplingFlow(StrictModel):
    """Affine couplings (realNVP): coordinates under 1 stay, those under 0 become exp(s) x + t; s and t see the rest.

    Attributes:
        masks: of the couplings from latent space to data, a string of 0 and 1 each; or how many are drawn.
        width: of the hidden layers of the networks s and t.
        depth: their hidden layers.
        train: on the negative log-likelihood; the epoch that is best on validation samples is kept.
    """

    family: Literal["coupling"]
    masks: Many[str] | DrawnMasks
    width: PositiveInt
    depth: PositiveInt
    train: Descent

    @property
    def num_couplings(self) -> int:
        """Returns the number of couplings."""
        return self.masks.num if isinstance(self.masks, DrawnMasks) else len(self.masks)


class Whitening(StrictModel):
    """Linear map to uncorrelated coordinates of variance 1: the best Gaussian in place of a flow.

    Attributes:
        num: samples that mean and covariance are taken of; for images at most those that there are.
        ridge: added to the variances, in units of their mean.
    """

    family: Literal["whitening"]
    num: PositiveInt
    ridge: PositiveFloat


Generator = Annotated[CouplingFlow | Whitening, Field(discriminator="family")]


class Classifiers(StrictModel):
    """Networks of one form that learn classes from other starts, in another order.

    Attributes:
        model: with one output (a logit of class 1) or one for each class.
        train: on the cross-entropy.
        ensemble: networks of the ensemble that is attacked; its first is attacked alone, too.
        judges: further networks that are never attacked and say what they see in the results.
    """

    model: Annotated[MlpModel | CnnModel, Field(discriminator="family")]
    train: Descent
    ensemble: Annotated[int, Field(ge=2)]
    judges: PositiveInt


class Attack(StrictModel):
    """Adam on the coordinates of each sample, in data space X or latent space Z, until the target is reached.

    Attributes:
        num: samples that are moved in each trial.
        num_steps: at most.
        data_rate: learning rate in X.
        latent_rate: learning rate in Z.
        confidence: in the target class at which a sample stops.
        objective: ``squared``, of the distance to that confidence, or ``cross_entropy`` of the target class.
        traced: samples whose paths are kept.
        shown: samples that are kept for pictures.
    """

    num: PositiveInt
    num_steps: PositiveInt
    data_rate: PositiveFloat
    latent_rate: PositiveFloat
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    objective: Literal["squared", "cross_entropy"]
    traced: NonNegativeInt
    shown: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "Attack":
        for name in ("traced", "shown"):
            if getattr(self, name) > self.num:
                raise ValueError(f"{name}: expected at most num = {self.num}, found {getattr(self, name)}")
        return self


class CounterfactualStage(ArmStage):
    """Flows, classifiers and attacks of one arm.

    Attributes:
        tolerance: largest error of a sample that goes to latent space and back, in double precision.
    """

    stage: Literal["train"] = "train"
    data: Manifold
    generator: Generator
    classifiers: Classifiers
    attack: Attack
    tolerance: PositiveFloat


def require_masks(masks: Sequence[str], dimension: int) -> None:
    """Checks masks of couplings.

    Raises:
        ValueError: one has another length or letters, changes nothing, or there is a coordinate that none changes.
    """
    for mask in masks:
        if len(mask) != dimension or set(mask) - set("01"):
            raise ValueError(f"masks: expected {dimension} letters 0 or 1 in each, found {mask!r}")
        if "0" not in mask:
            raise ValueError(f"masks: {mask!r} keeps all coordinates, so that its coupling changes nothing; put a 0 in")
    never = [index for index in range(dimension) if all(mask[index] == "1" for mask in masks)]
    if never or not masks:
        raise ValueError(
            f"masks: coordinate(s) {never or list(range(dimension))} are under 1 in every mask, so that the flow never "
            "changes them and cannot learn them; give each a 0 in at least one mask"
        )
