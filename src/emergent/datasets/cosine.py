"""The cosine on a line, an even function whose targets do not change under x -> -x, or the sine.

Output: splits ``train`` (points uniform in an interval), ``curve`` and ``truth`` (even grids around 0), each with
inputs [N, 1, 1] = x and targets [N, 1] = cos x or sin x.

References:
    talks on arXiv 2403.03103, toy example; training points are not published.
"""

from pathlib import Path

import numpy as np

from emergent.config.generators import CosineOptions
from emergent.storage import Array

FUNCTIONS = {"cosine": np.cos, "sine": np.sin}


def prepare(raw: Path, options: CosineOptions) -> dict[str, Array]:
    """Returns the arrays of all splits; raw files are not read."""
    del raw
    end, function = options.half_width, FUNCTIONS[options.function]
    places = {
        "train": np.random.default_rng(options.seed).uniform(*options.interval, options.num_train),
        "curve": np.linspace(-end, end, options.num_curve),
        "truth": np.linspace(-end, end, options.num_truth),
    }
    arrays: dict[str, Array] = {}
    for split, x in places.items():
        inputs, targets = x[:, None, None].astype(np.float32), function(x)[:, None].astype(np.float32)
        arrays[f"{split}/inputs"] = Array(inputs, ("sample", "vector", "coordinate"), "1", "place on the line")
        arrays[f"{split}/targets"] = Array(targets, ("sample", "output"), "1", f"{options.function} of the place")
    return arrays
