"""Typed selection of data, domain by domain: what is trained on, what is evaluated, how it becomes network inputs.

A domain says what one sample is (an image, a cloud of points, a few vectors) and so how groups act on it. Each has a
class for training, which knows nothing of evaluation sets, and one for the experiment, which adds them.
"""

import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Name, StrictModel
from emergent.config.groups import Fill, Interpolation, UniformRotations
from emergent.config.pointnet import Sampling

Role = Literal["train", "in", "ood"]


class DataSelection(StrictModel):
    """A part of a data set.

    Attributes:
        dataset: entry of ``config/datasets.yaml``.
        split: e.g. ``train`` or ``test``.
        num: number of samples; null takes all. A fixed permutation picks them, so more samples extend fewer.
    """

    dataset: Name
    split: Name
    num: PositiveInt | None = None

    @property
    def whole(self) -> bool:
        """Returns whether all samples are taken."""
        return self.num is None


class TestSet(DataSelection):
    """Samples on which trained networks are evaluated, as far as the evaluation needs to know them.

    Attributes:
        scaling: ``training`` scales pixels like the training set, and leaves real-valued fields as they are; ``own``
            takes mean and standard deviation of its own split; ``unit`` divides by 255 only; ``clipped`` cuts
            real-valued fields off at 0 and 1, as a display does, and scales them like training pixels. Images only.
        interpolation: of the rotations in testing; null takes that of the arm's augmentation. Images only.
        fill: what enters from outside the frame in testing; null takes that of the arm's augmentation. Images only.
        rotations: in place of the arm's group, the same for all arms; null takes the group. Images only.
    """

    __test__ = False

    scaling: Literal["training", "own", "unit", "clipped"] = "training"
    interpolation: Interpolation | None = None
    fill: Fill | None = None
    rotations: UniformRotations | None = None


class EvaluationSet(TestSet):
    """A test set and its place in the experiment.

    Attributes:
        role: ``in`` for in-distribution, ``ood`` for out of distribution, ``train`` for the training samples.
        primary: the set that claims about its role refer to; one per role at most.
        label: name in figures; null takes the set's own name.
        condition_of: the set that this one repeats under other conditions of testing.
        condition: these conditions in words, e.g. ``other fill``.
        show_samples: the first nine inputs are kept in the summary, for a figure.
    """

    role: Role
    primary: bool = False
    label: str | None = None
    condition_of: Name | None = None
    condition: str | None = None
    show_samples: bool = False

    @model_validator(mode="after")
    def _check(self) -> "EvaluationSet":
        if (self.condition_of is None) != (self.condition is None):
            raise ValueError("condition_of and condition belong together: name the set and the conditions in words")
        if self.rotations is not None and self.primary:
            raise ValueError(
                "primary: claims about a role refer to orbits of the arm's group; with rotations of its own the set "
                "cannot be the primary one"
            )
        return self


class _TrainingSection(StrictModel):
    """What training reads."""

    train: DataSelection


class ImageTraining(_TrainingSection):
    """Images, and functions on a square lattice.

    Attributes:
        scaling: ``none`` for real-valued fields; ``standardise`` divides 8-bit pixels by 255, subtracts the mean of
            the training pixels and divides by their std; real-valued sets are in these units already.
        shape: (H, W, C) of one input, checked against the data.
        outputs: ``invariant`` for classes; ``pixels`` for one number per pixel, which moves with it.
    """

    domain: Literal["images"]
    shape: Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], Field(strict=False)]
    scaling: Literal["none", "standardise"]
    outputs: Literal["invariant", "pixels"] = "invariant"

    @property
    def sample_floats(self) -> int:
        """Returns the numbers in one input that stay in memory during an evaluation."""
        return math.prod(self.shape)


class PointCloudTraining(_TrainingSection):
    """Clouds of points, drawn from meshes at every access; classes as targets.

    Attributes:
        sampling: how clouds are drawn.
        test_points: ``per_member`` draws the test clouds anew for each member, ``shared`` once for all.
    """

    domain: Literal["point_clouds"]
    sampling: Sampling
    test_points: Literal["per_member", "shared"] = "per_member"

    @property
    def sample_floats(self) -> int:
        """Returns 0: clouds are drawn and turned batch by batch, and none stays."""
        return 0


class VectorTraining(_TrainingSection):
    """A few vectors of a line, of the plane or of space per sample.

    Attributes:
        num_vectors: V of one input [V, d].
        dimension: coordinates d of a vector; groups are those of as many dimensions.
        outputs: ``invariant`` for numbers that do not change under rotation; ``vectors`` for outputs that are vectors.
    """

    domain: Literal["vectors"]
    num_vectors: PositiveInt
    dimension: Literal[1, 2, 3] = 3
    outputs: Literal["invariant", "vectors"] = "invariant"

    @property
    def sample_floats(self) -> int:
        """Returns the numbers in one input that stay in memory during an evaluation."""
        return self.dimension * self.num_vectors


