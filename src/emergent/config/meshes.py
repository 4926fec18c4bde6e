"""Typed options of the data sets of triangle meshes."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.generators import GeneratorOptions

MeshFamily = Literal["box", "cylinder", "cone", "torus", "ellipsoid", "capsule", "tube"]


class ModelNetOptions(StrictModel):
    """A part of an official ModelNet archive.

    Attributes:
        archive: name of the archive, and of the folder inside it.
        classes: folders to read, in label order.
        splits: which of the archive's splits to keep.
    """

    archive: Literal["ModelNet10", "ModelNet40"]
    classes: Many[str] = Field(min_length=1)
    splits: Many[Literal["train", "test"]] = Field(min_length=1)


class GeneratedMeshOptions(GeneratorOptions):
    """Solids of random proportions, one family per class.

    Attributes:
        classes: families of the training and test split, in label order.
        ood_classes: families of the split ``ood``.
        num_train: meshes in the split ``train``, spread evenly over the classes.
        num_test: the same for the split ``test``.
        num_ood: the same for the split ``ood``.
        extent: largest edge of a mesh's bounding box, the smallest and the largest allowed.
        seed: of everything.
    """

    classes: Many[MeshFamily] = Field(min_length=2)
    ood_classes: Many[MeshFamily] = Field(min_length=1)
    num_train: PositiveInt
    num_test: PositiveInt
    num_ood: PositiveInt
    extent: Annotated[tuple[PositiveFloat, PositiveFloat], Field(strict=False)]
    seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _check(self) -> "GeneratedMeshOptions":
        if common := sorted(set(self.classes) & set(self.ood_classes)):
            raise ValueError(f"ood_classes: {', '.join(common)} must not be among the classes too")
        for name in ("classes", "ood_classes"):
            families = getattr(self, name)
            if len(set(families)) != len(families):
                raise ValueError(f"{name}: a family is named twice in {list(families)}")
        if self.extent[1] < self.extent[0]:
            raise ValueError(f"extent: expected [smallest, largest], found {list(self.extent)}")
        return self
