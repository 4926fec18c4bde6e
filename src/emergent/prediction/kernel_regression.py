"""Kernel regression at infinite time on random splits of a data set: accuracy against the size of the training set.

In: the stage of an arm and its images. Out: for every split and size the accuracy on test images, with the regulariser
that is best on validation images. Everything is in float64.

References:
    arXiv 2406.06504: predictions Theta(x, X) (Theta(X, X) + r)^-1 Y of the mean of infinitely wide networks.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.config.kernel_regression import KernelRegressionStage, Splits
from emergent.domains.samples import Samples
from emergent.errors import ConfigError, DataError
from emergent.kernels.architectures import KernelFunction
from emergent.kernels.gram import cross_gram, gram
from emergent.kernels.registry import kernel_function
from emergent.storage import Array

# A Gram matrix has no negative eigenvalues; those of rounding are below this part of the largest one.
ROUNDING = 1e-10


class Split(NamedTuple):
    """Images and labels of one member."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def pooled(images: Float[np.ndarray, "N H W C"], pool: int) -> Float[np.ndarray, "N h w C"]:
    """Returns images averaged over boxes of ``pool`` x ``pool`` pixels, in float64."""
    num, height, width, channels = images.shape
    boxes = np.asarray(images, np.float64).reshape(num, height // pool, pool, width // pool, pool, channels)
    return boxes.mean((2, 4))


def draw_split(
    images: Float[np.ndarray, "N H W C"], labels: Int[np.ndarray, " N"], splits: Splits, seed: int, member: int
) -> Split:
    """Returns one split, which depends on seed and member alone.

    Test and validation images come first, so that they are the same whatever the largest training set is.

    Raises:
        DataError: too few images.
    """
    if len(images) < splits.total:
        raise DataError(
            f"splits: {splits.test} test, {splits.validation} validation and {max(splits.train)} training images are "
            f"{splits.total}, but the data set has {len(images)}; use fewer."
        )
    generator = np.random.default_rng([seed, member])
    order = generator.permutation(len(images))[: splits.total]
    turns = generator.integers(0, 4, splits.total) if splits.turned else np.zeros(splits.total, int)
    chosen = np.stack([np.rot90(images[i], turn) for i, turn in zip(order, turns, strict=True)])
    borders = [splits.test, splits.test + splits.validation]
    test, validation, train = (
        (one, two) for one, two in zip(np.split(chosen, borders), np.split(labels[order], borders), strict=True)
    )
    return Split(train, validation, test)


def regression_accuracies(
    kernel: KernelFunction, split: Split, sizes: Sequence[int], regularisers: Sequence[float], tile_size: int = 128
) -> tuple[Float[np.ndarray, "S Q"], Float[np.ndarray, "S Q"]]:
    """Returns accuracies on validation and on test images, for every training set size and regulariser.

    Args:
        kernel: of the network.
        split: images and labels.
        sizes: of the training set, the first images of the split.
        regularisers: added to the diagonal of the Gram matrix, in units of its mean.
        tile_size: samples per side of a tile.

    Raises:
        ConfigError: the kernel is no kernel: its Gram matrix is not positive.
    """
    inputs, labels = split.train
    others = np.concatenate([split.validation[0], split.test[0]])
    matrix = gram(kernel, inputs, tile_size).ntk
    cross = cross_gram(kernel, others, inputs, tile_size).ntk
    num_classes = 1 + max(int(part[1].max()) for part in split)
    # As in training (arXiv 2406.06504): one-hot vectors of mean 0, the mean of networks before training.
    targets = np.eye(num_classes)[labels] - 1 / num_classes
    found = np.empty((2, len(sizes), len(regularisers)))
    for s, size in enumerate(sizes):
        values, vectors = np.linalg.eigh(matrix[:size, :size])
        _require_positive(values, size)
        components = vectors.T @ targets[:size]
        scores = cross[:, :size] @ vectors
        for q, regulariser in enumerate(regularisers):
            weights = np.maximum(values, 0.0) + regulariser * values.mean()
            right = (scores @ (components / weights[:, None])).argmax(1) == np.concatenate(
                [split.validation[1], split.test[1]]
            )
            found[:, s, q] = right[: len(split.validation[1])].mean(), right[len(split.validation[1]) :].mean()
    return found[0], found[1]


def _require_positive(values: Float[np.ndarray, " N"], size: int) -> None:
    if values[0] < -ROUNDING * values[-1]:
        raise ConfigError(
            f"Gram matrix of {size} images: expected eigenvalues of at least 0, found {values[0]:.3g} (largest "
            f"{values[-1]:.3g}); the kernel is none, or was computed in too low a precision. A regulariser above "
            f"{-values[0] / values.mean():.1g} would hide it."
        )


def chosen_regularisers(validation: Float[np.ndarray, "S Q"]) -> Int[np.ndarray, " S"]:
    """Returns the position of the best regulariser of each size; of equally good ones the largest."""
    best = validation.max(1, keepdims=True)
    return validation.shape[1] - 1 - np.argmax((validation == best)[:, ::-1], axis=1)


def kernel_regression_arrays(
    stage: KernelRegressionStage, members: Sequence[int], samples: Samples, advance: Callable[[int], None]
) -> dict[str, Array]:
    """Returns what is stored of a block of splits.

    Args:
        stage: settings of the arm.
        members: splits of the block.
        samples: all images.
        advance: called with 1 after every split.

    Raises:
        DataError: too few images, or none with classes.
    """
    if samples.labels is None:
        raise DataError(f"{stage.data.train.dataset}: kernel regression learns classes, but the data set has none.")
    images = pooled(samples.inputs, stage.splits.average_pool)
    kernel = kernel_function(stage.model, images.shape[1:])
    accuracy, regulariser, by_regulariser = [], [], []
    for member in members:
        split = draw_split(images, samples.labels, stage.splits, stage.seed, member)
        validation, test = regression_accuracies(kernel, split, stage.splits.train, stage.regularisers, stage.tile_size)
        chosen = chosen_regularisers(validation)
        accuracy.append(test[np.arange(len(chosen)), chosen])
        regulariser.append(np.asarray(stage.regularisers)[chosen])
        by_regulariser.append(test)
        advance(1)
    sizes, grid = np.asarray(stage.splits.train), np.asarray(stage.regularisers)
    text = "share of test images whose class is predicted"
    return {
        "members": Array(np.asarray(members), ("member",)),
        "sizes": Array(sizes, ("size",), "images", "training set sizes"),
        "regularisers": Array(grid, ("regulariser",), "1", "in units of the mean of the Gram matrix's diagonal"),
        "accuracy": Array(np.stack(accuracy), ("member", "size"), "1", text),
        "regulariser": Array(np.stack(regulariser), ("member", "size"), "1", "best on validation images"),
        "accuracy_by_regulariser": Array(np.stack(by_regulariser), ("member", "size", "regulariser"), "1", text),
    }
