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

from emergent.config.kernel_regression import KernelRegressionStage
from emergent.config.prediction_memory import floats_per_pair
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import Tiles, computed, cross_gram, gram, require_memory
from emergent.kernels.registry import kernel_function
from emergent.kernels.tile_store import TileStore
from emergent.prediction.ridge import (
    Measure,
    Split,
    chosen_regularisers,
    draw_split,
    ridge_predictions,
    stored_measures,
)
from emergent.provenance import physical_memory_bytes
from emergent.storage import Array

ACCURACY = Measure("accuracy", "1", "share of test images whose class is predicted", "images")
# Both kernels, and the one that is used once more while it is cut out.
MATRIX_COPIES = 3


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


def shared_images(splits: Sequence[Split]) -> Int[np.ndarray, " U"] | None:
    """Returns the images of all splits, ascending, where all their pairs are fewer than those of split after split."""
    used = np.unique(np.concatenate([np.concatenate([split.train, split.others]) for split in splits]))
    return used if _pairs_within(len(used)) < _pairs_one_by_one(splits) else None


def num_pairs(splits: Sequence[Split]) -> int:
    """Returns the pairs of images whose kernels ``problems`` needs."""
    used = shared_images(splits)
    return _pairs_one_by_one(splits) if used is None else _pairs_within(len(used))


def _pairs_within(num: int) -> int:
    return num * (num + 1) // 2


def _pairs_one_by_one(splits: Sequence[Split]) -> int:
    return sum(_pairs_within(len(split.train)) + len(split.others) * len(split.train) for split in splits)


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
    store: TileStore | None = None,
) -> Iterator[Problem]:
    """Yields kernel and labels of every split.

    Splits of a small data set share most pairs of images: where that is less work, all pairs are computed once.

    Args:
        kernel: of the network.
        images: all of them.
        labels: their classes.
        splits: of the members of a block.
        tile_size: images per side of a tile.
        store: keeps finished tiles; None computes all of them.
    """

    def tiles(name: str, *inputs: np.ndarray) -> Tiles:
        return computed if store is None else store.of(name, *inputs)

    used = shared_images(splits)
    together = None if used is None else gram(kernel, images[used], tile_size, tiles("all", images[used])).ntk
    for split in splits:
        if used is None or together is None:
            learnt, others = images[split.train], images[split.others]
            matrix = gram(kernel, learnt, tile_size, tiles("train", learnt)).ntk
            cross = cross_gram(kernel, others, learnt, tile_size, tiles("others", others, learnt)).ntk
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
        matrix, cross = problem.matrix[:size, :size], problem.cross[:, :size]
        right = ridge_predictions(matrix, cross, targets[:size], regularisers).argmax(2) == truth
        found[:, s] = right[:, :num_validation].mean(1), right[:, num_validation:].mean(1)
    return found[0], found[1]


def kernel_regression_arrays(
    stage: KernelRegressionStage,
    members: Sequence[int],
    samples: Samples,
    advance: Callable[[int], None],
    memory_bytes: int | None = None,
    store: TileStore | None = None,
) -> dict[str, Array]:
    """Returns what is stored of a block of splits.

    Args:
        stage: settings of the arm.
        members: splits of the block.
        samples: all images.
        advance: called with 1 after every split.
        memory_bytes: memory that may be used; None takes the machine's.
        store: keeps finished tiles of Gram matrices, for a run that is cut short.

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
    needed = require_memory(kept, stage.tile_size, floats_per_pair(stage.model, images.shape[1:]), available)
    if store is not None:
        store.announce(kernel, images, num_pairs(splits), needed)
    grids, chosen = [], []
    for problem in problems(kernel, images, samples.labels, splits, stage.tile_size, store):
        validation, test = regression_accuracies(problem, stage.splits.train, stage.regularisers)
        grids.append(test)
        chosen.append(chosen_regularisers(validation))
        advance(1)
    return stored_measures(ACCURACY, members, stage.splits, stage.regularisers, grids, chosen)
