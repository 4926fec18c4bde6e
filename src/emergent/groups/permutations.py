"""Groups that permute the points of a set: pixels under turns and shifts, entries of matrices under relabelling.

An element is written as ``element[p]``, the point whose value moves to point p: ``(g x)[p] = x[element[p]]``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from emergent.groups.fitting import require_permutations

PIXEL_GENERATORS = {
    "C4": ("turn",),
    "shifts_x": ("shift_x",),
    "shifts_xy": ("shift_x", "shift_y"),
    # A turn makes vertical shifts out of horizontal ones.
    "C4_shifts_xy": ("turn", "shift_x"),
}
"""Groups on a square torus of pixels by name, with what generates them."""


def pixel_generators(group: str, side: int) -> Int[np.ndarray, "K P"]:
    """Returns permutations of side x side pixels, row by row, that generate a group.

    Args:
        group: a key of ``PIXEL_GENERATORS``.
        side: of the square.
    """
    grid = np.arange(side**2).reshape(side, side)
    moves = {"turn": np.rot90(grid), "shift_x": np.roll(grid, 1, 1), "shift_y": np.roll(grid, 1, 0)}
    return np.stack([moves[name].reshape(-1) for name in PIXEL_GENERATORS[group]])


def relabelling(order: Any) -> Any:
    """Returns how n x n entries [n * n], row by row, move when node i becomes node ``order[i]`` of before.

    Args:
        order: [n], an array of NumPy or of JAX; the result is of the same kind.
    """
    return (order[:, None] * order.shape[0] + order[None, :]).reshape(-1)


def relabelling_generators(num_nodes: int) -> Int[np.ndarray, "2 nn"]:
    """Returns the permutations of matrix entries by an exchange of two nodes and by a cycle of all."""
    nodes = np.arange(num_nodes)
    # Together an exchange of two neighbours and a cycle generate all permutations.
    exchange = nodes.copy()
    exchange[:2] = exchange[:2][::-1]
    return np.stack([relabelling(exchange), relabelling(np.roll(nodes, 1))])


def elements(generators: Int[np.ndarray, "K P"]) -> Int[np.ndarray, "G P"]:
    """Returns all elements of the group that some permutations generate, the identity first."""
    require_permutations(generators, "generators")
    identity = tuple(range(generators.shape[1]))
    # A dictionary, because it keeps the order in which elements are found: the identity stays first.
    found, pending = {identity: None}, [identity]
    while pending:
        element = np.asarray(pending.pop())
        for generator in generators:
            # First the element, then the generator: (generator (element x))[p] = x[element[generator[p]]].
            product = tuple(element[generator].tolist())
            if product not in found:
                found[product] = None
                pending.append(product)
    return np.asarray(list(found), np.int32)


def orbits(generators: Int[np.ndarray, "K P"], num_points: int) -> Int[np.ndarray, " PN"]:
    """Returns for every tuple of points, in the order of ``np.ndindex``, the number of its orbit.

    Args:
        generators: of the group.
        num_points: points per tuple: 1 for points, 2 for pairs.
    """
    require_permutations(generators, "generators")
    size = generators.shape[1]
    tuples = np.indices((size,) * num_points).reshape(num_points, -1)
    start = np.tile(np.arange(tuples.shape[1]), len(generators))
    end = np.concatenate([np.ravel_multi_index(tuple(move[tuples]), (size,) * num_points) for move in generators])
    # Orbits are the connected components of the graph that generators draw: the group itself is never listed.
    graph = sparse.coo_matrix((np.ones(len(start), bool), (start, end)), shape=(tuples.shape[1],) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int32)


def cluster_generators(clusters: Sequence[int]) -> Int[np.ndarray, "K P"]:
    """Returns permutations that generate S_c1 x ... x S_ck, all permutations within consecutive clusters of points.

    Args:
        clusters: their sizes c.

    Raises:
        ValueError: a cluster is empty, or there is none.
    """
    if not clusters or min(clusters) < 1:
        raise ValueError(f"clusters: expected sizes of at least 1, found {list(clusters)}.")
    points = np.arange(sum(clusters))
    found, first = [points], 0
    for size in clusters:
        if size > 1:
            exchange, cycle = points.copy(), points.copy()
            exchange[first : first + 2] = exchange[first : first + 2][::-1]
            cycle[first : first + size] = np.roll(cycle[first : first + size], 1)
            found += [exchange, cycle]
        first += size
    return np.stack(found)
