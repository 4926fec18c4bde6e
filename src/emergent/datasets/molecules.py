"""How molecules are laid out: zero-padded positions and charges, one row per molecule."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, UInt8

from emergent.storage import Array

MAX_ATOMS = 29
"""Atoms in the largest molecule of QM9."""


def molecule_split(
    split: str,
    positions: Float64[np.ndarray, "N A 3"],
    charges: UInt8[np.ndarray, "N A"],
    num_atoms: UInt8[np.ndarray, " N"],
    energies: Float64[np.ndarray, " N"],
) -> dict[str, Array]:
    """Returns the arrays ``positions``, ``charges``, ``num_atoms`` and ``U0_atomisation`` of one split."""
    return {
        f"{split}/positions": Array(positions, ("molecule", "atom", "axis"), "angstrom", "atom positions, zero-padded"),
        f"{split}/charges": Array(charges, ("molecule", "atom"), "e", "nuclear charges, 0 = padding"),
        f"{split}/num_atoms": Array(num_atoms, ("molecule",), "1", "number of atoms"),
        f"{split}/U0_atomisation": Array(
            energies, ("molecule",), "eV", "internal energy at 0 K minus that of the atoms"
        ),
    }


def padded(
    positions: Sequence[Float64[np.ndarray, "atoms 3"]], charges: Sequence[Sequence[int]]
) -> tuple[Float64[np.ndarray, "N A 3"], UInt8[np.ndarray, "N A"], UInt8[np.ndarray, " N"]]:
    """Returns positions, charges and numbers of atoms of molecules of different sizes, as laid out here."""
    places, elements = np.zeros((len(positions), MAX_ATOMS, 3)), np.zeros((len(positions), MAX_ATOMS), np.uint8)
    for row, (own, symbols) in enumerate(zip(positions, charges, strict=True)):
        places[row, : len(own)], elements[row, : len(own)] = own, symbols
    return places, elements, np.array([len(own) for own in positions], np.uint8)
