"""NCT-CRC-HE-100K and CRC-VAL-HE-7K: colorectal histology in nine classes.

Input: zip archives, of 12 GB in all. Output: images shrunk to the resolution asked for. The archives are never
unpacked: each image is read, shrunk and forgotten before the next one; of a random selection no other image is read.

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

from emergent.config.datasets import NctCrcOptions, RandomSplit
from emergent.datasets.layout import image_split
from emergent.datasets.raw_files import reading, zip_members
from emergent.errors import DataError
from emergent.storage import Array

ARCHIVES = {"train": "NCT-CRC-HE-100K.zip", "test": "CRC-VAL-HE-7K.zip"}
CLASSES = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")
EDGE = 224
"""Of the original images, in pixels."""
FORMATS = ("TIFF", "PNG")
"""Of images that are read; Pillow knows some that are programs."""


def prepare(raw: Path, options: NctCrcOptions) -> dict[str, Array]:
    """Returns images [N, r, r, 3] uint8 and labels [N] of each split.

    Without ``sample`` these are train and test, by class and then by file name; with it train and validation, in random
    order.

    Raises:
        DataError: an archive is missing or damaged, lacks a class, has images of another class or fewer than asked for,
            or holds one that cannot be decoded or is not of the original size.
    """
    if options.sample is not None:
        return _read_sample(raw / ARCHIVES["train"], options, options.sample)
    arrays: dict[str, Array] = {}
    for split, name in ARCHIVES.items():
        path = raw / name
        with reading(path), zipfile.ZipFile(path) as archive:
            chosen = _select(path, zip_members(archive, path), options.num_per_class)
            arrays |= _read_split(path, archive, split, chosen, options.resolution)
    return arrays


def _read_sample(path: Path, options: NctCrcOptions, sample: RandomSplit) -> dict[str, Array]:
    with reading(path), zipfile.ZipFile(path) as archive:
        members = _select(path, zip_members(archive, path), options.num_per_class)
        if sample.num > len(members):
            raise DataError(
                f"{path}: sample.num {sample.num} is more than the archive has ({len(members)} images); ask for fewer, "
                "or supply the whole archive."
            )
        order = np.random.default_rng(sample.seed).permutation(len(members))[: sample.num]
        chosen = [members[index] for index in order]
        return _read_split(path, archive, "train", chosen[sample.num_validation :], options.resolution) | _read_split(
            path, archive, "validation", chosen[: sample.num_validation], options.resolution
        )


def _read_split(
    path: Path, archive: zipfile.ZipFile, split: str, members: list[tuple[str, int]], resolution: int
) -> dict[str, Array]:
    images = np.empty((len(members), resolution, resolution, 3), np.uint8)
    for index, (member, _) in enumerate(tqdm(members, desc=f"{path.name}, {split}", unit="image", mininterval=5.0)):
        content = archive.read(member)
        # The archive is as it should be: what fails now is this one file.
        try:
            images[index] = _shrink(content, resolution)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path}: {member} is not an image of {EDGE} x {EDGE} pixels ({error}).") from error
    return image_split(split, images, np.array([label for _, label in members], np.int64), num_classes=len(CLASSES))


def _select(path: Path, names: list[str], num_per_class: int | None) -> list[tuple[str, int]]:
    """Returns (member, label) in an order that does not depend on the order inside the archive."""
    by_class: dict[str, list[str]] = defaultdict(list)
    for name in names:
        member = PurePosixPath(name)
        if member.suffix.lower() in (".tif", ".tiff", ".png") and not member.name.startswith("."):
            by_class[member.parent.name].append(name)
    if missing := [name for name in CLASSES if not by_class.get(name)]:
        raise DataError(f"{path}: no images in folder {', '.join(missing)}; folders found: {sorted(by_class)}.")
    if unknown := sorted(set(by_class) - set(CLASSES)):
        raise DataError(
            f"{path}: images in folder {', '.join(unknown)}, e.g. {by_class[unknown[0]][0]}; expected the folders "
            f"{', '.join(CLASSES)} alone."
        )
    if num_per_class is not None and (few := [c for c in CLASSES if len(by_class[c]) < num_per_class]):
        raise DataError(f"{path}: num_per_class {num_per_class} is more than {few[0]} has ({len(by_class[few[0]])}).")
    return [(name, label) for label, c in enumerate(CLASSES) for name in sorted(by_class[c])[:num_per_class]]


def _shrink(content: bytes, resolution: int) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.size != (EDGE, EDGE):
            raise ValueError(f"its size is {image.size[0]} x {image.size[1]}")
        return np.asarray(image.convert("RGB").resize((resolution, resolution), Image.Resampling.BOX))
