"""Finite point groups of the plane and of space, as exact tables: the one place where a group is defined.

An entry of ``POINT_GROUPS`` says how a group is made, from generators (``closure``) or, for C_n and D_n, from integers
(``planar``); order, products, inverses and matrices follow. Every name in a configuration is looked up here.
"""

from __future__ import annotations

import difflib
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from emergent.errors import ConfigError

if TYPE_CHECKING:
    # Only for type checkers: every job and the Snakefile import this module, and jaxtyping takes a fifth of a second.
    from jaxtyping import Bool, Float, Int

CONTINUOUS_GROUPS = ("SO3",)
"""Rotations of space, of which finite parts are drawn."""

LARGEST_ORDER = 1000
# Distance of matrix entries below which two elements are the same, and least distance of different ones: products of
# a few matrices err by 1e-15, and elements of a group of order 1000 differ by more than 1e-3.
SAME, DIFFERENT = 1e-9, 1e-3


@dataclass(frozen=True, eq=False)
class FiniteGroup:
    """A point group with its product table.

    Element 0 is the identity. In C_n element g is the counter-clockwise rotation by 2 pi g / n. In D_n elements
    0..n-1 are these rotations and element n + k is the left-right mirror image followed by the rotation k.

    Attributes:
        name: ``"C4"``, ``"D4"``, ``"octahedral"`` ...
        symbol: of mathematical text, without dollar signs.
        order: number of elements G.
        product: [G, G] int32; ``product[g, h]`` is the element "first h, then g".
        inverse: [G] int32.
        matrices: [G, d, d] float64, orthogonal, of a line, of the plane (d = 2: x right, y up) or of space (d = 3),
            acting on column vectors; integers and halves are exact.
        angles: [G] rotation angle in radians: counter-clockwise in [0, 2 pi) in the plane, where mirror images carry
            that of the rotation that follows; about the element's own axis in [0, pi] in space; 0 on a line.
        reflections: [G] whether the element contains a mirror image.
    """

    name: str
    symbol: str
    order: int
    product: Int[np.ndarray, "G G"]
    inverse: Int[np.ndarray, " G"]
    matrices: Float[np.ndarray, "G d d"]
    angles: Float[np.ndarray, " G"]
    reflections: Bool[np.ndarray, " G"]

    @property
    def num_rotations(self) -> int:
        """Number of elements that are rotations: n for C_n and for D_n."""
        return int(np.count_nonzero(~self.reflections))

    @property
    def dimension(self) -> int:
        """Number of coordinates that the matrices act on: 1 on a line, 2 in the plane, 3 in space."""
        return self.matrices.shape[-1]

    @property
    def on_grid(self) -> Bool[np.ndarray, " G"]:
        """Whether an element maps a square grid to itself: matrices of integers, a group of their own."""
        return (self.matrices == np.rint(self.matrices)).all((1, 2))


def planar(name: str, symbol: str, num_rotations: int, with_reflections: bool) -> FiniteGroup:
    """Returns C_n or, with reflections, D_n, by integer arithmetic modulo n.

    Every element is r^k s^e with k = 0..n-1 turns and e in {0, 1} flips; floating-point numbers appear only in angles
    and matrices.
    """
    turns = np.tile(np.arange(num_rotations), 2 if with_reflections else 1)
    flips = np.repeat(np.arange(2 if with_reflections else 1), num_rotations)
    sign = 1 - 2 * flips
    # r^a s^e r^b s^f = r^(a + (-1)^e b) s^(e + f), because s r s = r^-1.
    turns_of_product = (turns[:, None] + sign[:, None] * turns[None, :]) % num_rotations
    flips_of_product = (flips[:, None] + flips[None, :]) % 2
    # A mirror image followed by any turn is its own inverse: r^k s r^k s = r^k r^-k.
    inverse = np.where(flips == 1, turns, -turns % num_rotations) + num_rotations * flips
    angles = 2 * np.pi * turns / num_rotations
    cosine, sine = np.cos(angles), np.sin(angles)
    # cos(pi / 2) is 6e-17 in floating point; the image actions recognise exact elements by their integers.
    exact = 4 * turns % num_rotations == 0
    cosine, sine = np.where(exact, np.rint(cosine), cosine), np.where(exact, np.rint(sine), sine)
    matrices = np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(-1, 2, 2)
    # The mirror image x -> -x acts first, so it changes the sign of the first column whatever turn follows.
    matrices[flips == 1, :, 0] *= -1
    return FiniteGroup(
        name=name,
        symbol=symbol,
        order=len(turns),
        product=(turns_of_product + num_rotations * flips_of_product).astype(np.int32),
        inverse=inverse.astype(np.int32),
        matrices=matrices,
        angles=angles,
        reflections=flips == 1,
    )


