"""Grey patches of scikit-learn's two sample photographs: natural image statistics without a download.

Output: one split ``test``, labelled by photograph. Stands in for CIFAR-10 as an out-of-distribution set at smoke
scale; whatever is drawn from it must say so.
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
    """Returns test images [N, size, size, 1] uint8, alternating between the photographs, and their index [N]."""
    # Here and not above: it takes two seconds, which every data set would pay.
    from sklearn.datasets import load_sample_image

    generator = np.random.default_rng(options.seed)
    edge = options.size * options.shrink
    photographs = [to_grey(load_sample_image(name)) for name in PHOTOGRAPHS]
    labels = np.arange(options.num) % len(photographs)
    images = np.empty((options.num, options.size, options.size, 1), np.uint8)
    for index, label in enumerate(labels):
        height, width = photographs[label].shape
        top, left = generator.integers(height - edge + 1), generator.integers(width - edge + 1)
        patch = Image.fromarray(photographs[label][top : top + edge, left : left + edge])
        images[index, :, :, 0] = np.rint(np.asarray(patch.resize((options.size, options.size), Image.Resampling.BOX)))
    return image_split("test", images, labels, num_classes=len(photographs))
