"""Pairs of clouds on one orbit and on two, their distance from one orbit, and the distance of their invariants.

In: the stage of an arm. Out: for every member and pair both distances, by kind of pair and set of invariants; float64.

References:
    arXiv 2106.06610; arXiv 2405.08097.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.stats import special_ortho_group

from emergent.config.separation import Group, Invariant, PairKind, SeparationStage
from emergent.groups import invariants, orbit_distances
from emergent.groups.matrix_groups import matrix_group
from emergent.storage import Array

Clouds = Float[np.ndarray, "P n d"]
Generator = np.random.Generator

MINKOWSKI = matrix_group("O(1,3)")
SHEAR = 0.3
"""Standard deviation of what shears are the exponential of."""
SMALLEST_EIGENVALUE = 1e-3
"""Of a shuffled Gram matrix that is one of a cloud; most shuffled matrices have negative eigenvalues."""

INVARIANTS: dict[Invariant, tuple[Callable[[Clouds], np.ndarray], Callable[[int], int]]] = {
    "gram": (invariants.gram, lambda dimension: 2),
    "minors": (invariants.minors, lambda dimension: dimension),
    "minkowski": (lambda clouds: invariants.minkowski_products(clouds, MINKOWSKI.metric), lambda dimension: 2),
    "diagonal": (lambda clouds: invariants.diagonal_in_order(invariants.gram(clouds)), lambda dimension: 2),
    "rest": (lambda clouds: invariants.rest_in_order(invariants.gram(clouds)), lambda dimension: 2),
    "tie": (lambda clouds: invariants.tie(invariants.gram(clouds)), lambda dimension: 4),
}
"""Each with its degree in the vectors, by their dimension."""

ORBITS: dict[Group, Callable[[Clouds, Clouds], np.ndarray]] = {
    "orthogonal": orbit_distances.orthogonal_distance,
    "special_orthogonal": lambda first, second: orbit_distances.orthogonal_distance(first, second, special=True),
    "lorentz": lambda first, second: orbit_distances.form_distance(first, second, MINKOWSKI.metric),
    "relabelled_orthogonal": orbit_distances.relabelled_distance,
}


def _turned(clouds: Clouds, generator: Generator) -> Clouds:
    num, _, dimension = clouds.shape
    return clouds @ special_ortho_group.rvs(dimension, num, random_state=generator).reshape(num, dimension, dimension)


def _mirrored(clouds: Clouds, generator: Generator) -> Clouds:
    return _turned(clouds * np.r_[-1.0, np.ones(clouds.shape[2] - 1)], generator)


def _boosted(clouds: Clouds, generator: Generator) -> Clouds:
    coordinates = generator.standard_normal((len(clouds), len(MINKOWSKI.lie_algebra))) * MINKOWSKI.scales
    elements = scipy.linalg.expm(np.tensordot(coordinates, MINKOWSKI.lie_algebra, 1))
    return clouds @ elements.mT


def _relabelled(clouds: Clouds, generator: Generator) -> Clouds:
    num, points, _ = clouds.shape
    orders = generator.permuted(np.tile(np.arange(points), (num, 1)), axis=1)
    # An order that leaves all vectors in place would be a rotation alone.
    orders = np.where((orders == np.arange(points)).all(1, keepdims=True), np.roll(orders, 1, 1), orders)
    return _turned(np.take_along_axis(clouds, orders[..., None], 1), generator)


def _sheared(clouds: Clouds, generator: Generator) -> Clouds:
    num, _, dimension = clouds.shape
    exponents = SHEAR * generator.standard_normal((num, dimension, dimension))
    trace = np.trace(exponents, axis1=1, axis2=2)[:, None, None]
    return clouds @ scipy.linalg.expm(exponents - trace / dimension * np.eye(dimension))


def _unrelated(clouds: Clouds, generator: Generator) -> Clouds:
    return generator.standard_normal(clouds.shape)


MAKE: dict[PairKind, Callable[[Clouds, Generator], Clouds]] = {
    "rotated": _turned,
    "mirrored": _mirrored,
    "boosted": _boosted,
    "relabelled": _relabelled,
    "sheared": _sheared,
    "unrelated": _unrelated,
}


def _shuffled_pairs(num: int, dimension: int, generator: Generator) -> tuple[Clouds, Clouds]:
    """Returns pairs of clouds whose Gram matrices have the same diagonal and, in another order, the same rest."""
    rows, columns = np.triu_indices(dimension, 1)
    firsts, seconds, found = [], [], 0
    while found < num:
        clouds = generator.standard_normal((num, dimension, dimension))
        products = invariants.gram(clouds)
        rest = products[:, rows, columns]
        moved = generator.permuted(rest, axis=1)
        other = np.zeros_like(products)
        other[:, rows, columns] = moved
        other += other.mT + np.einsum("pii,ij->pij", products, np.eye(dimension))
        kept = (np.linalg.eigvalsh(other)[:, 0] > SMALLEST_EIGENVALUE) & (moved != rest).any(1)
        firsts.append(clouds[kept])
        seconds.append(np.linalg.cholesky(other[kept]))
        found += int(kept.sum())
    return np.concatenate(firsts)[:num], _turned(np.concatenate(seconds)[:num], generator)


def pairs(kind: PairKind, num: int, dimension: int, generator: Generator) -> tuple[Clouds, Clouds]:
    """Returns first and second clouds of pairs of a kind; vectors of the first are standard normal.

    Args:
        kind: see ``emergent.config.separation.PairKind``.
        num: P.
        dimension: d; and n, the number of vectors.
        generator: of random numbers.
    """
    if kind == "shuffled":
        return _shuffled_pairs(num, dimension, generator)
    first = generator.standard_normal((num, dimension, dimension))
    return first, MAKE[kind](first, generator)


def invariant_distance(first: Clouds, second: Clouds, names: Sequence[Invariant]) -> Float[np.ndarray, " P"]:
    """Returns how far the invariants of two clouds are apart: that of the most different one.

    In units of the norm of the first cloud, to the degree of the invariant in the vectors.

    Args:
        first: clouds.
        second: clouds.
        names: of the invariants.
    """
    scale, found = np.linalg.norm(first, axis=(1, 2)), []
    for name in names:
        values, degree = INVARIANTS[name]
        difference = (values(first) - values(second)).reshape(len(first), -1)
        found.append(np.linalg.norm(difference, axis=1) / scale ** degree(first.shape[2]))
    return np.max(found, axis=0)


def separation_arrays(stage: SeparationStage, members: Sequence[int]) -> dict[str, Array]:
    """Returns distances of a block of members as arrays to be stored.

    Args:
        stage: settings.
        members: indices over all repetitions.
    """
    shape = (len(members), len(stage.candidates), len(stage.pairs), stage.num_pairs)
    orbit, invariant = np.empty(shape), np.empty(shape)
    groups: dict[Group, list[int]] = {}
    for index, candidate in enumerate(stage.candidates):
        groups.setdefault(candidate.group, []).append(index)
    for row, member in enumerate(members):
        for column, kind in enumerate(stage.pairs):
            # By its name, so that a kind that is added or left out changes no other.
            generator = np.random.default_rng([stage.seed, member, *kind.encode()])
            first, second = pairs(kind, stage.num_pairs, stage.dimension, generator)
            for group, rows in groups.items():
                orbit[row, rows, column] = ORBITS[group](first, second)
            for index, candidate in enumerate(stage.candidates):
                invariant[row, index, column] = invariant_distance(first, second, candidate.invariants)
    axes = ("member", "candidate", "pair_kind", "pair")
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all repetitions"),
        "orbit": Array(orbit, axes, "1", "distance of the clouds of a pair from one orbit of the candidate's group"),
        "invariant": Array(invariant, axes, "1", "distance of their invariants"),
    }
