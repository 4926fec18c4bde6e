"""Training files of kinds without an evaluation: the runs of an arm in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emergent import storage
from emergent.errors import DataError
from emergent.summaries.files import in_order


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
    ordered = in_order(arm, paths, "train", num_members, unit)
    blocks = [storage.read_arrays(path, list(axes), "train") for path, _, _ in ordered]
    return {name: np.concatenate([block[name] for block in blocks], axis) for name, axis in axes.items()}


def require_networks(arm: str, found: int, expected: int) -> None:
    """Checks how many networks a trial has.

    Raises:
        DataError: others than configured.
    """
    if found != expected:
        raise DataError(f"arm {arm}: {found} networks a trial, expected {expected}; train again.")
