"""Samples of a manifold for flows, classifiers and attacks: points of a helix, or images; what near means for each.

Samples are vectors [N, D] in data space X: coordinates of points, or pixels between 0 and 1. Flows see them scaled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial.distance import cdist

from emergent.config.counterfactual_training import DigitImages, Helix
from emergent.config.domains import DataSelection
from emergent.datasets.helix import helix_distance, helix_points
from emergent.domains.prepared import read_split
from emergent.errors import DataError

GREY_LEVELS = 256
SMALLEST_SPREAD = 1e-3
"""Of a pixel, where noise within a grey level is less than a spread that was meant."""


class Pixels(NamedTuple):
    """Images [N, D] of 8 bits with labels [N]."""

    images: np.ndarray
    labels: np.ndarray

    def of_class(self, label: int) -> Float[np.ndarray, "M D"]:
        """Returns the images of a class in data space, without noise."""
        return unit(self.images[self.labels == label])


class Scaling(NamedTuple):
    """How flows see pixels: logit(margin + (1 - 2 margin) x), minus mean, over spread [D]."""

    mean: Float[Array, " D"]
    spread: Float[Array, " D"]
    margin: Float[Array, ""]

    def apply(self, data: Float[Array, "N D"]) -> tuple[Float[Array, "N D"], Float[Array, " N"]]:
        """Returns samples as flows see them, and the logarithms of the determinants of the derivatives."""
        inner = self.margin + (1 - 2 * self.margin) * data
        values = (jnp.log(inner) - jnp.log1p(-inner) - self.mean[None]) / self.spread[None]
        slopes = jnp.log(1 - 2 * self.margin) - jnp.log(inner) - jnp.log1p(-inner) - jnp.log(self.spread)[None]
        return values, slopes.sum(-1)

    def undo(self, values: Float[Array, "N D"]) -> Float[Array, "N D"]:
        """Returns samples in data space; pixels beyond black and white are black and white."""
        inner = jax.nn.sigmoid(values * self.spread[None] + self.mean[None])
        return jnp.clip((inner - self.margin) / (1 - 2 * self.margin), 0, 1)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["validation", "images", "labels", "scaling"],
    meta_fields=["reach", "num_samples"],
)
@dataclass(frozen=True)
class ManifoldData:
    """Resident training set, of images, or of points that are drawn at every access.

    Attributes:
        validation: samples [V, D] that choose the epoch of a flow.
        images: [N, D] of 8 bits; None for points.
        labels: [N].
        scaling: of pixels; None for points.
        reach: largest parameter of the helix.
        num_samples: of an epoch.
    """

    validation: Float[Array, "V D"]
    images: Array | None
    labels: Array | None
    scaling: Scaling | None
    reach: float
    num_samples: int

    def example(self) -> Float[Array, "1 D"]:
        """Returns one sample."""
        return self.validation[:1]

    def batch(self, indices: Int[Array, " B"], key: Array) -> tuple[Float[Array, "B D"], Int[Array, " B"]]:
        """Returns samples with their classes."""
        if self.images is None or self.labels is None:
            parameter = jax.random.uniform(key, indices.shape, minval=-self.reach, maxval=self.reach)
            points = jnp.stack([jnp.sin(parameter), jnp.cos(parameter), parameter], -1)
            return points, (parameter > 0).astype(jnp.int32)
        return noisy(self.images[indices], key), self.labels[indices]


def noisy(images: Array, key: Array) -> Float[Array, "N D"]:
    """Returns 8-bit images in data space, with uniform noise within a grey level."""
    return (images.astype(jnp.float32) + jax.random.uniform(key, images.shape)) / GREY_LEVELS


def unit(images: np.ndarray) -> Float[np.ndarray, "N D"]:
    """Returns 8-bit images in data space, each pixel in the middle of its grey level."""
    return (images.astype(np.float32) + np.float32(0.5)) / GREY_LEVELS


class Starts(NamedTuple):
    """Samples that are moved in one trial [P, D], and the class that each is moved to [P]."""

    data: Float[np.ndarray, "P D"]
    targets: Int[np.ndarray, " P"]


class HelixDomain:
    """Points of a helix. Distances are to the helix itself."""

    def __init__(self, settings: Helix) -> None:
        """Draws nothing yet."""
        self._settings = settings
        self.bounds: tuple[float, float] | None = None
        self.pixels = False

    def resident(self, generator: np.random.Generator) -> ManifoldData:
        """Returns the training set, with validation points of its own draw."""
        parameter = generator.uniform(-self._settings.reach, self._settings.reach, self._settings.validation)
        points = jnp.asarray(helix_points(parameter), jnp.float32)
        return ManifoldData(points, None, None, None, self._settings.reach, self._settings.num)

    def samples(self, num: int, generator: np.random.Generator) -> Float[np.ndarray, "N 3"]:
        """Returns some samples, as a whitening learns from them."""
        return helix_points(generator.uniform(-self._settings.reach, self._settings.reach, num)).astype(np.float32)

    def starts(self, num: int, generator: np.random.Generator) -> Starts:
        """Returns points, each of which is moved to the other class."""
        points = self.samples(num, generator)
        return Starts(points, (points[:, 2] <= 0).astype(np.int32))

    def tests(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Returns test points and their classes."""
        points = self.samples(self._settings.validation, generator)
        return points, (points[:, 2] > 0).astype(np.int32)

    def distance(self, data: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, " N"]:
        """Returns distances from the helix."""
        return helix_distance(data, self._settings.reach)


