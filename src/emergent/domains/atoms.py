"""Molecules as functions on the sphere, one for every atom: in which directions it has which neighbours.

Of atom i, element z and power p the function is

    s_izp(x) = sum over j != i with z_j = z of  z_i z_j / |r_ij|^p  exp(-(x . r_ij / |r_ij| - 1)^2 / beta),

with distances in angstrom: five elements times two powers are ten channels, elements first.

References:
    arXiv 2406.06504 (input of the molecular networks), after arXiv 2306.05420.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent import storage
from emergent.config.domains import DataSelection
from emergent.config.molecule_regression import CHANNEL_ELEMENTS, CHANNEL_POWERS
from emergent.domains.prepared import selected
from emergent.errors import DataError
from emergent.groups.rotation_harmonics import spherical_harmonics

# Falls to 0.05 at 45 degrees from a neighbour.
BETA = -((math.cos(math.pi / 4) - 1) ** 2) / math.log(0.05)
# Nodes for the coefficients of the profile: more change nothing (tests/unit/test_atoms.py).
_NODES = 64


class Molecules(NamedTuple):
    """Molecules as prepared.

    Attributes:
        positions: in angstrom, zero-padded.
        charges: nuclear charges; 0 is padding.
        energies: U0 atomisation energies in eV.
    """

    positions: Float[np.ndarray, "N A 3"]
    charges: Int[np.ndarray, "N A"]
    energies: Float[np.ndarray, " N"]


class Neighbours(NamedTuple):
    """Every ordered pair of atoms of a molecule, of all molecules one after another.

    Attributes:
        atoms: position among all atoms of the first one.
        channels: strength in each channel, [E, 10].
        directions: unit vectors from the first to the second.
        num_atoms: of all molecules together.
    """

    atoms: Int[np.ndarray, " E"]
    channels: Float[np.ndarray, "E C"]
    directions: Float[np.ndarray, "E 3"]
    num_atoms: int


def read_molecules(path: Path, selection: DataSelection) -> Molecules:
    """Returns the selected molecules of a prepared data set.

    Raises:
        DataError: no such split, none with molecules, too few, or an element that signals have no channel for.
    """
    names = [f"{selection.split}/{name}" for name in ("positions", "charges", "U0_atomisation")]
    with storage.open_file(path, "prepare") as file:
        missing = [name for name in names if name not in file]
        if missing:
            raise DataError(
                f"{path}: expected molecules, found no {', '.join(missing)}; choose a data set of molecules."
            )
        positions, charges, energies = (storage.read_array(file, name) for name in names)
    chosen = selected(path, selection, len(positions), "molecules")
    found = Molecules(positions[chosen], charges[chosen].astype(np.int64), energies[chosen])
    unknown = sorted(set(np.unique(found.charges).tolist()) - {0, *CHANNEL_ELEMENTS})
    if unknown:
        raise DataError(f"{path}: expected nuclear charges {CHANNEL_ELEMENTS}, found {unknown}.")
    return found


def neighbours(molecules: Molecules) -> Neighbours:
    """Returns the pairs of atoms; atoms are numbered molecule by molecule, in their order there.

    Raises:
        DataError: two atoms are in one place.
    """
    real = molecules.charges > 0
    number = np.cumsum(real.ravel()).reshape(real.shape) - 1
    pairs = real[:, :, None] & real[:, None, :] & ~np.eye(real.shape[1], dtype=bool)
    molecule, first, second = np.nonzero(pairs)
    vectors = molecules.positions[molecule, second] - molecules.positions[molecule, first]
    distances = np.linalg.norm(vectors, axis=1)
    if len(distances) and distances.min() == 0:
        raise DataError(f"molecule {molecule[distances.argmin()]}: two atoms are in one place; the data are damaged.")
    charges = molecules.charges[molecule, first] * molecules.charges[molecule, second]
    strengths = charges[:, None] / distances[:, None] ** np.array(CHANNEL_POWERS)
    same = molecules.charges[molecule, second][:, None] == np.array(CHANNEL_ELEMENTS)
    channels = (same[:, :, None] * strengths[:, None]).reshape(len(molecule), -1)
    return Neighbours(number[molecule, first], channels, vectors / distances[:, None], int(real.sum()))


def profile_coefficients(band_limit: int) -> Float[np.ndarray, " L"]:
    """Returns h_l of ``exp(-(u - 1)^2 / beta) = sum_l h_l sum_m Y_lm(x) Y_lm(y)``, u = x . y (Funk and Hecke)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    values = weights * np.exp(-((nodes - 1) ** 2) / BETA)
    return 2 * np.pi * np.polynomial.legendre.legvander(nodes, band_limit - 1).T @ values


def signal_coefficients(found: Neighbours, band_limit: int) -> Float[np.ndarray, "A C L2"]:
    """Returns the coefficients of degrees below a band limit of every atom's functions."""
    profile = np.repeat(profile_coefficients(band_limit), 2 * np.arange(band_limit) + 1)
    harmonics = spherical_harmonics(found.directions, band_limit) * profile
    return _summed(found, harmonics)


def signal_values(found: Neighbours, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "A C P"]:
    """Returns every atom's functions at points of the sphere."""
    return _summed(found, np.exp(-((found.directions @ points.T - 1) ** 2) / BETA))


def _summed(found: Neighbours, values: Float[np.ndarray, "E P"]) -> Float[np.ndarray, "A C P"]:
    """Returns the sum over each atom's neighbours of the outer product of strengths and values."""
    result = np.zeros((found.num_atoms, found.channels.shape[1], values.shape[1]))
    # Pairs stand atom by atom; a lone atom has none, and functions that vanish.
    starts = np.flatnonzero(np.diff(found.atoms, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(found.atoms)], strict=True):
        result[found.atoms[start]] = found.channels[start:stop].T @ values[start:stop]
    return result
