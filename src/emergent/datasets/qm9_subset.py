"""A subset of QM9 as one array file, for trying things without the full archive. Same layout as QM9."""

from pathlib import Path

import numpy as np

from emergent.config.datasets import NoOptions
from emergent.datasets.molecules import molecule_split
from emergent.datasets.raw_files import load_npz
from emergent.storage import Array

ARCHIVE = "qm9_subset_1084.npz"


def prepare(raw: Path, options: NoOptions) -> dict[str, Array]:
    """Returns positions, charges, num_atoms and U0 atomisation energies, in the file's order.

    Split ``all`` holds all molecules; ``sample`` those of the second source, whose energies are distributed like those
    of QM9 (those of the first are the smallest molecules).

    Raises:
        DataError: the file is missing, damaged or lacks an array.
    """
    content = load_npz(raw / ARCHIVE, ("positions", "charges", "num_atoms", "U0_atomization_eV", "source"))
    arrays: dict[str, Array] = {}
    for split, chosen in (("all", content["source"] >= 0), ("sample", content["source"] == 1)):
        arrays |= molecule_split(
            split,
            content["positions"][chosen].astype(np.float64),
            content["charges"][chosen].astype(np.uint8),
            content["num_atoms"][chosen].astype(np.uint8),
            content["U0_atomization_eV"][chosen].astype(np.float64),
        )
    return arrays
