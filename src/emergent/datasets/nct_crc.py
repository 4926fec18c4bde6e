"""NCT-CRC-HE-100K (training) and CRC-VAL-HE-7K (test): colorectal histology in nine classes.

Input: two zip archives of 12 GB. Output: images shrunk to the resolution asked for. The archives are never unpacked:
each image is read, shrunk and forgotten before the next one.

References:
    Kather et al. (2018), doi 10.5281/zenodo.1214456.
"""

import io
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from emergent.config.datasets import NctCrcOptions
from emergent.datasets.layout import image_split
from emergent.datasets.raw_files import reading
from emergent.errors import DataError
from emergent.storage import Array

ARCHIVES = {"train": "NCT-CRC-HE-100K.zip", "test": "CRC-VAL-HE-7K.zip"}
CLASSES = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")


def prepare(raw: Path, options: NctCrcOptions) -> dict[str, Array]:
    """Returns train and test images [N, r, r, 3] uint8 and labels [N], by class and then by file name.

    Raises:
        DataError: an archive is missing or damaged, lacks a class, or holds an image that cannot be decoded.
    """
    arrays: dict[str, Array] = {}
    for split, name in ARCHIVES.items():
        images, labels = _read_archive(raw / name, options)
        arrays |= image_split(split, images, labels, num_classes=len(CLASSES))
    return arrays


def _read_archive(path: Path, options: NctCrcOptions) -> tuple[np.ndarray, np.ndarray]:
    with reading(path), zipfile.ZipFile(path) as archive:
        members = _select(path, archive.namelist(), options.num_per_class)
        images = np.empty((len(members), options.resolution, options.resolution, 3), np.uint8)
        for index, (member, _) in enumerate(tqdm(members, desc=path.name, unit="image", mininterval=5.0)):
            try:
                images[index] = _shrink(archive.read(member), options.resolution)
            except UnidentifiedImageError as error:
                raise DataError(f"{path}: {member} is not an image ({error}).") from error
    return images, np.array([label for _, label in members], np.int64)


def _select(path: Path, names: list[str], num_per_class: int | None) -> list[tuple[str, int]]:
    """Returns (member, label) in an order that does not depend on the order inside the archive."""
    by_class: dict[str, list[str]] = defaultdict(list)
    for name in names:
        member = PurePosixPath(name)
        if member.suffix.lower() in (".tif", ".tiff", ".png") and not member.name.startswith("."):
            by_class[member.parent.name].append(name)
    if missing := [name for name in CLASSES if not by_class.get(name)]:
        raise DataError(f"{path}: no images in folder {', '.join(missing)}; folders found: {sorted(by_class)}.")
    if num_per_class is not None and (few := [c for c in CLASSES if len(by_class[c]) < num_per_class]):
        raise DataError(f"{path}: num_per_class {num_per_class} is more than {few[0]} has ({len(by_class[few[0]])}).")
    return [(name, label) for label, c in enumerate(CLASSES) for name in sorted(by_class[c])[:num_per_class]]


def _shrink(content: bytes, resolution: int) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB").resize((resolution, resolution), Image.Resampling.BOX))
