"""MNIST and Fashion-MNIST: gzip-compressed IDX files to arrays.

Input: the four files of the official distribution. Output: train 60000 and test 10000 grey images of 28 x 28.
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from emergent.config.datasets import NoOptions
from emergent.datasets.layout import image_split
from emergent.datasets.raw_files import reading
from emergent.errors import DataError
from emergent.storage import Array

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
_UNSIGNED_BYTE = 0x08


def prepare(raw: Path, options: NoOptions) -> dict[str, Array]:
    """Returns train and test images [N, H, W, 1] uint8 and labels [N].

    Raises:
        DataError: a file is missing, truncated or not an IDX file of the expected rank.
    """
    arrays: dict[str, Array] = {}
    for split, (images_name, labels_name) in FILES.items():
        images = read_idx(raw / images_name, rank=3)
        labels = read_idx(raw / labels_name, rank=1)
        arrays |= image_split(split, images[..., None], labels, num_classes=10)
    return arrays


def read_idx(path: Path, rank: int) -> np.ndarray:
    """Returns the uint8 array of ``rank`` axes in a gzip-compressed IDX file.

    The header is two zero bytes, a type code, the number of axes, then one big-endian 32-bit length per axis.

    Raises:
        DataError: wrong magic number, rank or length, or a damaged file.
    """
    with reading(path), gzip.open(path, "rb") as stream:
        magic = stream.read(4)
        expected = bytes([0, 0, _UNSIGNED_BYTE, rank])
        if magic != expected:
            raise DataError(
                f"{path}: expected the IDX magic {expected.hex()} (uint8, {rank} axes), found {magic.hex()}."
            )
        shape = struct.unpack(f">{rank}I", stream.read(4 * rank))
        # Not more than is wanted: a short file can unpack to one of any length.
        content = stream.read(math.prod(shape) + 1)
    if len(content) != math.prod(shape):
        raise DataError(f"{path}: the header promises {math.prod(shape)} bytes of data {shape}, found {len(content)}.")
    return np.frombuffer(content, np.uint8).reshape(shape)
