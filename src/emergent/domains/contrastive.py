"""Images that are learnt from without their labels, and read out with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from emergent.config.contrastive import ContrastiveImages
from emergent.config.domains import DataSelection
from emergent.domains.prepared import read_split
from emergent.errors import DataError

GREY_LEVELS = 255.0


class Labelled(NamedTuple):
    """Images [N, H, W, C] of 8 bits with labels [N]."""

    images: np.ndarray
    labels: np.ndarray


class Unlabelled(NamedTuple):
    """Resident training images [N, H, W, C] of 8 bits."""

    images: Array

    @property
    def num_samples(self) -> int:
        """Returns the number of images."""
        return self.images.shape[0]

    def example(self) -> Float[Array, "1 H W C"]:
        """Returns one image as networks see it."""
        return jnp.asarray(self.images[:1], jnp.float32)


def read_images(paths: Mapping[str, Path], data: ContrastiveImages) -> tuple[Labelled, Labelled]:
    """Returns training and test images.

    Raises:
        DataError: another shape than configured, or no labels.
    """
    return _read(paths[data.train.dataset], data.train, data), _read(paths[data.test.dataset], data.test, data)


def _read(path: Path, selection: DataSelection, data: ContrastiveImages) -> Labelled:
    arrays = read_split(path, selection)
    images, labels = arrays["inputs"], arrays.get("labels")
    if images.shape[1:] != data.shape or images.dtype != np.uint8:
        raise DataError(
            f"{path}: expected 8-bit images of shape {data.shape} (data.side, and a number in data.mean for each "
            f"channel), found {images.dtype} of shape {images.shape[1:]}."
        )
    if labels is None:
        raise DataError(f"{path}: readouts learn classes, but the data set has no labels; choose another one.")
    return Labelled(images, labels)


def unit(images: Array | np.ndarray) -> Array:
    """Returns 8-bit images with pixels between 0 and 1."""
    return jnp.asarray(images, jnp.float32) / GREY_LEVELS


def scaled(images: Float[Array, "N H W C"], data: ContrastiveImages) -> Float[Array, "N H W C"]:
    """Returns images as networks see them."""
    mean, std = (jnp.asarray(values, images.dtype)[None, None, None] for values in (data.mean, data.std))
    return (images - mean) / std
