"""Kernel ridge regression on random splits, with the regulariser that is best on validation samples; in float64.

References:
    arXiv 2406.06504: predictions Theta(x, X) (Theta(X, X) + r)^-1 Y of the mean of infinitely wide networks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.config.splits import Splits
from emergent.errors import ConfigError, DataError
from emergent.storage import Array

# A Gram matrix has no negative eigenvalues; those of rounding are below this part of the largest one.
ROUNDING = 1e-10


class Split(NamedTuple):
    """Positions in the data set of the samples of one member."""

    train: Int[np.ndarray, " N"]
    validation: Int[np.ndarray, " V"]
    test: Int[np.ndarray, " T"]

    @property
    def others(self) -> Int[np.ndarray, " V+T"]:
        """Returns the samples that predictions are made for."""
        return np.concatenate([self.validation, self.test])


def draw_split(num: int, splits: Splits, seed: int, member: int) -> Split:
    """Returns one split of ``num`` samples, which depends on seed and member alone.

    Test and validation samples come first, so that they are the same whatever the largest training set is.

    Raises:
        DataError: too few samples.
    """
    if num < splits.total:
        raise DataError(
            f"splits: {splits.test} test, {splits.validation} validation and {max(splits.train)} training samples are "
            f"{splits.total}, but the data set has {num}; use fewer."
        )
    order = np.random.default_rng([seed, 0, member]).permutation(num)[: splits.total]
    test, validation, train = np.split(order, [splits.test, splits.test + splits.validation])
    return Split(train, validation, test)


def ridge_predictions(
    matrix: Float[np.ndarray, "N N"],
    cross: Float[np.ndarray, "T N"],
    targets: Float[np.ndarray, "N K"],
    regularisers: Sequence[float],
    rounding: float = ROUNDING,
) -> Float[np.ndarray, "Q T K"]:
    """Returns predictions with every regulariser, from one eigendecomposition.

    Args:
        matrix: of the training samples.
        cross: between others and training samples.
        targets: of the training samples.
        regularisers: added to the diagonal of the Gram matrix, in units of its mean.
        rounding: relative error of the kernel, such as that of a quadrature.

    Raises:
        ConfigError: the kernel is no kernel: its Gram matrix is not positive, beyond what its error explains.
    """
    values, vectors = np.linalg.eigh(matrix)
    _require_positive(values, rounding)
    components, scores = vectors.T @ targets, cross @ vectors
    weights = [np.maximum(values, 0.0) + regulariser * values.mean() for regulariser in regularisers]
    return np.stack([scores @ (components / weight[:, None]) for weight in weights])


def _require_positive(values: Float[np.ndarray, " N"], rounding: float) -> None:
    if values[0] < -rounding * values[-1]:
        raise ConfigError(
            f"Gram matrix of {len(values)} samples: expected eigenvalues of at least 0, found {values[0]:.3g} (largest "
            f"{values[-1]:.3g}, relative error {rounding:.1g}); the kernel is none, or was computed in too low a "
            f"precision. A regulariser above {-values[0] / values.mean():.1g} would hide it."
        )


def chosen_regularisers(scores: Float[np.ndarray, "S Q"]) -> Int[np.ndarray, " S"]:
    """Returns the position of the regulariser with the largest score of each size; of equally good ones the largest."""
    best = scores.max(1, keepdims=True)
    return scores.shape[1] - 1 - np.argmax((scores == best)[:, ::-1], axis=1)


class Measure(NamedTuple):
    """What is measured on test samples.

    Attributes:
        name: of its array.
        unit: of its values.
        text: in words.
        samples: unit of the training set sizes.
    """

    name: str
    unit: str
    text: str
    samples: str


def stored_measures(
    measure: Measure,
    members: Sequence[int],
    splits: Splits,
    regularisers: Sequence[float],
    grids: Sequence[Float[np.ndarray, "S Q"]],
    chosen: Sequence[Int[np.ndarray, " S"]],
) -> dict[str, Array]:
    """Returns the arrays of a block that ``emergent.summaries.learning`` reads.

    Args:
        measure: what is measured.
        members: splits of the block.
        splits: their sizes.
        regularisers: that were tried.
        grids: of every member, by training set size and regulariser.
        chosen: of every member, position of the regulariser that validation samples chose, by training set size.
    """
    grid, positions, values = np.stack(grids), np.stack(chosen), np.asarray(regularisers)
    best = np.take_along_axis(grid, positions[..., None], 2)[..., 0]
    return {
        "members": Array(np.asarray(members), ("member",)),
        "sizes": Array(np.asarray(splits.train), ("size",), measure.samples, "training set sizes"),
        "regularisers": Array(values, ("regulariser",), "1", "in units of the mean of the Gram matrix's diagonal"),
        measure.name: Array(best, ("member", "size"), measure.unit, measure.text),
        "regulariser": Array(values[positions], ("member", "size"), "1", f"best on validation {measure.samples}"),
        f"{measure.name}_by_regulariser": Array(grid, ("member", "size", "regulariser"), measure.unit, measure.text),
    }
