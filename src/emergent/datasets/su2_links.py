"""Links of SU(2) lattice gauge theory in 1+1 dimensions with Wilson's action, drawn on lattices of several sizes.

Output: splits ``train`` and ``validation`` on the smallest lattice, and ``test_<L>`` on each, with inputs
[N, L, L, 2, 4], links as quaternions. Samples are in random order of their couplings.

References:
    arXiv:2012.12901 (regression of Wilson loops); exact: the mean of Re Tr P / 2 is I_2(beta) / I_1(beta).
"""

from pathlib import Path

import numpy as np

from emergent.config.generators import SU2Options
from emergent.datasets.su2_heat_bath import sample_links
from emergent.storage import Array

TRAINING = ("train", "validation")


def prepare(raw: Path, options: SU2Options) -> dict[str, Array]:
    """Returns inputs [N, L, L, 2, 4] float32 of all splits, and the coupling of each sample."""
    del raw
    arrays: dict[str, Array] = {}
    betas = np.linspace(*options.betas, options.num_betas)
    sizes = {"train": (options.sizes[0], options.num_train), "validation": (options.sizes[0], options.num_validation)}
    sizes |= {f"test_{size}": (size, options.num_test) for size in options.sizes}
    for stream, (split, (size, num)) in enumerate(sizes.items()):
        # A stream of its own for each split: none changes with the length of another.
        generator = np.random.default_rng([options.seed, stream])
        links = sample_links(size, betas, num, options.warm_up, options.spacing, generator)
        order = generator.permutation(len(betas) * num)
        inputs = links.reshape(-1, *links.shape[2:])[order].astype(np.float32)
        dims = ("sample", "row", "column", "direction", "component")
        arrays[f"{split}/inputs"] = Array(inputs, dims, "1", "links as quaternions")
        arrays[f"{split}/couplings"] = Array(np.repeat(betas, num)[order], ("sample",), "1", "beta")
    return arrays
