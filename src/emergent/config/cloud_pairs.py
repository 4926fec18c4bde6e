"""Typed options of the data sets of pairs of point clouds, with a lower bound of how far apart they are."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from emergent.config.base import StrictModel
from emergent.config.generators import Pair
from emergent.config.meshes import MeshFamily


class ArchiveClouds(StrictModel):
    """Clouds on meshes of an official ModelNet archive: its first ones of both classes, of either split.

    Attributes:
        archive: name of the archive, and of the folder inside it.
        classes: two folders.
    """

    shapes: Literal["archive"]
    archive: Literal["ModelNet10", "ModelNet40"]
    classes: Annotated[tuple[str, str], Field(strict=False)]


class VoxelClouds(StrictModel):
    """Clouds on occupied cells of the grids of 32 x 32 x 32 that were made of two training classes of ModelNet10.

    Attributes:
        classes: both; their first grids are for training, those that follow for testing.
    """

    shapes: Literal["voxels"]
    classes: Annotated[tuple[Literal["chair", "monitor"], Literal["chair", "monitor"]], Field(strict=False)]


class SolidClouds(StrictModel):
    """Clouds on generated solids.

    Attributes:
        classes: two families.
        extent: largest edge of a solid's bounding box, the smallest and the largest allowed.
    """

    shapes: Literal["solids"]
    classes: Annotated[tuple[MeshFamily, MeshFamily], Field(strict=False)]
    extent: Pair


class CloudPairOptions(StrictModel):
    """Every cloud of one class paired with every one of another.

    Attributes:
        source: of the shapes.
        num_clouds: of each class, in each split.
        num_points: of a cloud.
        epsilon: of the entropic regularisation, in squared units of squared lengths; clouds lie within [-1, 1]^3.
        seed: of the points.
    """

    source: Annotated[ArchiveClouds | VoxelClouds | SolidClouds, Field(discriminator="shapes")]
    num_clouds: PositiveInt
    num_points: PositiveInt
    epsilon: PositiveFloat
    seed: NonNegativeInt
