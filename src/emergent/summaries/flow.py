"""Summary of experiments of kind ``flow``: positions of the particles, their mean, and its distance from the line.

References:
    arXiv 2410.01452, schematic figure.
"""

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.flow import FlowSummary
from emergent.statistics.estimate import Estimate, spread_dof
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs


def summarise_flow(settings: FlowSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``particles``, ``mean`` and ``quantities``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every particle once.
    """
    del predictions
    particles, means = [], []
    quantities = Quantities()
    for arm in (facts.name for facts in settings.arms):
        positions = read_runs(arm, blocks[arm], settings.num_members, {"positions": 1}, "particles")["positions"]
        times = storage.read_arrays(blocks[arm][0], ["times"], "train")["times"]
        num = positions.shape[1]
        # What is independent: particles, or pairs of particles.
        units = positions.reshape(len(times), -1, 2, 2).mean(2) if arm in settings.paired_arms else positions
        errors = units.std(1, ddof=1) / np.sqrt(units.shape[1])
        for index, time in enumerate(times):
            x, y = positions[index].T
            particles.append(pd.DataFrame({"time": float(time), "arm": arm, "x": x, "y": y}))
            means.append({"time": float(time), "arm": arm, "x": x.mean(), "y": y.mean(),
                          "x_stderr": errors[index, 0], "y_stderr": errors[index, 1], "num": num})  # fmt: skip
        offsets = positions[:, :, 1].mean(1)
        text = "distance of the mean particle from the fixed line"
        for name, index, when in (
            ("start", 0, " at time 0"),
            ("end", len(times) - 1, " at the last time"),
            ("largest", int(np.abs(offsets).argmax()), ", largest over the stored times"),
        ):
            estimate = Estimate(
                float(abs(offsets[index])), float(errors[index, 1]), num, "mean", spread_dof(units.shape[1])
            )
            quantities.add(f"offset/{arm}/{name}", estimate, text + when)
    return {"particles": pd.concat(particles, ignore_index=True), "mean": pd.DataFrame(means),
            "quantities": quantities.table()}  # fmt: skip
