"""Functions of vectors with a symmetry, and random inputs: an invariant, a tensor of inertia, a scattering amplitude.

In: a generator of random numbers. Out: float64 inputs as flat arrays of tensors, and targets. Formulas and constants
are those of the released code of arXiv 2104.09459 and arXiv 2106.06610.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emergent.config.data_efficiency_training import Function

NUM_MASSES = 5
MINKOWSKI = np.diag([1.0, -1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Drawn:
    """Samples of a function.

    Attributes:
        inputs: [N, size], scalars first, then vectors, component after component.
        targets: [N, K].
        input_scale: [size]: networks on components see inputs over this; the same for all components of a vector, so
            that the group acts alike on both.
        target_mean: [K]: networks on components learn (targets - mean) / scale.
        target_scale: [K].
    """

    inputs: Float[np.ndarray, "N size"]
    targets: Float[np.ndarray, "N K"]
    input_scale: Float[np.ndarray, " size"]
    target_mean: Float[np.ndarray, " K"]
    target_scale: Float[np.ndarray, " K"]


def o5_invariant(vectors: Float[np.ndarray, "N 2 5"]) -> Float[np.ndarray, " N"]:
    """Returns sin|x1| - |x2|^3 / 2 + x1.x2 / (|x1| |x2|)."""
    first, second = vectors[:, 0], vectors[:, 1]
    lengths = np.linalg.norm(vectors, axis=2)
    cosine = (first * second).sum(1) / lengths.prod(1)
    return np.sin(lengths[:, 0]) - 0.5 * lengths[:, 1] ** 3 + cosine


def inertia(masses: Float[np.ndarray, "N m"], positions: Float[np.ndarray, "N m 3"]) -> Float[np.ndarray, "N 3 3"]:
    """Returns the sum over masses m at r of m (r.r 1 - r r^T)."""
    squares = np.einsum("nm,nmi,nmi->n", masses, positions, positions)
    return squares[:, None, None] * np.eye(3) - np.einsum("nm,nmi,nmj->nij", masses, positions, positions)


def scattering(momenta: Float[np.ndarray, "N 4 4"]) -> Float[np.ndarray, " N"]:
    """Returns 4 sum L^{mu nu} K_{mu nu} of four momenta, the squared amplitude of two fermions up to constants.

    L = p1 p3^T - (p1.p3 - p1.p1) eta with upper indices, K = (eta p2) (eta p4)^T - (p2.p4 - p2.p2) eta with lower ones.
    """
    p1, p2, p3, p4 = np.moveaxis(momenta, 1, 0)

    def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.einsum("ni,ij,nj->n", a, MINKOWSKI, b)[:, None, None] * MINKOWSKI

    upper = p1[:, :, None] * p3[:, None, :] - (dot(p1, p3) - dot(p1, p1))
    lower = (p2 @ MINKOWSKI)[:, :, None] * (p4 @ MINKOWSKI)[:, None, :] - (dot(p2, p4) - dot(p2, p2))
    return 4 * (upper * lower).sum((1, 2))


def _scale(vectors: Float[np.ndarray, "N k d"], metric: Float[np.ndarray, " d"]) -> Float[np.ndarray, " kd"]:
    """Returns the root of the mean of |(eta v) * v| over samples and components, repeated over the components."""
    mean = np.abs(vectors * vectors * metric).mean((0, 2))
    return np.repeat(np.sqrt(mean), vectors.shape[2])


def _draw_o5(num: int, generator: np.random.Generator) -> Drawn:
    vectors = generator.standard_normal((num, 2, 5))
    targets = o5_invariant(vectors)[:, None]
    return Drawn(vectors.reshape(num, -1), targets, _scale(vectors, np.ones(5)), targets.mean(0), targets.std(0))


def _draw_inertia(num: int, generator: np.random.Generator) -> Drawn:
    # Sample after sample, so that the first samples are the same however many are drawn.
    normals = generator.standard_normal((num, 4 * NUM_MASSES))
    masses = np.logaddexp(0.0, normals[:, :NUM_MASSES])
    positions = normals[:, NUM_MASSES:].reshape(num, NUM_MASSES, 3)
    inputs = np.concatenate([masses, positions.reshape(num, -1)], 1)
    targets = inertia(masses, positions).reshape(num, -1)
    # Published without any scaling.
    size, outputs = inputs.shape[1], targets.shape[1]
    return Drawn(inputs, targets, np.ones(size), np.zeros(outputs), np.ones(outputs))


def _draw_scattering(num: int, generator: np.random.Generator) -> Drawn:
    momenta = generator.standard_normal((num, 4, 4)) / 4
    targets = scattering(momenta)[:, None]
    scale = _scale(momenta, np.diag(MINKOWSKI))
    return Drawn(momenta.reshape(num, -1), targets, scale, targets.mean(0), targets.std(0))


DRAW: dict[Function, Callable[[int, np.random.Generator], Drawn]] = {
    "o5_invariant": _draw_o5,
    "inertia": _draw_inertia,
    "scattering": _draw_scattering,
}
"""Number of samples and generator to samples. Scales and means are those of all of them, as published."""

INPUTS: dict[Function, tuple[tuple[int, int], ...]] = {
    "o5_invariant": ((2, 1),),
    "inertia": ((NUM_MASSES, 0), (NUM_MASSES, 1)),
    "scattering": ((4, 1),),
}
"""Tensors of the inputs: (number, indices) of each type."""
OUTPUTS: dict[Function, tuple[tuple[int, int], ...]] = {
    "o5_invariant": ((1, 0),),
    "inertia": ((1, 2),),
    "scattering": ((1, 0),),
}
"""Tensors of the targets."""
