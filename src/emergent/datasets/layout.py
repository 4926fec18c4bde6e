"""How prepared samples are laid out: ``<split>/inputs`` with ``<split>/labels`` beside them."""

import numpy as np
from jaxtyping import Int, UInt8

from emergent.errors import DataError
from emergent.storage import Array


def image_split(
    split: str, images: UInt8[np.ndarray, "N H W C"], labels: Int[np.ndarray, " N"], num_classes: int
) -> dict[str, Array]:
    """Returns the two arrays of one split of a labelled image set.

    Args:
        split: e.g. ``"train"``.
        images: [N, H, W, C] pixels in 0..255.
        labels: [N] class indices.
        num_classes: K; labels outside 0..K-1 are refused.

    Raises:
        DataError: counts differ, or a label is out of range.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(f"{split}: expected uint8 images [N, H, W, C], found {images.dtype} {images.shape}.")
    if len(images) != len(labels):
        raise DataError(f"{split}: {len(images)} images but {len(labels)} labels.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise DataError(f"{split}: labels span {labels.min()}..{labels.max()}, expected 0..{num_classes - 1}.")
    return {
        f"{split}/inputs": Array(images, ("sample", "height", "width", "channel"), "1", "pixels, 0..255"),
        f"{split}/labels": Array(labels.astype(np.int32), ("sample",), "1", "class index"),
    }
