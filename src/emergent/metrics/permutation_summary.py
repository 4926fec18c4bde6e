"""Summary of experiments of kind ``permutation_flow``: distance moved and distance from the equivariant weights.

References:
    arXiv 2303.13458, first version: permutations.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.errors import DataError
from emergent.metrics.quantities import Quantities

NAMES = ["members", "moved", "distance", "loss"]
# Standard error of a median of normal samples, over that of their mean.
MEDIAN_ERROR = np.sqrt(np.pi / 2)


def summarise_permutations(
    settings: dict[str, Any], paths: Mapping[str, Sequence[Path]], kernel: None = None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``departure`` (arm, mode, member, step, moved, distance) and ``quantities``.

    Args:
        settings: configuration of the summary stage.
        paths: arm to its training files.
        kernel: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every run once.
    """
    del kernel
    rows, quantities, final = [], Quantities(), {}
    for arm in settings["arm_order"]:
        block = _load(arm, paths[arm], settings["num_members"])
        moved, distance = (
            np.vstack([np.zeros(settings["num_members"]), block[name]]) for name in ("moved", "distance")
        )
        num_times, num = moved.shape
        rows.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "mode": settings["modes"][arm],
                    "member": np.repeat(np.arange(num), num_times),
                    "step": np.tile(np.arange(num_times), num),
                    "moved": moved.T.reshape(-1),
                    "distance": distance.T.reshape(-1),
                }
            )
        )
        final[arm] = distance[-1] / moved[-1]
        quantities.add(f"moved/{arm}", *_median(moved[-1]), num, "median distance from the start after the last step")
        quantities.add(f"distance/{arm}", *_median(distance[-1]), num, "median distance from the equivariant weights")
        quantities.add(f"departure/{arm}", *_median(final[arm]), num, "median of that distance over the distance moved")
        quantities.add(f"loss/{arm}", *_median(block["loss"][-1]), num, "median loss before the last step")
    modes = {mode: arm for arm, mode in settings["modes"].items()}
    if {"augmented", "nominal"} <= set(modes):
        ratio = final[modes["augmented"]] / final[modes["nominal"]]
        quantities.add("departure_ratio", *_median(ratio), len(ratio),
                       "departure of augmented over that of nominal training, run by run")  # fmt: skip
    return {"departure": pd.concat(rows, ignore_index=True), "quantities": quantities.table()}


def _median(values: np.ndarray) -> tuple[float, float]:
    error = MEDIAN_ERROR * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(np.median(values)), float(error)


def _load(arm: str, paths: Sequence[Path], num_members: int) -> dict[str, np.ndarray]:
    """Returns the arrays [steps, runs] of an arm with its runs in order."""
    blocks = [storage.read_arrays(path, NAMES, "train") for path in paths]
    members = np.concatenate([block["members"] for block in blocks]) if blocks else np.zeros(0, int)
    if not np.array_equal(np.sort(members), np.arange(num_members)):
        raise DataError(f"arm {arm}: expected runs 0 to {num_members - 1} once each, found {len(members)}.")
    order = np.argsort(members)
    return {name: np.concatenate([block[name] for block in blocks], 1)[:, order].astype(float) for name in NAMES[1:]}
