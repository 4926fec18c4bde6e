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
from emergent.errors import DataError
from emergent.metrics.quantities import Quantities


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
        times, positions = _load(arm, paths[arm], settings["num_members"])
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


def _load(arm: str, paths: Sequence[Path], num_members: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns times [T] and positions [T, M, 2] of an arm, in the order of its particles."""
    blocks = [storage.read_arrays(path, ["members", "times", "positions"], "train") for path in paths]
    members = np.concatenate([block["members"] for block in blocks]) if blocks else np.zeros(0, int)
    if not np.array_equal(np.sort(members), np.arange(num_members)):
        raise DataError(f"arm {arm}: expected particles 0 to {num_members - 1} once each, found {len(members)}.")
    return blocks[0]["times"], np.concatenate([block["positions"] for block in blocks], 1)[:, np.argsort(members)]
