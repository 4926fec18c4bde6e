"""Images with a square missing as inputs, whole ones as targets; permutations of pixels move both."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergent.config.domains import DataSelection
from emergent.config.inpainting import InpaintingImages
from emergent.domains.prepared import read_split
from emergent.errors import DataError
from emergent.groups.blocks import draw_permutations, mirror, move

# The images are the same for every seed and run: which are taken is part of the data.
SELECTION_SEED = 999


class Pool(NamedTuple):
    """Scaled images [N, P], row by row, from which every run takes its own split and holes."""

    train: Float[np.ndarray, "N P"]
    test: Float[np.ndarray, "N P"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["images", "kept", "validation_inputs", "validation_targets"],
    meta_fields=["flips", "permuted"],
)
@dataclass(frozen=True)
class InpaintingData:
    """Resident training set of one run.

    Attributes:
        images: [N, P], whole.
        kept: [N, P], whether a pixel is seen.
        validation_inputs: [V, P], with holes.
        validation_targets: [V, P].
        flips: images are mirrored with probability one half at every access, their holes are not.
        permuted: blocks a side within which pixels of inputs and targets are permuted alike; None for none.
    """

    images: Float[Array, "N P"]
    kept: Bool[Array, "N P"]
    validation_inputs: Float[Array, "V P"]
    validation_targets: Float[Array, "V P"]
    flips: bool
    permuted: int | None

    @property
    def num_samples(self) -> int:
        """Returns the number of training images."""
        return self.images.shape[0]

    @property
    def copies(self) -> int:
        """Returns 1: augmentation draws one copy."""
        return 1

    def example(self) -> Float[Array, "1 P"]:
        """Returns one image."""
        return self.images[:1]

    def batch(self, indices: Int[Array, " B"] | None, key: PRNGKeyArray) -> tuple[Array, Array]:
        """Returns augmented inputs and targets."""
        images, kept = (values if indices is None else values[indices] for values in (self.images, self.kept))
        if self.flips:
            images = flipped(images, jax.random.fold_in(key, 0))
        inputs = images * kept
        if self.permuted is None:
            return inputs, images
        side = round(images.shape[1] ** 0.5)
        drawn = draw_permutations(jax.random.fold_in(key, 1), len(images), side, self.permuted)
        return move(inputs, drawn), move(images, drawn)


def flipped(images: Float[Array, "N P"], key: PRNGKeyArray) -> Float[Array, "N P"]:
    """Returns images of which each is mirrored with probability one half."""
    chosen = jax.random.bernoulli(key, 0.5, (len(images), 1))
    return jnp.where(chosen, mirror(images), images)


def read_pool(paths: Mapping[str, Path], data: InpaintingImages) -> Pool:
    """Returns the scaled images, as many of every class.

    Raises:
        DataError: another size than configured, no labels, or too few images of a class.
    """
    return Pool(_read(paths[data.train.dataset], data.train, data), _read(paths[data.test.dataset], data.test, data))


def _read(path: Path, selection: DataSelection, data: InpaintingImages) -> np.ndarray:
    arrays = read_split(path, selection.model_copy(update={"num": None}))
    images, labels = arrays["inputs"], arrays.get("labels")
    if images.shape[1:] != (data.side, data.side, 1) or images.dtype != np.uint8:
        raise DataError(
            f"{path}: expected 8-bit images of {data.side} x {data.side} pixels and one channel (data.side), found "
            f"{images.dtype} of shape {images.shape[1:]}."
        )
    if labels is None:
        raise DataError(f"{path}: as many images of every class are taken, which needs labels; there are none.")
    chosen = stratified(path, labels, selection)
    return ((images[chosen].reshape(len(chosen), -1) / 255 - data.mean) / data.std).astype(np.float32)


def stratified(path: Path, labels: Int[np.ndarray, " N"], selection: DataSelection) -> Int[np.ndarray, " S"]:
    """Returns positions of the selected samples, equally many of every class, or as nearly so as their number allows.

    Their order is random, so that the first few are not all of one class.

    Raises:
        DataError: a class has too few.
    """
    generator, num = np.random.default_rng(SELECTION_SEED), selection.num or len(labels)
    classes = np.unique(labels)
    shares = [len(part) for part in np.array_split(np.arange(num), len(classes))]
    parts = []
    for label, share in zip(classes, shares, strict=True):
        own = generator.permutation(np.flatnonzero(labels == label))
        if len(own) < share:
            raise DataError(
                f"{path}: split {selection.split!r} has {len(own)} samples of class {label}, {share} are needed for "
                f"{num} in all; lower data.{selection.split}.num."
            )
        parts.append(own[:share])
    return generator.permutation(np.concatenate(parts))


def holes(generator: np.random.Generator, num: int, side: int, hole: int) -> Bool[np.ndarray, "N P"]:
    """Returns which pixels are seen: all but a square, with its corner uniform from 0 to side - hole - 1 each way."""
    corners = generator.integers(0, side - hole, (num, 2))
    place = np.arange(side)
    inside = (place >= corners[..., None]) & (place < corners[..., None] + hole)
    return ~(inside[:, 0, :, None] & inside[:, 1, None, :]).reshape(num, -1)


class Run(NamedTuple):
    """What one run trains on and is tested on.

    Attributes:
        data: training and validation.
        test_inputs: [T, P], with holes.
        test_targets: [T, P].
    """

    data: InpaintingData
    test_inputs: Float[np.ndarray, "T P"]
    test_targets: Float[np.ndarray, "T P"]


def draw_run(pool: Pool, data: InpaintingImages, permuted: int | None, seed: list[int]) -> Run:
    """Returns the split and the holes of one run; they depend on the seed alone."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(pool.train))
    num = round(len(order) * data.validation)
    if not 0 < num < len(order):
        raise DataError(f"data.validation: {data.validation} of {len(order)} images leaves none to one of both parts.")
    images = pool.train[order]
    test = pool.test
    if data.flips:
        # Training images are mirrored at every access; others once, as no epoch may see them change.
        chosen = generator.random(len(images) + len(test)) < 0.5
        mirrored = [np.asarray(mirror(jnp.asarray(part))) for part in (images, test)]
        fixed = chosen[: len(images), None] & (np.arange(len(images)) < num)[:, None]
        images = np.where(fixed, mirrored[0], images)
        test = np.where(chosen[len(images) :, None], mirrored[1], test)
    kept = holes(generator, len(images) + len(test), data.side, data.hole)
    seen, seen_test = kept[: len(images)], kept[len(images) :]
    validation = jnp.asarray(images[:num] * seen[:num]), jnp.asarray(images[:num])
    training = InpaintingData(jnp.asarray(images[num:]), jnp.asarray(seen[num:]), *validation, data.flips, permuted)
    return Run(training, test * seen_test, test)