TrainingData = Annotated[ImageTraining | PointCloudTraining | VectorTraining, Field(discriminator="domain")]
Section = TypeVar("Section", bound=_TrainingSection)


class ImageEvaluation(ImageTraining):
    """The same with test sets."""

    evaluate: dict[Name, TestSet]


class PointCloudEvaluation(PointCloudTraining):
    """The same with test sets."""

    evaluate: dict[Name, TestSet]


class VectorEvaluation(VectorTraining):
    """The same with test sets."""

    evaluate: dict[Name, TestSet]


EvaluationData = Annotated[ImageEvaluation | PointCloudEvaluation | VectorEvaluation, Field(discriminator="domain")]


class _ExperimentSection(StrictModel):
    """Evaluation sets of an experiment, in the order of its figures."""

    evaluate: dict[Name, EvaluationSet] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_sets(self) -> "_ExperimentSection":
        for role in ("train", "in", "ood"):
            primaries = [name for name, entry in self.evaluate.items() if entry.role == role and entry.primary]
            if len(primaries) > 1:
                raise ValueError(f"evaluate: only one set of role {role!r} may be primary, found {primaries}")
        for name, entry in self.evaluate.items():
            original = self.evaluate.get(entry.condition_of or name)
            if original is None or original.role != entry.role or (entry.condition_of and original.condition_of):
                raise ValueError(
                    f"evaluate.{name}.condition_of: expected a set of the same role that is tested as trained, "
                    f"found {entry.condition_of!r}"
                )
        return self


class ImageData(ImageTraining, _ExperimentSection):
    """Images with their evaluation sets."""

    @model_validator(mode="after")
    def _check_rotations(self) -> "ImageData":
        for name, entry in self.evaluate.items():
            if entry.rotations is not None and self.outputs != "invariant":
                raise ValueError(
                    f"evaluate.{name}.rotations: rotations by any angle move no pixel onto another, and outputs that "
                    f"move with them cannot be compared; expected data.outputs 'invariant', found {self.outputs!r}"
                )
            if entry.rotations is not None and self.shape[0] != self.shape[1]:
                raise ValueError(f"evaluate.{name}.rotations: need square images, found {self.shape[:2]}")
        return self


class PointCloudData(PointCloudTraining, _ExperimentSection):
    """Point clouds with their evaluation sets."""

    @model_validator(mode="after")
    def _check_options(self) -> "PointCloudData":
        return _without_image_options(self)


class VectorData(VectorTraining, _ExperimentSection):
    """Vectors with their evaluation sets."""

    @model_validator(mode="after")
    def _check_options(self) -> "VectorData":
        return _without_image_options(self)


Data = Annotated[ImageData | PointCloudData | VectorData, Field(discriminator="domain")]
_STAGES: dict[str, tuple[type[_TrainingSection], type[_TrainingSection]]] = {
    "images": (ImageTraining, ImageEvaluation),
    "point_clouds": (PointCloudTraining, PointCloudEvaluation),
    "vectors": (VectorTraining, VectorEvaluation),
}


def _without_image_options(data: Section) -> Section:
    for name, entry in getattr(data, "evaluate").items():  # noqa: B009 - declared beside, in another base
        if (entry.scaling, entry.interpolation, entry.fill, entry.rotations) != ("training", None, None, None):
            raise ValueError(f"evaluate.{name}: scaling, interpolation, fill and rotations are settings of images")
    return data


def for_training(
    data: ImageData | PointCloudData | VectorData, num: int | None = None
) -> ImageTraining | PointCloudTraining | VectorTraining:
    """Returns what training may depend on: no evaluation sets.

    Args:
        data: of the experiment.
        num: training samples in place of those of the experiment; null takes these.
    """
    chosen = data if num is None else data.model_copy(update={"train": data.train.model_copy(update={"num": num})})
    return _cut(chosen, _STAGES[data.domain][0])


def for_evaluation(
    data: ImageData | PointCloudData | VectorData,
) -> ImageEvaluation | PointCloudEvaluation | VectorEvaluation:
    """Returns what evaluation may depend on: test sets without their place in the experiment."""
    return _cut(data, _STAGES[data.domain][1])


def _cut(data: StrictModel, target: type) -> Any:
    # Read again into the narrower class: the JSON of a stage then holds nothing else that could make it run again.
    content = data.model_dump(include=set(target.model_fields))
    if "evaluate" in content:
        kept = set(TestSet.model_fields)
        content["evaluate"] = {n: {k: v for k, v in s.items() if k in kept} for n, s in content["evaluate"].items()}
    return target.model_validate(content)


def selections(data: ImageData | PointCloudData | VectorData) -> tuple[DataSelection, ...]:
    """Returns every selection of samples, that for training first."""
    return (data.train, *data.evaluate.values())
