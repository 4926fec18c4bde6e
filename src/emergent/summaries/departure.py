"""Summary of experiments of kind ``departure``: distance moved and distance from the equivariant weights.

References:
    arXiv 2303.13458, first version.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent.config.departure_training import MODES
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import median, read_runs

NAMES = ("moved", "distance", "loss")


def summarise_departure(
    settings: dict[str, Any], paths: Mapping[str, Sequence[Path]], kernel: None = None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``departure`` (arm, group, mode, member, step, moved, distance) and ``quantities``.

    Args:
        settings: configuration of the summary stage.
        paths: arm to its training files.
        kernel: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every run once.
    """
    del kernel
    rows, quantities = [], Quantities()
    for arm in settings["arm_order"]:
        block = read_runs(arm, paths[arm], settings["num_members"], dict.fromkeys(NAMES, 2))
        shares = {}
        for index, mode in enumerate(MODES):
            moved, distance, loss = (block[name][index].astype(float) for name in NAMES)
            moved, distance = (np.vstack([np.zeros_like(found[:1]), found]) for found in (moved, distance))
            key = {"arm": arm, "group": settings["groups"][arm], "mode": mode}
            rows.append(_curves(key, moved, distance))
            shares[mode] = distance[-1] / moved[-1]
            name, num = f"{arm}/{mode}", moved.shape[1]
            text = "distance from the equivariant weights after the last step"
            quantities.add(
                f"moved/{name}", *median(moved[-1]), num, "median distance from the start after the last step"
            )
            quantities.add(f"distance/{name}", *median(distance[-1]), num, f"median {text}")
            quantities.add(f"departure/{name}", *median(shares[mode]), num, f"median {text}, over the distance moved")
            quantities.add(f"loss/{name}", *median(loss[-1]), num, "median loss before the last step")
        ratio = shares["augmented"] / shares["nominal"]
        quantities.add(f"departure_ratio/{arm}", *median(ratio), len(ratio),
                       "departure of augmented over that of nominal training, run by run")  # fmt: skip
    return {"departure": pd.concat(rows, ignore_index=True), "quantities": quantities.table()}


def _curves(key: Mapping[str, str], moved: np.ndarray, distance: np.ndarray) -> pd.DataFrame:
    num_times, num = moved.shape
    columns = {"member": np.repeat(np.arange(num), num_times), "step": np.tile(np.arange(num_times), num)}
    return pd.DataFrame({**key, **columns, "moved": moved.T.reshape(-1), "distance": distance.T.reshape(-1)})
