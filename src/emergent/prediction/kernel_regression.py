"""Kernel regression at infinite time on random splits of a data set: accuracy against the size of the training set.

Networks that learn all copies of their training images under a group are solved on all these copies, from kernels of
which those of one image with copies of another are computed: a kernel without spatial output does not change if both
are transformed alike. That their mean is the one of a network with equivariant layers is a result, and not used.

In: the stage of an arm and its images. Out: for every split and size the accuracy on test images, with the regulariser
that is best on validation images. Everything is in float64.

References:
    arXiv 2406.06504: predictions Theta(x, X) (Theta(X, X) + r)^-1 Y of the mean of infinitely wide networks.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from emergent.config.kernel_regression import KernelRegressionStage
from emergent.config.prediction_memory import floats_per_pair
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.groups.images import image_action, orbit
from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import Tiles, computed, cross_gram, gram, require_memory
from emergent.kernels.registry import kernel_function
from emergent.kernels.tile_store import TileStore
from emergent.point_groups import FiniteGroup, group_from_name
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
    """Kernel and labels of one split; copies are those of the identity alone where nothing is augmented.

    Attributes:
        matrix: Theta(x_i, rho(g) x_j) of training images.
        cross: between validation and test images, in this order, and copies of training images.
        labels: of the training images.
        validation: labels of the validation images.
        test: labels of the test images.
        group: of the copies.
    """

    matrix: Float[np.ndarray, "G N N"]
    cross: Float[np.ndarray, "V+T G N"]
    labels: Int[np.ndarray, " N"]
    validation: Int[np.ndarray, " V"]
    test: Int[np.ndarray, " T"]
    group: FiniteGroup


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


def matrix_bytes(splits: Sequence[Split], order: int) -> int:
    """Returns the memory of the Gram matrices that are held at once.

    Args:
        splits: of the block; kernels are held of all their images, or of one split.
        order: of the group of copies, of which the whole Gram matrix of a split is solved.
    """
    used = shared_images(splits)
    largest = max(len(split.train) * (len(split.train) + len(split.others)) for split in splits)
    whole = max(len(split.train) for split in splits) ** 2 * order**2 if order > 1 else 0
    return MATRIX_COPIES * 8 * (order * (largest if used is None else len(used) ** 2) + whole)


def problems(
    kernel: KernelFunction,
    images: Float[np.ndarray, "N H W C"],
    labels: Int[np.ndarray, " N"],
    splits: Sequence[Split],
    tile_size: int,
    store: TileStore | None = None,
    augmented: str | None = None,
) -> Iterator[Problem]:
    """Yields kernel and labels of every split.

    Splits of a small data set share most pairs of images: where that is less work, all pairs are computed once.

    Args:
        kernel: of the network; unchanged if both images are transformed alike.
        images: all of them.
        labels: their classes.
        splits: of the members of a block.
        tile_size: images per side of a tile.
        store: keeps finished tiles; None computes all of them.
        augmented: group whose copies of the training images are learnt too.
    """

    def tiles(name: str, *inputs: np.ndarray) -> Tiles:
        return computed if store is None else store.of(name, *inputs)

    group = group_from_name(augmented or "C1")
    action = None if augmented is None else image_action(group, *images.shape[1:3])

    def copies(inputs: np.ndarray) -> Float[np.ndarray, "G N H W C"]:
        return inputs[None] if action is None else np.asarray(orbit(action, jnp.asarray(inputs)))

    def within(name: str, inputs: np.ndarray) -> Float[np.ndarray, "G N N"]:
        found = np.empty((group.order, len(inputs), len(inputs)))
        for g, copied in enumerate(copies(inputs)):
            inverse = int(group.inverse[g])
            if g == 0:
                found[g] = gram(kernel, inputs, tile_size, tiles(name, inputs)).ntk
            elif g <= inverse:
                found[g] = cross_gram(kernel, inputs, copied, tile_size, tiles(name, inputs, copied)).ntk
                # Theta(x_j, g^-1 x_i) = Theta(g x_j, x_i).
                found[inverse] = found[g].T
        return found

    used = shared_images(splits)
    together = None if used is None else within("all", images[used])
    for split in splits:
        if used is None or together is None:
            learnt, others = images[split.train], images[split.others]
            matrix = within("train", learnt)
            cross = np.stack(
                [
                    cross_gram(kernel, others, copied, tile_size, tiles("others", others, copied)).ntk
                    for copied in copies(learnt)
                ],
                axis=1,
            )
        else:
            train, others = (np.searchsorted(used, part) for part in (split.train, split.others))
            matrix = together[:, train[:, None], train]
            cross = np.moveaxis(together[:, others[:, None], train], 0, 1)
        yield Problem(matrix, cross, labels[split.train], labels[split.validation], labels[split.test], group)


def regression_accuracies(
    problem: Problem, sizes: Sequence[int], regularisers: Sequence[float]
) -> tuple[Float[np.ndarray, "S Q"], Float[np.ndarray, "S Q"]]:
    """Returns accuracies on validation and on test images, for every training set size and regulariser.

    Args:
        problem: kernel and labels.
        sizes: of the training set, its first images, with all their copies.
        regularisers: added to the diagonal of the Gram matrix, in units of its mean; with copies in units of the mean
            diagonal of the group mean, for the mean loss over copies, so that a network that is equivariant by
            construction has the same penalty.

    Raises:
        ConfigError: the kernel is no kernel: its Gram matrix is not positive.
    """
    num_classes = 1 + max(int(part.max()) for part in (problem.labels, problem.validation, problem.test))
    # As in training (arXiv 2406.06504): one-hot vectors of mean 0, the mean of networks before training.
    targets = np.eye(num_classes)[problem.labels] - 1 / num_classes
    truth, num_validation = np.concatenate([problem.validation, problem.test]), len(problem.validation)
    order, found = problem.group.order, np.empty((2, len(sizes), len(regularisers)))
    for s, size in enumerate(sizes):
        matrix = all_copies(problem.matrix[:, :size, :size], problem.group)
        cross = problem.cross[:, :, :size].reshape(len(truth), order * size)
        # Over the mean diagonal of what is solved, which ``ridge_predictions`` takes its unit from.
        unit = order * np.trace(problem.matrix[:, :size, :size].mean(0)) / size / (np.trace(matrix) / len(matrix))
        own = [unit * regulariser for regulariser in regularisers]
        right = ridge_predictions(matrix, cross, np.tile(targets[:size], (order, 1)), own).argmax(2) == truth
        found[:, s] = right[:, :num_validation].mean(1), right[:, num_validation:].mean(1)
    return found[0], found[1]


def all_copies(kernels: Float[np.ndarray, "G N N"], group: FiniteGroup) -> Float[np.ndarray, "G*N G*N"]:
    """Returns ``Theta(rho(g) x_i, rho(h) x_j)`` from ``Theta(x_i, rho(g^-1 h) x_j)``, element after element."""
    order, num = kernels.shape[:2]
    # product[g, h] is "first h, then g".
    blocks = kernels[group.product[group.inverse]]
    return blocks.transpose(0, 2, 1, 3).reshape(order * num, order * num)


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
    order = group_from_name(stage.augmented or "C1").order
    kept, available = images.nbytes + matrix_bytes(splits, order), memory_bytes or physical_memory_bytes()
    needed = require_memory(kept, stage.tile_size, floats_per_pair(stage.model, images.shape[1:]), available)
    if store is not None:
        store.announce(kernel, images, order * num_pairs(splits), needed)
    grids, chosen = [], []
    for problem in problems(kernel, images, samples.labels, splits, stage.tile_size, store, stage.augmented):
        validation, test = regression_accuracies(problem, stage.splits.train, stage.regularisers)
        grids.append(test)
        chosen.append(chosen_regularisers(validation))
        advance(1)
    return stored_measures(ACCURACY, members, stage.splits, stage.regularisers, grids, chosen)
