"""Kernel regression at infinite time on random splits of a data set: accuracy against the size of the training set.

In: the stage of an arm and its images. Out: for every split and size the accuracy on test images, with the regulariser
that is best on validation images. Everything is in float64.

References:
    arXiv 2406.06504: predictions Theta(x, X) (Theta(X, X) + r)^-1 Y of the mean of infinitely wide networks.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.config.kernel_regression import KernelRegressionStage, Splits
from emergent.config.prediction_memory import floats_per_pair
from emergent.domains.samples import Samples
from emergent.errors import ConfigError, DataError
from emergent.kernels.architectures import KernelFunction
from emergent.kernels.gram import cross_gram, gram, require_memory
from emergent.kernels.registry import kernel_function
from emergent.provenance import physical_memory_bytes
from emergent.storage import Array

# A Gram matrix has no negative eigenvalues; those of rounding are below this part of the largest one.
ROUNDING = 1e-10
# Both kernels, and the one that is used once more while it is cut out.
MATRIX_COPIES = 3


class Split(NamedTuple):
    """Positions in the data set of the images of one member."""

    train: Int[np.ndarray, " N"]
    validation: Int[np.ndarray, " V"]
    test: Int[np.ndarray, " T"]

    @property
    def others(self) -> Int[np.ndarray, " V+T"]:
        """Returns the images that predictions are made for."""
        return np.concatenate([self.validation, self.test])


class Problem(NamedTuple):
    """Kernel and labels of one split.

    Attributes:
        matrix: of the training images.
        cross: between validation and test images, in this order, and training images.
        labels: of the training images.
        validation: labels of the validation images.
        test: labels of the test images.
    """

    matrix: Float[np.ndarray, "N N"]
    cross: Float[np.ndarray, "V+T N"]
    labels: Int[np.ndarray, " N"]
    validation: Int[np.ndarray, " V"]
    test: Int[np.ndarray, " T"]


def pooled(images: Float[np.ndarray, "N H W C"], pool: int) -> Float[np.ndarray, "N h w C"]:
    """Returns images averaged over boxes of ``pool`` x ``pool`` pixels, in float64."""
    num, height, width, channels = images.shape
    boxes = np.asarray(images, np.float64).reshape(num, height // pool, pool, width // pool, pool, channels)
    return boxes.mean((2, 4))


def turned(images: Float[np.ndarray, "N H H C"], seed: int) -> Float[np.ndarray, "N H H C"]:
    """Returns every image turned by quarter turns drawn at random, the same for an image in all splits."""
    turns = np.random.default_rng([seed, 4]).integers(0, 4, len(images))
    return np.stack([np.rot90(image, turn) for image, turn in zip(images, turns, strict=True)])


def draw_split(num: int, splits: Splits, seed: int, member: int) -> Split:
    """Returns one split of ``num`` images, which depends on seed and member alone.

    Test and validation images come first, so that they are the same whatever the largest training set is.

    Raises:
        DataError: too few images.
    """
    if num < splits.total:
        raise DataError(
            f"splits: {splits.test} test, {splits.validation} validation and {max(splits.train)} training images are "
            f"{splits.total}, but the data set has {num}; use fewer."
        )
    order = np.random.default_rng([seed, 0, member]).permutation(num)[: splits.total]
    test, validation, train = np.split(order, [splits.test, splits.test + splits.validation])
    return Split(train, validation, test)


def shared_images(splits: Sequence[Split]) -> Int[np.ndarray, " U"] | None:
    """Returns the images of all splits, ascending, where all their pairs are fewer than those of split after split."""
    used = np.unique(np.concatenate([np.concatenate([split.train, split.others]) for split in splits]))
    sizes = [(len(split.train), len(split.others)) for split in splits]
    each = sum(train * (train + 1) // 2 + others * train for train, others in sizes)
    return used if len(used) * (len(used) + 1) // 2 < each else None


def matrix_bytes(splits: Sequence[Split]) -> int:
    """Returns the memory of the Gram matrices that are held at once: those of all images, or of one split."""
    used = shared_images(splits)
    largest = max(len(split.train) * (len(split.train) + len(split.others)) for split in splits)
    return MATRIX_COPIES * 8 * (largest if used is None else len(used) ** 2)


def problems(
    kernel: KernelFunction,
    images: Float[np.ndarray, "N H W C"],
    labels: Int[np.ndarray, " N"],
    splits: Sequence[Split],
    tile_size: int,
) -> Iterator[Problem]:
    """Yields kernel and labels of every split.

    Splits of a small data set share most pairs of images: where that is less work, all pairs are computed once.
    """
    used = shared_images(splits)
    together = None if used is None else gram(kernel, images[used], tile_size).ntk
    for split in splits:
        if used is None or together is None:
            matrix = gram(kernel, images[split.train], tile_size).ntk
            cross = cross_gram(kernel, images[split.others], images[split.train], tile_size).ntk
        else:
            train, others = (np.searchsorted(used, part) for part in (split.train, split.others))
            matrix, cross = together[np.ix_(train, train)], together[np.ix_(others, train)]
        yield Problem(matrix, cross, labels[split.train], labels[split.validation], labels[split.test])


def regression_accuracies(
    problem: Problem, sizes: Sequence[int], regularisers: Sequence[float]
) -> tuple[Float[np.ndarray, "S Q"], Float[np.ndarray, "S Q"]]:
    """Returns accuracies on validation and on test images, for every training set size and regulariser.

    Args:
        problem: kernel and labels.
        sizes: of the training set, its first images.
        regularisers: added to the diagonal of the Gram matrix, in units of its mean.

    Raises:
        ConfigError: the kernel is no kernel: its Gram matrix is not positive.
    """
    num_classes = 1 + max(int(part.max()) for part in (problem.labels, problem.validation, problem.test))
    # As in training (arXiv 2406.06504): one-hot vectors of mean 0, the mean of networks before training.
    targets = np.eye(num_classes)[problem.labels] - 1 / num_classes
    truth, num_validation = np.concatenate([problem.validation, problem.test]), len(problem.validation)
    found = np.empty((2, len(sizes), len(regularisers)))
    for s, size in enumerate(sizes):
        values, vectors = np.linalg.eigh(problem.matrix[:size, :size])
        _require_positive(values, size)
        components = vectors.T @ targets[:size]
        scores = problem.cross[:, :size] @ vectors
        for q, regulariser in enumerate(regularisers):
            weights = np.maximum(values, 0.0) + regulariser * values.mean()
            right = (scores @ (components / weights[:, None])).argmax(1) == truth
            found[:, s, q] = right[:num_validation].mean(), right[num_validation:].mean()
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
    stage: KernelRegressionStage,
    members: Sequence[int],
    samples: Samples,
    advance: Callable[[int], None],
    memory_bytes: int | None = None,
) -> dict[str, Array]:
    """Returns what is stored of a block of splits.

    Args:
        stage: settings of the arm.
        members: splits of the block.
        samples: all images.
        advance: called with 1 after every split.
        memory_bytes: memory that may be used; None takes the machine's.

    Raises:
        DataError: too few images, or none with classes.
        ResourceError: the Gram matrices would need more memory.
    """
    if samples.labels is None:
        raise DataError(f"{stage.data.train.dataset}: kernel regression learns classes, but the data set has none.")
    images = pooled(samples.inputs, stage.splits.average_pool)
    if stage.splits.turned:
        images = turned(images, stage.seed)
    kernel = kernel_function(stage.model, images.shape[1:])
    splits = [draw_split(len(images), stage.splits, stage.seed, member) for member in members]
    kept, available = images.nbytes + matrix_bytes(splits), memory_bytes or physical_memory_bytes()
    require_memory(kept, stage.tile_size, floats_per_pair(stage.model, images.shape[1:]), available)
    accuracy, regulariser, by_regulariser = [], [], []
    for problem in problems(kernel, images, samples.labels, splits, stage.tile_size):
        validation, test = regression_accuracies(problem, stage.splits.train, stage.regularisers)
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
