"""Induced representations of finite groups of permutations, maps between them, and their kernels; float64.

A section of a bundle over G / K is a function f from G to the fibre with f(g k) = rho(k)^-1 f(g), and h in G moves it
to f(h^-1 g). It is stored by its values at one element of each coset. Elements are permutations, products a b are a[b].

References:
    G. Mackey's theorem on intertwining operators of induced representations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from jaxtyping import Float
from sympy.combinatorics import Permutation

from emergent.config.bundles import Fibre
from emergent.errors import ConfigError
from emergent.groups.equivariant_maps import null_space
from emergent.groups.permutations import elements

Element = tuple[int, ...]
Kernel = dict[Element, Float[np.ndarray, "d2 d1"]]


def product(first: Element, second: Element) -> Element:
    """Returns the permutation that applies the second, then the first."""
    return tuple(first[point] for point in second)


def inverse(element: Element) -> Element:
    """Returns the inverse permutation."""
    return tuple(int(point) for point in np.argsort(element))


def fibre_matrix(element: Element, fibre: Fibre) -> Float[np.ndarray, "d d"]:
    """Returns how a permutation acts on a fibre."""
    if fibre == "points":
        return np.eye(len(element))[:, list(inverse(element))].T
    return np.full((1, 1), 1.0 if fibre == "trivial" else float(Permutation(list(element)).signature()))


def closure(generators: Sequence[Sequence[int]], points: int) -> list[Element]:
    """Returns all elements of a group of permutations, the identity first; of no generators the identity."""
    rows = np.asarray(list(generators), np.int32).reshape(-1, points)
    return [tuple(int(point) for point in row) for row in elements(np.concatenate([np.arange(points)[None], rows]))]


@dataclass(frozen=True)
class Bundle:
    """Sections of a bundle over G / K.

    Attributes:
        group: all elements of G.
        subgroup: all elements of K.
        fibre: representation of K.
    """

    group: tuple[Element, ...]
    subgroup: tuple[Element, ...]
    fibre: Fibre

    def __post_init__(self) -> None:
        if stray := set(self.subgroup) - set(self.group):
            raise ConfigError(
                f"bundle: expected a subgroup whose elements are all in the group, found {min(stray)}, which is not; "
                "give generators that the group contains."
            )

    @cached_property
    def cosets(self) -> list[Element]:
        """Returns one element of each coset g K, the identity first."""
        chosen, seen = [], set[Element]()
        for element in self.group:
            if element not in seen:
                chosen.append(element)
                seen |= {product(element, k) for k in self.subgroup}
        return chosen

    @cached_property
    def _parts(self) -> dict[Element, tuple[int, Element]]:
        return {product(x, k): (index, k) for index, x in enumerate(self.cosets) for k in self.subgroup}

    def split(self, element: Element) -> tuple[int, Element]:
        """Returns the number of the coset x K of an element x k, and k."""
        return self._parts[element]

    def rho(self, element: Element) -> Float[np.ndarray, "d d"]:
        """Returns how an element of K acts on the fibre."""
        return fibre_matrix(element, self.fibre)

    @property
    def rank(self) -> int:
        """Returns d, the dimension of the fibre."""
        return len(self.rho(self.subgroup[0]))

    @property
    def size(self) -> int:
        """Returns the dimension of the sections."""
        return len(self.cosets) * self.rank

    def induced(self, element: Element) -> Float[np.ndarray, "n n"]:
        """Returns how an element of G moves sections."""
        found = np.zeros((len(self.cosets), self.rank, len(self.cosets), self.rank))
        for index, x in enumerate(self.cosets):
            target, k = self.split(product(element, x))
            found[target, :, index] = self.rho(k)
        return found.reshape(self.size, self.size)


def equivariant_maps(source: Bundle, target: Bundle, generators: Sequence[Element]) -> Float[np.ndarray, "maps n2 n1"]:
    """Returns an orthonormal basis of the maps T with T Ind1(g) = Ind2(g) T, for the generators g of G."""
    one, two = scipy.sparse.eye_array(source.size), scipy.sparse.eye_array(target.size)
    demands = [scipy.sparse.kron(scipy.sparse.csr_array(target.induced(g)), one)
               - scipy.sparse.kron(two, scipy.sparse.csr_array(source.induced(g).T)) for g in generators]  # fmt: skip
    basis = null_space(scipy.sparse.csr_array(scipy.sparse.vstack(demands)))
    return basis.T.reshape(-1, target.size, source.size)


def mackey_count(source: Bundle, target: Bundle) -> float:
    """Returns the sum over double cosets K2 g K1 of the dimension of the maps of fibres that the stabiliser leaves.

    The stabiliser is what K2 and g K1 g^-1 have in common; dimensions are means of products of characters.
    """
    left, total = set(source.group), 0.0
    own = set(source.subgroup)
    while left:
        g = min(left)
        left -= {product(product(k2, g), k1) for k2 in target.subgroup for k1 in source.subgroup}
        moved = [(k, product(product(inverse(g), k), g)) for k in target.subgroup]
        shared = [(k, back) for k, back in moved if back in own]
        total += sum(np.trace(target.rho(k)) * np.trace(source.rho(back)) for k, back in shared) / len(shared)
    return total


def kernel(source: Bundle, target: Bundle, map_: Float[np.ndarray, "n2 n1"]) -> Kernel:
    """Returns the kernel kappa that a map would be the convolution with: (T f)(g) = sum over h of kappa(g^-1 h) f(h).

    It is read off the values of images at the identity, and is defined for every map; only of equivariant ones is the
    convolution the map itself.
    """
    blocks = map_.reshape(len(target.cosets), target.rank, len(source.cosets), source.rank)[0]
    found = {}
    for element in source.group:
        index, k = source.split(element)
        found[element] = blocks[:, index] @ source.rho(k) / len(source.subgroup)
    return found


def convolution(source: Bundle, target: Bundle, kappa: Kernel) -> Float[np.ndarray, "n2 n1"]:
    """Returns the matrix of the convolution with a kernel, summed over all of G."""
    found = np.zeros((len(target.cosets), target.rank, len(source.cosets), source.rank))
    for row, y in enumerate(target.cosets):
        for h in source.group:
            index, k = source.split(h)
            found[row, :, index] += kappa[product(inverse(y), h)] @ source.rho(inverse(k))
    return found.reshape(target.size, source.size)


def kernel_defect(source: Bundle, target: Bundle, kappa: Kernel) -> float:
    """Returns how far kappa(k2 g k1) = rho2(k2) kappa(g) rho1(k1) is from true, at most."""
    return max(
        float(np.abs(kappa[product(product(k2, g), k1)] - target.rho(k2) @ kappa[g] @ source.rho(k1)).max())
        for g in source.group
        for k2 in target.subgroup
        for k1 in source.subgroup
    )
