"""Finite point groups of the plane, C_n (rotations) and D_n (rotations and mirror images), as exact tables.

Every element is written r^k s^e with k = 0..n-1 quarter, eighth ... turns and e in {0, 1} flips, so that products and
inverses are integer arithmetic modulo n; floating-point numbers appear only in angles and representations.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from emergent.errors import ConfigError

CONTINUOUS_GROUPS = ("SO3",)
"""Rotations of space, of which finite parts are drawn."""


@dataclass(frozen=True, eq=False)
class FiniteGroup:
    """A point group with its product table.

    Element 0 is the identity. In C_n element g is the counter-clockwise rotation by 2 pi g / n. In D_n elements
    0..n-1 are these rotations and element n + k is the left-right mirror image followed by the rotation k.

    Attributes:
        name: ``"C4"``, ``"D4"`` ...
        order: number of elements G.
        product: [G, G] int32; ``product[g, h]`` is the element "first h, then g".
        inverse: [G] int32.
        angles: [G] rotation angle in radians, counter-clockwise, in [0, 2 pi).
        reflections: [G] whether the element contains the mirror image.
    """

    name: str
    order: int
    product: Int[np.ndarray, "G G"]
    inverse: Int[np.ndarray, " G"]
    angles: Float[np.ndarray, " G"]
    reflections: Bool[np.ndarray, " G"]

    @property
    def num_rotations(self) -> int:
        """Number of elements that are rotations: n for C_n and for D_n."""
        return int(np.count_nonzero(~self.reflections))


def _assemble(name: str, num_rotations: int, with_reflections: bool) -> FiniteGroup:
    turns = np.tile(np.arange(num_rotations), 2 if with_reflections else 1)
    flips = np.repeat(np.arange(2 if with_reflections else 1), num_rotations)
    sign = 1 - 2 * flips
    # r^a s^e r^b s^f = r^(a + (-1)^e b) s^(e + f), because s r s = r^-1.
    turns_of_product = (turns[:, None] + sign[:, None] * turns[None, :]) % num_rotations
    flips_of_product = (flips[:, None] + flips[None, :]) % 2
    inverse = np.where(flips == 1, turns, -turns % num_rotations) + num_rotations * flips
    return FiniteGroup(
        name=name,
        order=len(turns),
        product=(turns_of_product + num_rotations * flips_of_product).astype(np.int32),
        inverse=inverse.astype(np.int32),
        angles=2 * np.pi * turns / num_rotations,
        reflections=flips == 1,
    )


def cyclic_group(num_rotations: int) -> FiniteGroup:
    """Returns C_n, the rotations by multiples of 360/n degrees."""
    return _assemble(f"C{num_rotations}", num_rotations, with_reflections=False)


def dihedral_group(num_rotations: int) -> FiniteGroup:
    """Returns D_n, of order 2n: the rotations of C_n and their products with the left-right mirror image."""
    return _assemble(f"D{num_rotations}", num_rotations, with_reflections=True)


def group_from_name(name: str) -> FiniteGroup:
    """Returns the group of a name such as ``"C4"``, ``"C16"`` or ``"D4"``.

    Raises:
        ConfigError: the name is not C or D followed by a positive number.
    """
    match = re.fullmatch(r"([CD])([1-9][0-9]{0,2})", name)
    if match is None:
        raise ConfigError(f"group {name!r}: expected C or D followed by a number from 1 to 999, for example C4 or D4.")
    family, number = match[1], int(match[2])
    return cyclic_group(number) if family == "C" else dihedral_group(number)


def irreps(group: FiniteGroup) -> list[Complex[np.ndarray, "G d d"]]:
    """Returns one unitary matrix representation for each irreducible representation, the trivial one first.

    C_n has the n characters exp(2 pi i k g / n). D_n has 2 (n odd) or 4 (n even) one-dimensional representations
    and two-dimensional ones in which a rotation by an angle a acts as the rotation by k a. The squares of the
    dimensions add up to the order of the group.

    Returns:
        List of complex128 arrays [G, d, d] with ``rho[product[g, h]] == rho[g] @ rho[h]``.
    """
    count = group.num_rotations
    turns = np.arange(group.order) % count
    if not group.reflections.any():
        return [np.exp(2j * np.pi * (k * turns % count) / count)[:, None, None] for k in range(count)]
    parity = np.where(group.reflections, -1.0, 1.0)
    one_dimensional = [np.ones(group.order), parity]
    if count % 2 == 0:
        alternating = np.where(turns % 2 == 1, -1.0, 1.0)
        one_dimensional += [alternating, alternating * parity]
    representations = [character.astype(complex)[:, None, None] for character in one_dimensional]
    for k in range(1, (count + 1) // 2):
        phase = 2 * np.pi * (k * turns % count) / count
        rotation = np.stack([np.cos(phase), -np.sin(phase), np.sin(phase), np.cos(phase)], axis=-1)
        mirror = np.stack([parity, np.ones(group.order)], axis=-1)
        representations.append((rotation.reshape(-1, 2, 2) * mirror[:, None, :]).astype(complex))
    return representations
