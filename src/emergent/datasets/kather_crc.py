"""A few labelled patches of NCT-CRC-HE-100K and CRC-VAL-HE-7K: real histology where the archives cannot be had.

Input: one array file with some two hundred patches, averaged over areas to 64 x 64 pixels. Output: split ``train``,
crops of the patches of NCT-CRC-HE-100K, and split ``validation``, the middle of those of CRC-VAL-HE-7K. Patches that
were selected for being hard, or whose colours are not normalised, are left out.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from emergent.config.datasets import KatherCrcOptions
from emergent.datasets.layout import image_split
from emergent.datasets.nct_crc import CLASSES
from emergent.datasets.raw_files import load_npz
from emergent.errors import DataError
from emergent.storage import Array

ARCHIVE = "kather_crc_patches_32_64.npz"
SPLITS = {"train": "NCT-CRC-HE-100K", "validation": "CRC-VAL-HE-7K"}
"""Ours to those of the file."""
EDGE = 64


def prepare(raw: Path, options: KatherCrcOptions) -> dict[str, Array]:
    """Returns train and validation images [N, edge, edge, 3] uint8 and labels [N]; crops of a patch follow each other.

    Raises:
        DataError: the file is missing or damaged, has arrays of another form, or lacks a class for training.
    """
    path = raw / ARCHIVE
    content = load_npz(path, ("images_64", "index_64", "labels", "split"))
    images, rows, labels, origin = (content[name] for name in ("images_64", "index_64", "labels", "split"))
    if images.shape != (len(rows), EDGE, EDGE, 3) or len(labels) != len(origin) or rows.max(initial=0) >= len(labels):
        raise DataError(
            f"{path}: images_64 {images.shape}, index_64 {rows.shape}, labels {labels.shape} and split {origin.shape} "
            "do not belong together."
        )
    arrays: dict[str, Array] = {}
    for split, name in SPLITS.items():
        chosen = origin[rows] == name
        found, own = _crops(images[chosen], options, split), labels[rows][chosen]
        if missing := [word for label, word in enumerate(CLASSES) if split == "train" and label not in own]:
            raise DataError(f"{path}: no patch of {name} with label {', '.join(missing)}.")
        arrays |= image_split(split, found.reshape(-1, *found.shape[2:]), _repeated(own, found), len(CLASSES))
    return arrays


def _crops(images: UInt8[np.ndarray, "N 64 64 3"], options: KatherCrcOptions, split: str) -> np.ndarray:
    """Returns the crops of every patch [N, crops, edge, edge, 3]."""
    room = EDGE - options.edge
    evenly = np.linspace(0, room, options.crops_per_side).round().astype(int) if options.crops_per_side > 1 else None
    starts = [room // 2] if split == "validation" or evenly is None else list(evenly)
    cut = [images[:, y : y + options.edge, x : x + options.edge] for y in starts for x in starts]
    return np.stack(cut, 1)


def _repeated(labels: np.ndarray, crops: np.ndarray) -> Int[np.ndarray, " N"]:
    return np.repeat(labels.astype(np.int64), crops.shape[1])
