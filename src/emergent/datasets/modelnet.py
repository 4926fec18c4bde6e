"""ModelNet10 and ModelNet40 from the official archives: CAD models as OFF files, read one after another.

Input: ``ModelNet10.zip`` or ``ModelNet40.zip``, never unpacked. Output: meshes in their original units and position,
ordered by class and file name.

References:
    Wu et al., 3D ShapeNets: A Deep Representation for Volumetric Shapes, CVPR 2015.
"""

import zipfile
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from emergent.config.meshes import ModelNetOptions
from emergent.datasets.meshes import mesh_split, read_off
from emergent.datasets.raw_files import reading, zip_members
from emergent.errors import DataError
from emergent.storage import Array


def prepare(raw: Path, options: ModelNetOptions) -> dict[str, Array]:
    """Returns the meshes and labels of the splits asked for; a label is the position of its class in ``classes``.

    Raises:
        DataError: the archive is missing or damaged, lacks a class, or holds a malformed or empty mesh (named).
    """
    path = raw / f"{options.archive}.zip"
    arrays: dict[str, Array] = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        names = zip_members(archive, path)
        for split in options.splits:
            members = select_members(path, names, options, split)
            bar = tqdm(members, desc=f"{path.name} {split}", unit="mesh", mininterval=5.0)
            meshes = [read_off(archive.read(name), f"{path}: {name}") for name, _ in bar]
            arrays |= mesh_split(split, meshes, [label for _, label in members])
    return arrays


def select_members(path: Path, names: list[str], options: ModelNetOptions, split: str) -> list[tuple[str, int]]:
    """Returns (member, label) of one split, in an order that does not depend on the order inside the archive.

    Args:
        path: of the archive, for messages.
        names: of its members.
        options: classes to look for.
        split: ``train`` or ``test``.

    Raises:
        DataError: a class has no meshes.
    """
    by_class: dict[str, list[str]] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        # The archives carry a second tree with a Macintosh's file attributes under the same names.
        if len(parts) == 4 and parts[0] == options.archive and parts[2] == split and name.lower().endswith(".off"):
            by_class.setdefault(parts[1], []).append(name)
    if missing := [name for name in options.classes if name not in by_class]:
        raise DataError(
            f"{path}: no {split} meshes in folder {', '.join(missing)}; folders found: {sorted(by_class) or 'none'}."
        )
    return [(name, label) for label, c in enumerate(options.classes) for name in sorted(by_class[c])]
