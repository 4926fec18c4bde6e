"""Linear maps that commute with permutations: their dimension, and the projection onto them.

A map is a matrix Theta [D, K] of weights from D inputs to K outputs, ``outputs = inputs @ Theta``. Permutations move
the inputs; outputs are one number that stays (``scalar``) or D numbers that move along (``permuted``).
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.groups.permutations import elements, orbits

Outputs = Literal["scalar", "permuted"]


class Symmetry(NamedTuple):
    """A group of permutations of D inputs, as what it does to maps.

    Attributes:
        on_points: [D], number of the orbit of each input.
        on_pairs: [D D], number of the orbit of each pair, row by row.
        on_maps: [D K], number of the orbit of each weight, row by row.
    """

    on_points: Int[np.ndarray, " D"]
    on_pairs: Int[np.ndarray, " DD"]
    on_maps: Int[np.ndarray, " DK"]

    @classmethod
    def of(cls, generators: Int[np.ndarray, "K D"], outputs: Outputs) -> "Symmetry":
        """Returns the symmetry that some permutations generate.

        Raises:
            ValueError: they are no permutations.
        """
        points, pairs = orbits(generators, 1), orbits(generators, 2)
        return cls(points, pairs, points if outputs == "scalar" else pairs)

    @property
    def dimension(self) -> int:
        """Returns the dimension of the equivariant maps, which are constant on orbits of weights."""
        return len(set(self.on_maps.tolist()))


def averaging(numbers: Int[np.ndarray, " P"]) -> Float[np.ndarray, "P P"]:
    """Returns the matrix that replaces each of P entries by the mean over its orbit.

    The mean over a group of moved entries is the mean over their orbit: for weights this is the projection Psi_G.
    """
    same = numbers[:, None] == numbers[None, :]
    return same / same.sum(1, keepdims=True)


def dimension_by_characters(generators: Int[np.ndarray, "K D"], outputs: Outputs) -> float:
    """Returns (chi_psi | chi_phi), the mean over all elements of the product of the characters.

    The character of a permutation is the number of points that it leaves in place; that of a number that stays is 1.
    The group is listed, so that this is for small ones.
    """
    fixed = (elements(generators) == np.arange(generators.shape[1])).sum(1).astype(float)
    return float((fixed * (fixed if outputs == "permuted" else 1.0)).mean())
