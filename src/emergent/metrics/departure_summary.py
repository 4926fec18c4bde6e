"""Summary of experiments of kind ``departure``: distance moved and distance from the equivariant weights.

References:
    arXiv 2303.13458, first version.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.departure_training import MODES
from emergent.errors import DataError
from emergent.metrics.quantities import Quantities

NAMES = ["members", "moved", "distance", "loss"]
# Standard error of a median of normal samples, over that of their mean.
MEDIAN_ERROR = np.sqrt(np.pi / 2)


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
        block = _load(arm, paths[arm], settings["num_members"])
        shares = {}
        for mode in MODES:
            moved, distance = (np.vstack([np.zeros_like(found[:1]), found]) for found in block[mode][:2])
            key = {"arm": arm, "group": settings["groups"][arm], "mode": mode}
            rows.append(_curves(key, moved, distance))
            shares[mode] = distance[-1] / moved[-1]
            name, num = f"{arm}/{mode}", moved.shape[1]
            text = "distance from the equivariant weights after the last step"
            quantities.add(
                f"moved/{name}", *_median(moved[-1]), num, "median distance from the start after the last step"
            )
            quantities.add(f"distance/{name}", *_median(distance[-1]), num, f"median {text}")
            quantities.add(f"departure/{name}", *_median(shares[mode]), num, f"median {text}, over the distance moved")
            quantities.add(f"loss/{name}", *_median(block[mode][2][-1]), num, "median loss before the last step")
        ratio = shares["augmented"] / shares["nominal"]
        quantities.add(f"departure_ratio/{arm}", *_median(ratio), len(ratio),
                       "departure of augmented over that of nominal training, run by run")  # fmt: skip
    return {"departure": pd.concat(rows, ignore_index=True), "quantities": quantities.table()}


def _curves(key: Mapping[str, str], moved: np.ndarray, distance: np.ndarray) -> pd.DataFrame:
    num_times, num = moved.shape
    columns = {"member": np.repeat(np.arange(num), num_times), "step": np.tile(np.arange(num_times), num)}
    return pd.DataFrame({**key, **columns, "moved": moved.T.reshape(-1), "distance": distance.T.reshape(-1)})


def _median(values: np.ndarray) -> tuple[float, float]:
    error = MEDIAN_ERROR * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(np.median(values)), float(error)


def _load(arm: str, paths: Sequence[Path], num_members: int) -> dict[str, np.ndarray]:
    """Returns for every mode distance moved, distance from E and loss [3, steps, runs] of an arm, runs in order."""
    blocks = [storage.read_arrays(path, NAMES, "train") for path in paths]
    members = np.concatenate([block["members"] for block in blocks]) if blocks else np.zeros(0, int)
    if not np.array_equal(np.sort(members), np.arange(num_members)):
        raise DataError(f"arm {arm}: expected runs 0 to {num_members - 1} once each, found {len(members)}.")
    stacked = np.stack([np.concatenate([block[name] for block in blocks], -1) for name in NAMES[1:]])
    return dict(zip(MODES, stacked[..., np.argsort(members)].astype(float).swapaxes(0, 1), strict=True))
