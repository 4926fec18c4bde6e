"""Five meshes of ModelNet10, rescaled to a unit box, as one array file: for trying things without the archives."""

from pathlib import Path

import numpy as np

from emergent.config.datasets import NoOptions
from emergent.datasets.meshes import check_mesh, mesh_split
from emergent.datasets.raw_files import load_npz
from emergent.storage import Array

ARCHIVE = "modelnet10_off_samples.npz"
NAMES = ("chair_0001", "chair_0002", "chair_0059", "toilet_0001", "toilet_0002")
CLASSES = ("chair", "toilet")


def prepare(raw: Path, options: NoOptions) -> dict[str, Array]:
    """Returns the meshes and labels of split ``test``.

    Raises:
        DataError: the file is missing, damaged or lacks an array, or a mesh cannot be sampled.
    """
    path = raw / ARCHIVE
    content = load_npz(path, tuple(f"{name}_{part}" for name in NAMES for part in "vf"))
    meshes = [check_mesh(content[f"{name}_v"], content[f"{name}_f"], f"{path}: {name}") for name in NAMES]
    return mesh_split("test", meshes, np.array([CLASSES.index(name.rsplit("_", 1)[0]) for name in NAMES]).tolist())
