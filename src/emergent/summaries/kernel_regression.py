"""Summary of experiments of kind ``kernel_regression``: accuracy by training set size, and what symmetry adds to it.

References:
    arXiv 2406.06504, accuracy of kernels by training set size.
"""

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

NAMES = {"accuracy": 0, "regulariser": 0, "accuracy_by_regulariser": 0}


def summarise_kernel_regression(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``learning``, ``regularisers`` and ``quantities``.

    ``learning`` (arm, size, mean, std, num, regulariser): accuracy over splits and the median of the regularisers that
    validation images chose. ``regularisers`` (arm, size, regulariser, mean, std, num): accuracy with each of them.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every split once.
    """
    del predictions
    quantities, learning, grid = Quantities(), [], []
    quantities.add("num_members", Estimate.exact(settings.num_members), "splits of every arm")
    found = {}
    for arm in (facts.name for facts in settings.arms):
        runs = read_runs(arm, blocks[arm], settings.num_members, NAMES, "splits")
        axes = storage.read_arrays(blocks[arm][0], ["sizes", "regularisers"], "train")
        found[arm] = runs["accuracy"]
        for s, size in enumerate(axes["sizes"]):
            own = runs["accuracy"][:, s]
            row = {"arm": arm, "size": int(size), "mean": float(own.mean()), "std": sample_std(own), "num": len(own)}
            learning.append(row | {"regulariser": float(np.median(runs["regulariser"][:, s]))})
            quantities.add(f"accuracy/{arm}/{size}", Estimate.mean(own), "accuracy on test images")
            for q, regulariser in enumerate(axes["regularisers"]):
                part = runs["accuracy_by_regulariser"][:, s, q]
                head = {"arm": arm, "size": int(size), "regulariser": float(regulariser)}
                grid.append(head | {"mean": float(part.mean()), "std": sample_std(part), "num": len(part)})
    for facts in settings.arms:
        if facts.compare_to is None:
            continue
        # Split by split: both arms learn and are tested on the same images.
        gains = found[facts.name] - found[facts.compare_to]
        text = f"accuracy of {facts.label} minus that of {settings.arm(facts.compare_to).label}, on the same splits"
        sizes = storage.read_arrays(blocks[facts.name][0], ["sizes"], "train")["sizes"]
        for s, size in enumerate(sizes):
            quantities.add(f"gain/{facts.name}/{size}", Estimate.mean(gains[:, s]), text)
    return {
        "learning": pd.DataFrame(learning),
        "regularisers": pd.DataFrame(grid),
        "quantities": quantities.table(),
    }
