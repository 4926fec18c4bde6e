"""QM9 from the official archive: 133885 small molecules, streamed from one compressed tar file.

Input: ``dsgdb9nsd.xyz.tar.bz2`` and ``uncharacterized.txt``. Output: one split ``all``, ordered by QM9 index.

References:
    Ramakrishnan, Dral, Rupp, von Lilienfeld, Scientific Data 1, 140022 (2014).
"""

import re
import tarfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from emergent.config.datasets import Qm9Options
from emergent.datasets.molecules import molecule_split, padded
from emergent.datasets.raw_files import reading, tar_members
from emergent.errors import DataError
from emergent.storage import Array

ARCHIVE = "dsgdb9nsd.xyz.tar.bz2"
EXCLUDED = "uncharacterized.txt"
_NUM_EXCLUDED = 3054
_HARTREE_IN_EV = 27.211386245988  # CODATA 2018
_CHARGE = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
# B3LYP/6-31G(2df,p) energies of the free atoms in hartree, from atomref.txt of the same publication.
_ATOM_U0 = {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730}
_U0_COLUMN = 12  # tag, index, A, B, C, mu, alpha, homo, lumo, gap, r2, zpve, U0


def prepare(raw: Path, options: Qm9Options) -> dict[str, Array]:
    """Returns positions [N, 29, 3] in angstrom, charges [N, 29], num_atoms [N] and U0 atomisation energies [N] in eV.

    Raises:
        DataError: a file is missing or damaged, or a molecule does not follow the format.
    """
    excluded = _read_excluded(raw / EXCLUDED) if options.exclude_uncharacterized else frozenset()
    path = raw / ARCHIVE
    molecules: dict[int, tuple[list[str], np.ndarray, float]] = {}
    # As a stream: to go back in a bzip2 file means to unpack it again from its beginning.
    with reading(path), tarfile.open(path, "r|bz2") as archive:
        for member in tqdm(tar_members(archive, path), desc=path.name, unit="molecule", mininterval=5.0):
            stream = archive.extractfile(member) if member.name.endswith(".xyz") else None
            if stream is None:
                continue
            try:
                index, symbols, positions, energy = parse_molecule(stream.read().decode("ascii"))
            except (ValueError, IndexError, KeyError) as error:
                raise DataError(f"{path}: {member.name} is not in QM9's format ({error!r}).") from error
            if index not in excluded:
                molecules[index] = (symbols, positions, energy)
    ordered = [molecules[index] for index in sorted(molecules)]
    charges = [[_CHARGE[symbol] for symbol in symbols] for symbols, _, _ in ordered]
    arrays = padded([positions for _, positions, _ in ordered], charges)
    return molecule_split("all", *arrays, np.array([energy for _, _, energy in ordered]))


def parse_molecule(text: str) -> tuple[int, list[str], np.ndarray, float]:
    """Returns QM9 index, element symbols, positions [A, 3] in angstrom and U0 atomisation energy in eV.

    Some coordinates are written as ``1.5*^-6``, meaning 1.5e-6.
    """
    lines = text.replace("*^", "e").splitlines()
    num_atoms = int(lines[0])
    properties = lines[1].split()
    rows = [line.split() for line in lines[2 : 2 + num_atoms]]
    symbols = [row[0] for row in rows]
    positions = np.array([[float(number) for number in row[1:4]] for row in rows])
    if positions.shape != (num_atoms, 3):
        raise ValueError(f"expected {num_atoms} atoms, found {positions.shape}")
    energy = float(properties[_U0_COLUMN]) - sum(_ATOM_U0[symbol] for symbol in symbols)
    return int(properties[1]), symbols, positions, energy * _HARTREE_IN_EV


def _read_excluded(path: Path) -> frozenset[int]:
    with reading(path):
        # Data rows start with the QM9 index; the header and the closing line do not.
        lines = path.read_text(encoding="latin-1").splitlines()
    indices = frozenset(int(match[1]) for line in lines[9:] if (match := re.match(r"\s*(\d+)\s+\S", line)))
    if len(indices) != _NUM_EXCLUDED:
        raise DataError(f"{path}: expected {_NUM_EXCLUDED} molecules, found {len(indices)}.")
    return indices
