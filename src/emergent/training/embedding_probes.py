"""What trained embeddings are asked: does a rotation follow a view, do rotations compose, what can be read out?

References:
    CARE, arXiv:2306.13924: where inner products do not change there is an orthogonal R_a for every view a, and
    a -> R_a respects products.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MOST_ITERATIONS = 1000


def fit_rotation(source: Float[np.ndarray, "N D"], target: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "D D"]:
    """Returns the orthogonal matrix R for which ``source @ R`` is nearest to the target."""
    return orthogonal_procrustes(source.astype(np.float64), target.astype(np.float64))[0]


def distance(found: Float[np.ndarray, "N D"], target: Float[np.ndarray, "N D"]) -> float:
    """Returns the distance from the target in units of its length, mean over images."""
    lengths = np.linalg.norm(target.astype(np.float64), axis=1)
    return float((np.linalg.norm(found.astype(np.float64) - target, axis=1) / lengths).mean())


class Fit(NamedTuple):
    """How well rotations follow one view, on images other than those that they were fitted on.

    Attributes:
        residual: of the fitted rotation.
        shift: of no rotation.
        unrelated: of a rotation that was fitted on pairs of different images: what a map without any symmetry has.
    """

    residual: float
    shift: float
    unrelated: float


def fit_view(source: Float[np.ndarray, "N D"], target: Float[np.ndarray, "N D"]) -> Fit:
    """Returns how well a rotation leads from embeddings of images to those of their views.

    The first half of the images fits it, the second tests it.
    """
    half = len(source) // 2
    rotation = fit_rotation(source[:half], target[:half])
    mixed = np.roll(target, 1, 0)
    other = fit_rotation(source[:half], mixed[:half])
    return Fit(
        distance(source[half:] @ rotation, target[half:]),
        distance(source[half:], target[half:]),
        distance(source[half:] @ other, mixed[half:]),
    )


def composed_residual(
    source: Float[np.ndarray, "N D"],
    first: Float[np.ndarray, "N D"],
    second: Float[np.ndarray, "N D"],
    both: Float[np.ndarray, "N D"],
) -> tuple[float, float]:
    """Returns the residuals of a product of two rotations, and of the rotation that is fitted to both views in turn.

    Args:
        source: embeddings of images.
        first: of their views a.
        second: of their views b.
        both: of views b of their views a.
    """
    half = len(source) // 2
    product = fit_rotation(source[:half], first[:half]) @ fit_rotation(source[:half], second[:half])
    own = fit_rotation(source[:half], both[:half])
    return distance(source[half:] @ product, both[half:]), distance(source[half:] @ own, both[half:])


def pair_products(embeddings: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " P"]:
    """Returns the inner products of all pairs of different images."""
    rows, columns = np.triu_indices(len(embeddings), 1)
    return (embeddings.astype(np.float64) @ embeddings.astype(np.float64).T)[rows, columns]


def readout_accuracy(
    train: tuple[Float[np.ndarray, "N F"], Int[np.ndarray, " N"]],
    test: tuple[Float[np.ndarray, "T F"], Int[np.ndarray, " T"]],
) -> float:
    """Returns the part of test images that a linear readout of frozen features classifies correctly."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MOST_ITERATIONS))
    return float(model.fit(*train).score(*test))


def neighbour_accuracy(
    train: tuple[Float[np.ndarray, "N F"], Int[np.ndarray, " N"]],
    test: tuple[Float[np.ndarray, "T F"], Int[np.ndarray, " T"]],
    neighbours: int,
) -> float:
    """Returns the part of test images whose nearest training images, by angle between features, vote correctly."""
    model = KNeighborsClassifier(neighbours, metric="cosine", algorithm="brute")
    return float(model.fit(*train).score(*test))
