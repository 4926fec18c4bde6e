"""Patches of scikit-learn's two sample photographs: natural image statistics without a download.

Output: a split ``test``, and in colour where asked for also ``train``, labelled by photograph. Stands in for CIFAR-10
and for histology at smoke scale; whatever is drawn from it must say so.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from emergent.config.generators import PhotoPatchOptions
from emergent.datasets.colour import to_grey
from emergent.datasets.layout import image_split
from emergent.storage import Array

PHOTOGRAPHS = ("china.jpg", "flower.jpg")


def prepare(raw: Path, options: PhotoPatchOptions) -> dict[str, Array]:
    """Returns images [N, size, size, C] uint8, alternating between the photographs, and their index [N], per split.

    Training patches may overlap with test patches: they come from the same two photographs.
    """
    # Here and not above: it takes two seconds, which every data set would pay.
    from sklearn.datasets import load_sample_image

    generator = np.random.default_rng(options.seed)
    photographs = [load_sample_image(name) for name in PHOTOGRAPHS]
    if not options.colour:
        photographs = [to_grey(photograph) for photograph in photographs]
    arrays: dict[str, Array] = {}
    for split, num in (("test", options.num), ("train", options.num_train)):
        if num:
            labels = np.arange(num) % len(photographs)
            images = np.stack([_patch(photographs[label], options, generator) for label in labels])
            arrays |= image_split(split, images, labels, num_classes=len(photographs))
    return arrays


def _patch(photograph: np.ndarray, options: PhotoPatchOptions, generator: np.random.Generator) -> np.ndarray:
    """Returns one patch at a random position [size, size, C]."""
    edge, (height, width) = options.size * options.shrink, photograph.shape[:2]
    top, left = generator.integers(height - edge + 1), generator.integers(width - edge + 1)
    patch = Image.fromarray(photograph[top : top + edge, left : left + edge])
    small = np.rint(np.asarray(patch.resize((options.size, options.size), Image.Resampling.BOX))).astype(np.uint8)
    return small.reshape(options.size, options.size, -1)