def closure(name: str, symbol: str, generators: Sequence[Sequence[Sequence[float]]]) -> FiniteGroup:
    """Returns the group that orthogonal matrices generate, elements in the order in which products reach them.

    Raises:
        ConfigError: a generator is not orthogonal, or they generate no group of at most ``LARGEST_ORDER`` elements.
    """
    factors = np.asarray(generators, float)
    size = factors.shape[-1]
    if np.abs(np.einsum("kij,klj->kil", factors, factors) - np.eye(size)).max() > SAME:
        raise ConfigError(f"group {name!r}: its generators are not orthogonal matrices.")
    found = [np.eye(size)]
    for element in found:  # grows while it is read: products of all that is found, breadth first
        # Rounded at once, so that errors do not build up along chains of products.
        for product in _round(factors @ element):
            if _positions(name, np.stack(found), product[None])[0] < 0:
                found.append(product)
        if len(found) > LARGEST_ORDER:
            raise ConfigError(f"group {name!r}: its generators generate more than {LARGEST_ORDER} elements.")
    matrices = np.stack(found)
    products = np.einsum("gij,hjk->ghik", matrices, matrices).reshape(-1, size, size)
    # The trace of a turn by a is 1 + 2 cos a, whatever its axis.
    cosine = (np.einsum("gii->g", matrices) - 1) / 2 if size == 3 else matrices[:, 0, 0]
    # Nothing turns on a line.
    cosine = np.ones(len(matrices)) if size == 1 else cosine
    return FiniteGroup(
        name=name,
        symbol=symbol,
        order=len(matrices),
        product=_positions(name, matrices, products).reshape(len(matrices), -1),
        inverse=_positions(name, matrices, matrices.swapaxes(1, 2)),
        matrices=matrices,
        # Rounding may carry a cosine beyond 1, where its angle is not a number.
        angles=np.arccos(np.clip(cosine, -1, 1)),
        reflections=np.linalg.det(matrices) < 0,
    )


def _round(matrices: np.ndarray) -> np.ndarray:
    """Returns the matrices with entries that are multiples of 1/2 up to round-off made exactly so, without -0."""
    halves = np.rint(2 * matrices) / 2
    # -0.0 + 0.0 is 0.0: a negative zero would print as another number.
    return np.where(np.abs(matrices - halves) < SAME, halves, matrices) + 0.0


def _positions(name: str, elements: Float[np.ndarray, "G d d"], wanted: Float[np.ndarray, "n d d"]) -> np.ndarray:
    """Returns for every wanted matrix which element it is, -1 for none; between the two there is an error."""
    distance = np.stack([np.abs(elements - matrix).max((1, 2)) for matrix in wanted])
    nearest = distance.min(1)
    if ((nearest > SAME) & (nearest < DIFFERENT)).any():
        raise ConfigError(f"group {name!r}: its generators do not generate a finite group up to rounding.")
    return np.where(nearest <= SAME, distance.argmin(1), -1).astype(np.int32)


@dataclass(frozen=True)
class Entry:
    """How one group, or one family of groups with a number n, is made.

    Attributes:
        symbol: of mathematical text; ``{n}`` is the number.
        make: name, symbol and number (0 in names without one) to the group.
    """

    symbol: str
    make: Callable[[str, str, int], FiniteGroup]


_GOLDEN = (1 + 5**0.5) / 2
_THIRD_TURN = ((0, 0, 1), (1, 0, 0), (0, 1, 0))
_HALF_TURN = ((-1, 0, 0), (0, -1, 0), (0, 0, 1))
_QUARTER_TURN = ((0, -1, 0), (1, 0, 0), (0, 0, 1))
# About (1, 0, golden ratio): one of the vertices of an icosahedron that the other two generators permute.
_FIFTH_TURN = (
    (0.5, -_GOLDEN / 2, (_GOLDEN - 1) / 2),
    (_GOLDEN / 2, (_GOLDEN - 1) / 2, -0.5),
    ((_GOLDEN - 1) / 2, 0.5, _GOLDEN / 2),
)

