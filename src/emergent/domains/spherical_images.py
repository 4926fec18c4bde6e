"""Images on the sphere for training and tests, with labels or masks, drawn as the seed of an experiment says.

In: planar images and labels of a prepared data set. Out: grids of 2 b x 2 b points, or HEALPix. All arms of an
experiment, whatever their networks, see the same rotations; of more copies of the training images the first are those
of fewer.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.spatial.transform import Rotation

from emergent.config.spherical_images_training import SphereData, SphereStage, Task
from emergent.config.swin import SwinNetwork
from emergent.datasets.prepared import load_split
from emergent.errors import DataError
from emergent.groups.nested_grids import healpix_points
from emergent.groups.projection import grid_points, project, random_rotations

PURPOSES = {"train": 0, "validation": 1, "test": 2, "axes": 3}

Labelled = tuple[np.ndarray, np.ndarray]
"""Planar images [N, H, W] uint8 and labels [N]."""


class SphereImages(NamedTuple):
    """Images on the sphere.

    Attributes:
        images: grey values, 0 outside of what was projected.
        targets: labels [N], or masks [N, K, A] with 0 for the background and label + 1 elsewhere.
    """

    images: UInt8[np.ndarray, "N ..."]
    targets: Int[np.ndarray, "*points"]


class SphereSets(NamedTuple):
    """All that the networks of an arm see.

    Attributes:
        train: copies of the training images one after another.
        validation: rotated as training images are.
        upright: test images that are not rotated.
        rotated: the same, each with its rotation.
        rotations: of test images.
        turned: the first test images, turned by each of the angles about random axes.
    """

    train: SphereImages
    validation: SphereImages
    upright: SphereImages
    rotated: SphereImages
    rotations: Rotation
    turned: tuple[SphereImages, ...]


def points_of(stage: SphereStage) -> Float[np.ndarray, "*points 3"]:
    """Returns the points of the sphere at which networks of an arm see images: a grid of angles, or HEALPix."""
    nside = stage.network.nside if isinstance(stage.network, SwinNetwork) else None
    return grid_points(stage.bandwidth) if nside is None else healpix_points(nside)


def read_planar(path: Path, data: SphereData) -> dict[str, Labelled]:
    """Returns planar images and labels for training, validation and tests.

    Raises:
        DataError: there are too few, or they are no grey squares.
    """
    parts = {split: load_split(path, split) for split in ("train", "test")}
    wanted = {"train": data.num_train + data.num_validation, "test": data.num_test}
    for split, (images, labels) in parts.items():
        if labels is None or images.ndim != 4 or images.shape[-1] != 1 or images.shape[1] != images.shape[2]:
            raise DataError(f"{path}, {split}: expected labelled grey squares [N, S, S, 1], found {images.shape}.")
        if len(images) < wanted[split]:
            raise DataError(
                f"{path}, {split}: expected at least {wanted[split]} images, found {len(images)}; lower "
                "data.num_train, data.num_validation or data.num_test."
            )
    (train, labels), (test, test_labels) = parts["train"], parts["test"]
    assert labels is not None
    assert test_labels is not None
    last = slice(len(train) - data.num_validation, None)
    return {
        "train": (train[: data.num_train, ..., 0], labels[: data.num_train]),
        "validation": (train[last, ..., 0], labels[last]),
        "test": (test[: data.num_test, ..., 0], test_labels[: data.num_test]),
    }


def make(
    given: Labelled,
    task: Task,
    points: Float[np.ndarray, "*points 3"],
    threshold: int,
    rotations: Rotation | None = None,
) -> SphereImages:
    """Returns images on the sphere with what is asked of them."""
    images = project(given[0], points, rotations)
    labels = given[1].astype(np.int32)
    if task == "classify":
        return SphereImages(images, labels)
    return SphereImages(images, np.where(images > threshold, labels[:, None, None] + 1, 0).astype(np.uint8))


def make_sets(planar: dict[str, Labelled], stage: SphereStage) -> SphereSets:
    """Returns all that the networks of an arm see."""

    def turned(part: str, copy: int = 0) -> Rotation:
        generator = np.random.default_rng([stage.seed, PURPOSES[part], copy])
        return random_rotations(generator, len(planar[part][1]))

    points, data = points_of(stage), stage.data

    def of(part: str, rotations: Rotation | None) -> SphereImages:
        return make(planar[part], stage.task, points, data.threshold, rotations)

    copies = [of("train", turned("train", copy) if stage.copies else None) for copy in range(max(1, stage.copies))]
    train = SphereImages(*(np.concatenate(parts) for parts in zip(*copies, strict=True)))
    validation = of("validation", turned("validation") if stage.copies else None)
    rotations = turned("test")
    axes = np.random.default_rng([stage.seed, PURPOSES["axes"]]).normal(size=(data.num_moved, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    few = planar["test"][0][: data.num_moved], planar["test"][1][: data.num_moved]
    by_angle = tuple(
        make(few, stage.task, points, data.threshold, Rotation.from_rotvec(np.radians(angle) * axes))
        for angle in data.angles
    )
    return SphereSets(train, validation, of("test", None), of("test", rotations), rotations, by_angle)
