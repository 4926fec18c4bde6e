"""Pairs of vectors of space and their cross product, which turns with them.

Output: splits ``train``, ``test`` (components N(0, 1)) and ``ood`` (components uniform in a cube), each with inputs
[N, 2, 3] = (a, b) and targets [N, 3] = a x b. Under a rotation of both vectors the product turns along.

References:
    arXiv 2403.03103 and the talks on it, cross-product experiment; distributions and sizes are not published.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from emergent.config.generators import CrossProductOptions
from emergent.storage import Array


def prepare(raw: Path, options: CrossProductOptions) -> dict[str, Array]:
    """Returns the arrays of all splits; raw files are not read."""
    del raw
    sizes = {"train": options.num_train, "test": options.num_test, "ood": options.num_ood}
    arrays: dict[str, Array] = {}
    for index, (split, num) in enumerate(sizes.items()):
        # A generator per split, so that the size of one changes no other, and more samples begin with those of fewer.
        half_width = options.half_width if split == "ood" else None
        pairs = draw_pairs(np.random.default_rng([options.seed, index]), num, half_width)
        products = np.cross(pairs[:, 0], pairs[:, 1])
        arrays[f"{split}/inputs"] = Array(
            pairs.astype(np.float32), ("sample", "vector", "coordinate"), "1", "two vectors of space"
        )
        arrays[f"{split}/targets"] = Array(
            products.astype(np.float32), ("sample", "output"), "1", "cross product of the two vectors"
        )
    return arrays


def draw_pairs(generator: np.random.Generator, num: int, half_width: float | None) -> Float[np.ndarray, "N 2 3"]:
    """Returns pairs of vectors with independent components: uniform in a cube, or without one Gaussian."""
    if half_width is None:
        return generator.standard_normal((num, 2, 3))
    return generator.uniform(-half_width, half_width, (num, 2, 3))
