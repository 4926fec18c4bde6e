"""Typed options of the data sets of bodies: joints as a camera sees them, and where they are."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel

NUM_JOINTS = 16
"""What joints are called is in ``emergent.groups.joints``."""


class MadeSkeletons(StrictModel):
    """A made-up skeleton, its angles drawn at random, before a camera at a random angle about the vertical axis.

    Attributes:
        num_train: poses.
        num_test: poses.
        preference: angle in radians by which right arms are raised, and right elbows bent, more than left ones; at 0
            reflected bodies have the same law.
        spread: standard deviation of angles at shoulders and hips, in radians.
        distance: of the camera from the hips, in millimetres.
        seed: of all that is drawn.
    """

    poses: Literal["made"]
    num_train: PositiveInt
    num_test: PositiveInt
    preference: float
    spread: PositiveFloat
    distance: Annotated[float, Field(ge=2500)]
    seed: NonNegativeInt


class AnnotatedSkeletons(StrictModel):
    """Annotations of Human3.6M in a folder of the user, as h36m-fetch writes them: ``S1/Walking-1/annot.h5``.

    Attributes:
        folder: of the subjects, best as an absolute path.
        train: subjects whose poses are for training.
        test: subjects whose poses are for testing.
        every: one of so many frames is kept.
        image_size: edge of the images in pixels.
    """

    poses: Literal["annotated"]
    folder: str
    train: Many[str] = Field(min_length=1)
    test: Many[str] = Field(min_length=1)
    every: PositiveInt
    image_size: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "AnnotatedSkeletons":
        if shared := set(self.train) & set(self.test):
            raise ValueError(f"test: expected other subjects than those for training, found {sorted(shared)} in both")
        return self


class PoseOptions(StrictModel):
    """Bodies.

    Attributes:
        source: where they come from.
    """

    source: Annotated[MadeSkeletons | AnnotatedSkeletons, Field(discriminator="poses")]
