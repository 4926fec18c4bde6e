"""Training files of kinds without an evaluation: the runs of an arm in order, and medians over them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emergent import storage
from emergent.errors import DataError

# Standard error of a median of normal samples, over that of their mean.
MEDIAN_ERROR = np.sqrt(np.pi / 2)


def read_runs(
    arm: str, paths: Sequence[Path], num_members: int, axes: Mapping[str, int], unit: str = "runs"
) -> dict[str, np.ndarray]:
    """Returns arrays of an arm with its runs in order.

    Args:
        arm: for messages.
        paths: training files, in any order.
        num_members: runs that they must hold.
        axes: name of each array to its axis of runs.
        unit: what a run is called in messages.

    Raises:
        DataError: the files do not hold every run once.
    """
    blocks = [storage.read_arrays(path, ["members", *axes], "train") for path in paths]
    members = np.concatenate([block["members"] for block in blocks]) if blocks else np.zeros(0, int)
    if not np.array_equal(np.sort(members), np.arange(num_members)):
        raise DataError(f"arm {arm}: expected {unit} 0 to {num_members - 1} once each, found {len(members)}.")
    order = np.argsort(members)
    return {
        name: np.take(np.concatenate([block[name] for block in blocks], axis), order, axis)
        for name, axis in axes.items()
    }


def median(values: np.ndarray) -> tuple[float, float]:
    """Returns the median of [M] runs and its standard error; that of a single run is NaN."""
    error = MEDIAN_ERROR * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(np.median(values)), float(error)
