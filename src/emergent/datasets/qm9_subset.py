"""A subset of QM9 as one array file, for trying things without the full archive. Same layout as QM9."""

from pathlib import Path

import numpy as np

from emergent.config.datasets import NoOptions
from emergent.datasets.molecules import molecule_split
from emergent.datasets.raw_files import load_npz
from emergent.storage import Array

ARCHIVE = "qm9_subset_1084.npz"


def prepare(raw: Path, options: NoOptions) -> dict[str, Array]:
    """Returns positions, charges, num_atoms and U0 atomisation energies of split ``all``, in the file's order.

    Raises:
        DataError: the file is missing, damaged or lacks an array.
    """
    content = load_npz(raw / ARCHIVE, ("positions", "charges", "num_atoms", "U0_atomization_eV"))
    return molecule_split(
        "all",
        content["positions"].astype(np.float64),
        content["charges"].astype(np.uint8),
        content["num_atoms"].astype(np.uint8),
        content["U0_atomization_eV"].astype(np.float64),
    )
