"""Links of a square lattice with periodic boundary: gauge transformations, the point group D4, transport and loops.

Links U[..., x0, x1, mu, 4] are quaternions of SU(2) (``emergent.groups.su2``) from site x to the next one in direction
mu. A step d = 0, 1, 2, 3 goes in direction +0, +1, -0, -1; backwards it takes the conjugate link. One code for arrays
of NumPy and of JAX.

References:
    arXiv:2012.12901 (networks of links and loops), arXiv:2303.11448 (the point group of the lattice).
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from emergent.groups.su2 import conjugate, multiply, trace
from emergent.point_groups import FiniteGroup, group_from_name

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Steps d as displacements."""
LEAVES = tuple((first, second) for first in range(4) for second in range(4) if (first + second) % 2)
"""Pairs of steps that begin a plaquette at a site: four squares around it, each in both senses. D4 permutes them as it
does its own elements."""
MATRICES = np.rint(group_from_name("D4").matrices).astype(int)
"""Elements of D4 [8, 2, 2]; element 0 is the identity."""


def shift(field: Any, step: int, axis: int, times: int = 1) -> Any:
    """Returns a field of sites, read ``times`` steps d away.

    Args:
        field: with two axes of sites.
        step: d.
        axis: the first of these axes, counted from the end (negative).
        times: how often.
    """
    moved = tuple(-times * component for component in STEPS[step])
    return field.__array_namespace__().roll(field, moved, (axis, axis + 1))


def along(links: Any, step: int) -> Any:
    """Returns the link of step d from every site [..., L, L, 4]."""
    own = links[..., step % 2, :]
    return own if step < 2 else shift(conjugate(own), step, -3)


def gauge_transform(links: Any, elements: Any) -> Any:
    """Returns Om(x) U_mu(x) Om(x + mu)^dagger for elements Om [..., L, L, 4]."""
    moved = [multiply(multiply(elements, links[..., mu, :]), conjugate(shift(elements, mu, -3))) for mu in range(2)]
    return links.__array_namespace__().stack(moved, -2)


def transport(links: Any, fields: Any, step: int, times: int) -> Any:
    """Returns U W(x + k d) U^dagger with the product U of the k links from x along step d.

    Args:
        links: [..., L, L, 2, 4].
        fields: W [..., L, L, C, 4], which gauge transformations take to Om(x) W(x) Om(x)^dagger.
        step: d.
        times: k.
    """
    link = along(links, step)[..., None, :]
    for _ in range(times):
        fields = multiply(multiply(link, shift(fields, step, -4)), conjugate(link))
    return fields


def path(links: Any, steps: tuple[int, ...]) -> Any:
    """Returns the product of links from every site along a path of steps [..., L, L, 4]."""
    product, done = along(links, steps[0]), (steps[0],)
    for step in steps[1:]:
        link = along(links, step)
        for before in done:
            link = shift(link, before, -3)
        product, done = multiply(product, link), (*done, step)
    return product


def wilson_loop(links: Any, sides: tuple[int, int]) -> Any:
    """Returns Re Tr of the loop around the rectangle of these sides, whose lowest corner is the site [..., L, L]."""
    first, second = sides
    return trace(path(links, (0,) * first + (1,) * second + (2,) * first + (3,) * second))


def plaquettes(links: Any) -> Any:
    """Returns the plaquette at the lowest corner [..., L, L, 1, 4], a field W."""
    return path(links, (0, 1, 2, 3))[..., None, :]


def clover(links: Any) -> Any:
    """Returns all plaquettes that begin at a site [..., L, L, 8, 4], in the order of ``LEAVES``."""
    leaves = [path(links, (first, second, (first + 2) % 4, (second + 2) % 4)) for first, second in LEAVES]
    return links.__array_namespace__().stack(leaves, -2)


def step_permutations() -> Int[np.ndarray, "8 4"]:
    """Returns the step to which each element of D4 takes each step."""
    moved = np.einsum("gij,dj->gdi", MATRICES, np.asarray(STEPS))
    return np.array([[STEPS.index(tuple(int(value) for value in step)) for step in row] for row in moved])


def leaf_permutations() -> Int[np.ndarray, "8 8"]:
    """Returns the leaf to which each element of D4 takes each leaf."""
    return np.array([[LEAVES.index((row[first], row[second])) for first, second in LEAVES]
                     for row in step_permutations().tolist()])  # fmt: skip


def symmetries(sides: tuple[int, int]) -> Int[np.ndarray, " G"]:
    """Returns the elements of D4 that keep the form of a rectangle: all, or four if its sides differ."""
    keeps = np.abs(MATRICES) @ np.asarray(sides) == np.asarray(sides)
    return np.flatnonzero(keeps.all(-1))


class PointAction(NamedTuple):
    """D4 on a lattice, as tables of places; elements act on links about site 0.

    Attributes:
        sites: [8, L * L] the site that comes to each site.
        steps: [8, 2] the step whose link comes to each direction.
        loops: [8, L * L] the lowest corner of the rectangle that comes to the rectangle at each lowest corner.
    """

    sites: Int[np.ndarray, "8 P"]
    steps: Int[np.ndarray, "8 2"]
    loops: Int[np.ndarray, "8 P"]

    @classmethod
    def of(cls, size: int, sides: tuple[int, int] = (1, 1)) -> "PointAction":
        """Returns the action on a lattice of so many sites a side, and on the loops around rectangles."""
        group: FiniteGroup = group_from_name("D4")
        inverse = MATRICES[group.inverse]
        places = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1).reshape(-1, 2)

        def flat(found: np.ndarray) -> np.ndarray:
            wrapped = found % size
            return wrapped[..., 0] * size + wrapped[..., 1]

        corners = np.einsum("gij,pj->gpi", inverse, places), np.einsum("gij,pj->gpi", inverse, places + sides)
        return cls(flat(corners[0]), step_permutations()[group.inverse][:, :2], flat(np.minimum(*corners)))

    def move_links(self, links: Any, element: Any) -> Any:
        """Returns links [..., L, L, 2, 4] moved by one element of D4, an index."""
        xp = links.__array_namespace__()
        shape = links.shape
        steps = xp.stack([along(links, step) for step in range(4)], -2).reshape(*shape[:-4], -1, 4, 4)
        sites, directions = xp.asarray(self.sites)[element], xp.asarray(self.steps)[element]
        return steps[..., sites[:, None], directions[None, :], :].reshape(shape)

    def move_loops(self, values: Any, element: Any) -> Any:
        """Returns numbers of the loops [..., L, L] moved by one element."""
        xp = values.__array_namespace__()
        return values.reshape(*values.shape[:-2], -1)[..., xp.asarray(self.loops)[element]].reshape(values.shape)
