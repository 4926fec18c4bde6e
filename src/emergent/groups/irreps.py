"""Irreducible representations of point groups, which take invariant operators apart into blocks."""

from itertools import pairwise

import numpy as np
from jaxtyping import Complex

from emergent.point_groups import FiniteGroup


def irreps(group: FiniteGroup) -> list[Complex[np.ndarray, "G d d"]]:
    """Returns one unitary matrix representation for each irreducible representation, the trivial one first.

    C_n has the n characters exp(2 pi i k g / n). D_n has 2 (n odd) or 4 (n even) one-dimensional representations
    and two-dimensional ones in which a rotation by an angle a acts as the rotation by k a. Those of other groups are
    found in the regular representation. The squares of the dimensions add up to the order of the group.

    Returns:
        List of complex128 arrays [G, d, d] with ``rho[product[g, h]] == rho[g] @ rho[h]``.
    """
    if group.dimension != 2:
        return _irreps_of_regular(group)
    count = group.num_rotations
    turns = np.arange(group.order) % count
    if not group.reflections.any():
        # Reduced modulo n before it becomes an angle: large multiples of 2 pi would cost digits.
        return [np.exp(2j * np.pi * (k * turns % count) / count)[:, None, None] for k in range(count)]
    parity = np.where(group.reflections, -1.0, 1.0)
    one_dimensional = [np.ones(group.order), parity]
    if count % 2 == 0:
        alternating = np.where(turns % 2 == 1, -1.0, 1.0)
        one_dimensional += [alternating, alternating * parity]
    representations = [character.astype(complex)[:, None, None] for character in one_dimensional]
    # k and n - k are equivalent, and k = n / 2 falls apart into the two alternating characters above.
    for k in range(1, (count + 1) // 2):
        phase = 2 * np.pi * (k * turns % count) / count
        rotation = np.stack([np.cos(phase), -np.sin(phase), np.sin(phase), np.cos(phase)], axis=-1)
        mirror = np.stack([parity, np.ones(group.order)], axis=-1)
        representations.append((rotation.reshape(-1, 2, 2) * mirror[:, None, :]).astype(complex))
    return representations


def _irreps_of_regular(group: FiniteGroup) -> list[Complex[np.ndarray, "G d d"]]:
    """Returns irreducible representations as the eigenspaces of a random operator that commutes with the group."""
    order, generator = group.order, np.random.default_rng(0)
    coefficients = generator.standard_normal(order) + 1j * generator.standard_normal(order)
    # Multiplication from the right commutes with that from the left; its Hermitian part has real eigenvalues.
    operator = np.zeros((order, order), complex)
    for h in range(order):
        operator[group.product[:, h], np.arange(order)] += coefficients[h]
    values, vectors = np.linalg.eigh(operator + operator.conj().T)
    # Within a representation eigenvalues agree to 1e-15 of the range; those of different ones lie further apart than
    # 9e-4 of it for all three groups of space.
    bounds = [0, *(np.flatnonzero(np.diff(values) > 1e-6 * np.ptp(values)) + 1), order]
    found: list[np.ndarray] = [np.ones((order, 1, 1), complex)]
    for start, stop in pairwise(bounds):
        space = vectors[:, start:stop]
        # The regular representation: (g v)(h) = v(g^-1 h).
        moved = np.stack([space[group.product[group.inverse[g]]] for g in range(order)])
        representation = space.conj().T @ moved
        characters = [np.einsum("gii->g", known) for known in found]
        own = np.einsum("gii->g", representation)
        # Characters of inequivalent representations are orthogonal, those of equivalent ones have the product |G|.
        if all(abs(np.vdot(known, own)) < 0.5 * order for known in characters):
            found.append(representation)
    return sorted(found, key=lambda representation: representation.shape[1])