class ImageDomain:
    """Images. Distances are to the nearest training image of the target class, in units of those of held-out images."""

    def __init__(self, settings: DigitImages, train: Pixels, test: Pixels) -> None:
        """Takes the unit of distance.

        Raises:
            DataError: there are no images of a class, or too few.
        """
        self._settings = settings
        self.bounds: tuple[float, float] | None = (0.0, 1.0)
        self.pixels = True
        if settings.validation >= len(train.images):
            raise DataError(
                f"data.validation: expected fewer than the {len(train.images)} training images, found "
                f"{settings.validation}; lower it."
            )
        cut = len(train.images) - settings.validation
        self._train = Pixels(train.images[:cut], train.labels[:cut])
        self._validation = train.images[cut:]
        self._test = test
        self._near, held = self._train.of_class(settings.target), test.of_class(settings.target)
        for split, label, found in (("train", settings.target, len(self._near)), ("test", settings.target, len(held)),
                                    ("test", settings.start, int((test.labels == settings.start).sum()))):  # fmt: skip
            if not found:
                raise DataError(f"{split}: expected images of class {label}, found none; take more, or another class.")
        self.scale = float(np.median(cdist(held[: settings.held_out], self._near).min(1)))

    def resident(self, generator: np.random.Generator) -> ManifoldData:
        """Returns the training set, with the noise of validation images drawn once."""
        margin = self._settings.margin
        images = self._noisy(self._train.images, generator)
        inner = margin + (1 - 2 * margin) * images.astype(np.float64)
        logits = np.log(inner) - np.log1p(-inner)
        spread = np.maximum(logits.std(0), SMALLEST_SPREAD)
        scaling = Scaling(*(jnp.asarray(value, jnp.float32) for value in (logits.mean(0), spread, margin)))
        validation = jnp.asarray(self._noisy(self._validation, generator))
        own = self._train
        return ManifoldData(
            validation, jnp.asarray(own.images), jnp.asarray(own.labels, jnp.int32), scaling, 0.0, len(own.images)
        )

    @staticmethod
    def _noisy(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return (images.astype(np.float32) + generator.random(images.shape, np.float32)) / np.float32(GREY_LEVELS)

    def samples(self, num: int, generator: np.random.Generator) -> Float[np.ndarray, "N D"]:
        """Returns some training images with noise, as a whitening learns from them."""
        return self._noisy(self._train.images[:num], generator)

    def starts(self, num: int, generator: np.random.Generator) -> Starts:
        """Returns test images of the start class.

        Raises:
            DataError: there are fewer.
        """
        images = self._test.of_class(self._settings.start)
        if len(images) < num:
            raise DataError(
                f"attack.num: expected at most the {len(images)} test images of class {self._settings.start}, found "
                f"{num}; lower it."
            )
        chosen = generator.choice(len(images), num, replace=False)
        return Starts(images[chosen], np.full(num, self._settings.target, np.int32))

    def tests(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Returns test images and their classes."""
        del generator
        return unit(self._test.images), self._test.labels.astype(np.int32)

    def distance(self, data: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " N"]:
        """Returns distances from the nearest training image of the target class; 1 is that of a real image."""
        return cdist(data, self._near).min(1) / self.scale


Domain = HelixDomain | ImageDomain


def read_domain(paths: Mapping[str, Path], settings: Helix | DigitImages) -> Domain:
    """Returns the samples of an experiment.

    Raises:
        DataError: images of another shape than configured, or without labels.
    """
    if isinstance(settings, Helix):
        return HelixDomain(settings)
    return ImageDomain(settings, *(_read(paths[part.dataset], part, settings.side) for part in
                                   (settings.train, settings.test)))  # fmt: skip


def _read(path: Path, selection: DataSelection, side: int) -> Pixels:
    arrays = read_split(path, selection)
    images, labels = arrays["inputs"], arrays.get("labels")
    if images.shape[1:] != (side, side, 1) or images.dtype != np.uint8:
        raise DataError(
            f"{path}: expected grey 8-bit images of {side} x {side} pixels (data.side), found {images.dtype} of shape "
            f"{images.shape[1:]}."
        )
    if labels is None:
        raise DataError(f"{path}: counterfactuals belong to classes, but the data set has no labels; choose another.")
    return Pixels(images.reshape(len(images), -1), labels)