POINT_GROUPS: dict[str, Entry] = {
    "C{n}": Entry("C_{{{n}}}", lambda name, symbol, n: planar(name, symbol, n, with_reflections=False)),
    "D{n}": Entry("D_{{{n}}}", lambda name, symbol, n: planar(name, symbol, n, with_reflections=True)),
    "reflection": Entry("Z_2", lambda name, symbol, n: closure(name, symbol, (((-1,),),))),
    "tetrahedral": Entry("T", lambda name, symbol, n: closure(name, symbol, (_THIRD_TURN, _HALF_TURN))),
    "octahedral": Entry("O", lambda name, symbol, n: closure(name, symbol, (_THIRD_TURN, _QUARTER_TURN))),
    "icosahedral": Entry("I", lambda name, symbol, n: closure(name, symbol, (_THIRD_TURN, _HALF_TURN, _FIFTH_TURN))),
}
"""Every group by its name; ``{n}`` stands for a number from 1 to 999. The reflection is that of a line, x -> -x; the
solids stand for their rotations."""


def group_from_name(name: str) -> FiniteGroup:
    """Returns the group of a name such as ``"C4"``, ``"D4"`` or ``"octahedral"``.

    Raises:
        ConfigError: no entry of ``POINT_GROUPS`` has such a name.
    """
    for pattern, entry in POINT_GROUPS.items():
        match = re.fullmatch(re.escape(pattern).replace(r"\{n\}", "(?P<n>[1-9][0-9]{0,2})"), name)
        if match is not None:
            return _made(entry, name, int(match.groupdict().get("n") or 0))
    known = [pattern.format(n=4) for pattern in POINT_GROUPS]
    close = difflib.get_close_matches(name, [*known, *CONTINUOUS_GROUPS], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    if name in CONTINUOUS_GROUPS:
        hint = "; this one is continuous: say how many of its elements to use."
    patterns = ", ".join(pattern.format(n="n") for pattern in POINT_GROUPS)
    raise ConfigError(f"group {name!r}: expected a finite point group, one of {patterns} (n from 1 to 999){hint}")


@cache
def _made(entry: Entry, name: str, number: int) -> FiniteGroup:
    return entry.make(name, entry.symbol.format(n=number), number)


def fixed_rotations(seed: int, num: int) -> Float[np.ndarray, "G 3 3"]:
    """Returns a finite part of SO(3): the identity and ``num - 1`` Haar-uniform rotations, float64.

    The same seed gives the same rotations on every machine, and more of them begin with those of fewer. Drawn by NumPy,
    so that summaries know the rotations without starting an accelerator.
    """
    # The second number keeps these draws apart from others of the same seed.
    generator = np.random.default_rng([seed, zlib.crc32(b"fixed rotations")])
    # A Gaussian vector in R^4 has a uniform direction, and unit quaternions cover SO(3) evenly (twice).
    quaternions = generator.standard_normal((num - 1, 4))
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.concatenate([np.eye(3)[None], np.moveaxis(np.array(rows), 2, 0)])


def orbit_matrices(
    group: str, seed: int, elements: Sequence[int] | None = None, num_elements: int | None = None
) -> Float[np.ndarray, "G d d"]:
    """Returns the matrices of the elements in use, the identity first: those that inputs and vector outputs turn by.

    Args:
        group: name of a finite group, or a continuous one.
        seed: of the draws from a continuous group.
        elements: of a finite group, where only a part of it is used.
        num_elements: of a continuous group, the identity and Haar-uniform draws.
    """
    if group in CONTINUOUS_GROUPS:
        if num_elements is None:
            raise ConfigError(f"group {group!r} is continuous: say how many of its elements to use (num_elements).")
        return fixed_rotations(seed, num_elements)
    matrices = group_from_name(group).matrices
    if elements is None:
        return matrices
    if 0 not in elements:
        raise ConfigError(f"elements {list(elements)}: a part of {group} must hold the identity, element 0.")
    return matrices[[0, *(element for element in elements if element != 0)]]


def irrep_names(group: FiniteGroup) -> list[str]:
    """Returns names of the irreducible representations of a group of the plane, complex pairs as one.

    Of C_n the frequencies ``0``, ``1`` ... n / 2; of D_n ``A1`` (trivial), ``A2`` (changes sign under reflections), for
    even n ``B1`` and ``B2``, and ``E1``, ``E2`` ... of dimension two. In the order of
    ``emergent.groups.irreps``.

    Raises:
        ValueError: the group acts on space.
    """
    if group.dimension != 2:
        raise ValueError(f"group {group.name}: representations have names here for groups of the plane only")
    count = group.num_rotations
    if not group.reflections.any():
        return [str(frequency) for frequency in range(count // 2 + 1)]
    pairs = [f"E{frequency}" for frequency in range(1, (count + 1) // 2)]
    return ["A1", "A2", *(["B1", "B2"] if count % 2 == 0 else []), *pairs]
