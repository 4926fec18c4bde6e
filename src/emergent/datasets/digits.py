"""Scikit-learn's handwritten digits: a real, labelled image set that needs no download.

Output: stratified train and test split of 1797 grey images of 8 x 8. Stands in for the larger image sets at smoke
scale; whatever is drawn from it must say so.
"""

from pathlib import Path

import numpy as np

from emergent.config.datasets import DigitsOptions
from emergent.datasets.layout import image_split
from emergent.storage import Array


def prepare(raw: Path, options: DigitsOptions) -> dict[str, Array]:
    """Returns train and test images [N, 8, 8, 1] uint8 and labels [N]; intensities 0..16 are scaled to 0..255."""
    # Here and not above: it takes two seconds, which every data set would pay.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    train, test = train_test_split(
        np.arange(len(images)), test_size=options.num_test, stratify=bunch.target, random_state=options.seed
    )
    return image_split("train", images[train], bunch.target[train], 10) | image_split(
        "test", images[test], bunch.target[test], 10
    )
