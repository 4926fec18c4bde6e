"""CIFAR-10 from the official Python archive: five training batches and one test batch inside a tar file.

Input: ``cifar-10-python.tar.gz``. Output: train 50000 and test 10000 images, in colour or grey and shrunk.
"""

import tarfile
from pathlib import Path

import numpy as np

from emergent.config.datasets import ColourOptions
from emergent.datasets.colour import convert
from emergent.datasets.layout import image_split
from emergent.datasets.pickled_arrays import load_pickled_arrays
from emergent.datasets.raw_files import reading, tar_members
from emergent.errors import DataError
from emergent.storage import Array

ARCHIVE = "cifar-10-python.tar.gz"
_BATCHES = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}


def prepare(raw: Path, options: ColourOptions) -> dict[str, Array]:
    """Returns train and test images [N, H, W, C] uint8 and labels [N], in the official order.

    Raises:
        DataError: the archive is missing, damaged or lacks a batch.
    """
    path = raw / ARCHIVE
    batches = _read_batches(path)
    arrays: dict[str, Array] = {}
    for split, names in _BATCHES.items():
        if missing := [name for name in names if name not in batches]:
            raise DataError(f"{path}: no member {', '.join(missing)}; found {sorted(batches)}.")
        images = np.concatenate([batches[name][0] for name in names])
        labels = np.concatenate([batches[name][1] for name in names])
        arrays |= image_split(split, convert(images, options), labels, num_classes=10)
    return arrays


def _read_batches(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    wanted = {name for names in _BATCHES.values() for name in names}
    batches: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with reading(path), tarfile.open(path, "r:gz") as archive:
        for member in tar_members(archive, path):
            name = Path(member.name).name
            stream = archive.extractfile(member) if name in wanted else None
            if stream is not None:
                batches[name] = _parse_batch(stream.read(), f"{path}: {member.name}")
    return batches


def _parse_batch(content: bytes, source: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = load_pickled_arrays(content)
        # Stored as three colour planes of 32 x 32, one image a row.
        planes = np.asarray(batch["data"], np.uint8).reshape(-1, 3, 32, 32)
        return planes.transpose(0, 2, 3, 1), np.asarray(batch["labels"], np.int64)
    except Exception as error:  # what a file raises that is no batch depends on what it is instead
        raise DataError(
            f"{source}: expected a batch of images as a pickle of arrays ({type(error).__name__}: {error}). Nothing of "
            "it was executed. Delete the archive and run again: it will be fetched anew and verified."
        ) from None
