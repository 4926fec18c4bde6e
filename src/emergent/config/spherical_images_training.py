"""Typed settings of kind ``spherical_images``; apart, so that its training depends on nothing else of a run.

References:
    arXiv:2202.03990, equivariance against augmentation for images on the sphere.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.stages import ArmStage
from emergent.config.swin import SwinNetwork

Task = Literal["classify", "segment"]
NUM_CLASSES = 10
"""Of the images; masks have one more, the background, whose label is 0."""
OUTPUTS: dict[Task, int] = {"classify": NUM_CLASSES, "segment": NUM_CLASSES + 1}
"""Logits of an image, or of a point of the sphere."""


class SphericalCnn(StrictModel):
    """Spherical CNN: a layer from the sphere to SO(3), layers on SO(3), and a head or a layer back to the sphere.

    Attributes:
        features: channels behind each layer but the last.
        band_limits: of the grids behind each of them.
        max_beta: polar angle of the outermost kernel points of each layer, in units of pi; as many as features for a
            classifier, one more for a network that labels points.
    """

    family: Literal["s2cnn"]
    features: Many[PositiveInt] = Field(min_length=1)
    band_limits: Many[PositiveInt]
    max_beta: Many[Annotated[float, Field(gt=0, le=1)]]

    @model_validator(mode="after")
    def _check(self) -> "SphericalCnn":
        num = len(self.features)
        if len(self.band_limits) != num or len(self.max_beta) not in (num, num + 1):
            raise ValueError(
                f"band_limits and max_beta: expected {num} band limits, as of features, and {num} angles (classifier) "
                f"or {num + 1} (labels of points), found {len(self.band_limits)} and {len(self.max_beta)}"
            )
        return self

    @property
    def segments(self) -> bool:
        """Returns whether its last layer leads back to the sphere."""
        return len(self.max_beta) > len(self.features)


class PlanarCnn(StrictModel):
    """CNN on the grid as an image in the plane: an encoder with a head, or with a decoder that mirrors it.

    Attributes:
        features: channels behind each stage of the encoder.
        kernels: their sides.
        strides: of the stages.
    """

    family: Literal["cnn"]
    features: Many[PositiveInt] = Field(min_length=1)
    kernels: Many[PositiveInt]
    strides: Many[PositiveInt]

    @model_validator(mode="after")
    def _check(self) -> "PlanarCnn":
        if not len(self.features) == len(self.kernels) == len(self.strides):
            raise ValueError(
                f"kernels and strides: expected {len(self.features)} of each, as of features, found "
                f"{len(self.kernels)} and {len(self.strides)}"
            )
        return self


SphereNetwork = Annotated[SphericalCnn | PlanarCnn | SwinNetwork, Field(discriminator="family")]


class SphereDescent(StrictModel):
    """Adam on the cross-entropy, with the parameters that are best on validation images.

    Attributes:
        learning_rate: constant.
        batch_size: images per step.
        num_epochs: validation images are looked at after each.
        images_per_epoch: drawn with repetition, however many copies there are; null takes each image once.
    """

    learning_rate: PositiveFloat
    batch_size: PositiveInt
    num_epochs: PositiveInt
    images_per_epoch: PositiveInt | None = None
    matmul_precision: Literal["default", "highest"] = "highest"


class SphereData(StrictModel):
    """Planar images that are projected onto the sphere, each turned by a random rotation of its own or by none.

    Attributes:
        dataset: of images [28, 28, 1] with labels 0 to 9, in splits train and test.
        num_train: first images of the split train.
        num_validation: last images of that split.
        num_test: first images of the split test.
        num_moved: first of these, by which errors of equivariance are measured.
        threshold: grey values of 0 to 255 above which a point carries its image's class in a mask.
        angles: in degrees; images by which errors of equivariance are measured are also turned by each of them, about
            random axes.
    """

    dataset: Name
    num_train: PositiveInt
    num_validation: PositiveInt
    num_test: PositiveInt
    num_moved: PositiveInt
    threshold: Annotated[int, Field(ge=0, lt=255)] = 150
    angles: Many[Annotated[int, Field(gt=0, le=180)]] = ()

    @model_validator(mode="after")
    def _check(self) -> "SphereData":
        if self.num_moved > self.num_test:
            raise ValueError(f"num_moved: expected at most num_test = {self.num_test}, found {self.num_moved}")
        require_ascending("angles", self.angles)
        return self


class SphereStage(ArmStage):
    """Training and test of the networks of one arm.

    Attributes:
        task: what is learnt.
        bandwidth: b, of grids of 2 b x 2 b points.
        copies: rotated copies of every training image; 0 trains on images that are not rotated.
        ensemble_sizes: of ensembles within a block.
        tolerance: largest relative error of a transform and its inverse in single precision.
        timed: how long training and inference take is kept beside the results.
    """

    stage: Literal["train"] = "train"
    data: SphereData
    task: Task
    bandwidth: PositiveInt
    network: SphereNetwork
    copies: NonNegativeInt
    train: SphereDescent
    ensemble_sizes: Many[PositiveInt]
    tolerance: PositiveFloat
    timed: bool

    @property
    def num_images(self) -> int:
        """Returns the number of training images, copies included."""
        return self.data.num_train * max(1, self.copies)

    @property
    def images_per_epoch(self) -> int:
        """Returns how many images go through a network in an epoch."""
        return self.train.images_per_epoch or self.num_images
