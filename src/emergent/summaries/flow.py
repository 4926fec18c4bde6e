"""Summary of experiments of kind ``flow``: positions of the particles, their mean, and its distance from the line.

References:
    arXiv 2410.01452, schematic figure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs


def summarise_flow(
    settings: dict[str, Any], paths: Mapping[str, Sequence[Path]], kernel: None = None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``particles``, ``mean`` and ``quantities``.

    Args:
        settings: configuration of the summary stage.
        paths: arm to its training files.
        kernel: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every particle once.
    """
    del kernel
    particles, means = [], []
    quantities = Quantities()
    for arm in settings["arm_order"]:
        positions = read_runs(arm, paths[arm], settings["num_members"], {"positions": 1}, "particles")["positions"]
        times = storage.read_arrays(paths[arm][0], ["times"], "train")["times"]
        num = positions.shape[1]
        # What is independent: particles, or pairs of particles.
        units = positions.reshape(len(times), -1, 2, 2).mean(2) if arm in settings["paired_arms"] else positions
        errors = units.std(1, ddof=1) / np.sqrt(units.shape[1])
        for index, time in enumerate(times):
            x, y = positions[index].T
            particles.append(pd.DataFrame({"time": float(time), "arm": arm, "x": x, "y": y}))
            means.append({"time": float(time), "arm": arm, "x": x.mean(), "y": y.mean(),
                          "x_stderr": errors[index, 0], "y_stderr": errors[index, 1], "num": num})  # fmt: skip
        offsets = positions[:, :, 1].mean(1)
        largest = int(np.abs(offsets).argmax())
        text = "distance of the mean particle from the fixed line"
        quantities.add(f"offset/{arm}/start", abs(offsets[0]), errors[0, 1], num, f"{text} at time 0")
        quantities.add(f"offset/{arm}/end", abs(offsets[-1]), errors[-1, 1], num, f"{text} at the last time")
        quantities.add(f"offset/{arm}/largest", abs(offsets[largest]), errors[largest, 1], num,
                       f"{text}, largest over the stored times")  # fmt: skip
    return {"particles": pd.concat(particles, ignore_index=True), "mean": pd.DataFrame(means),
            "quantities": quantities.table()}  # fmt: skip
