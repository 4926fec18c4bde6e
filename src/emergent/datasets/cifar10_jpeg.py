"""JPEG re-encodings of CIFAR-10. Not the official pixels: never to be quoted as CIFAR-10 without saying so.

Input: one array file with 60000 JPEG files end to end. Output as for CIFAR-10.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from emergent.config.datasets import ColourOptions
from emergent.datasets.colour import convert
from emergent.datasets.layout import image_split
from emergent.datasets.raw_files import load_npz
from emergent.errors import DataError
from emergent.storage import Array

ARCHIVE = "cifar10_all_jpeg_bytes.npz"


def prepare(raw: Path, options: ColourOptions) -> dict[str, Array]:
    """Returns train and test images [N, H, W, C] uint8 and labels [N], in the order of the official files.

    Raises:
        DataError: the file is missing or damaged, or an image in it cannot be decoded.
    """
    path = raw / ARCHIVE
    content = load_npz(path, ("jpeg_bytes", "offsets", "labels", "is_test"))
    stream, offsets, is_test = content["jpeg_bytes"], content["offsets"], content["is_test"].astype(bool)
    if len(offsets) != len(is_test) + 1 or offsets[-1] != len(stream):
        raise DataError(f"{path}: {len(offsets)} offsets ending at {offsets[-1]} do not fit {len(stream)} bytes.")
    images = np.empty((len(is_test), 32, 32, 3), np.uint8)
    for index in range(len(images)):
        try:
            images[index] = _decode(stream[offsets[index] : offsets[index + 1]].tobytes())
        except (UnidentifiedImageError, OSError, ValueError) as error:
            raise DataError(f"{path}: image {index} cannot be decoded ({error}).") from error
    arrays: dict[str, Array] = {}
    for split, chosen in (("train", ~is_test), ("test", is_test)):
        arrays |= image_split(split, convert(images[chosen], options), content["labels"][chosen], num_classes=10)
    return arrays


def _decode(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
