"""Training files of kinds without an evaluation: runs of an arm in order, and quantities that several kinds have."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emergent import storage
from emergent.config.stages import ArmFacts
from emergent.errors import DataError
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import in_order
from emergent.summaries.quantities import Quantities


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


def quantity_name(metric: str, arm: str, size: int) -> str:
    """Returns the name of an arm's quantity: of single networks, or of ensembles of some size."""
    return f"{metric}/{arm}" if size == 1 else f"ensemble_{metric}/{arm}/{size}"


def add_gains(
    arms: Sequence[ArmFacts], errors: Mapping[str, np.ndarray], quantities: Quantities, error: str, unit: str = ""
) -> None:
    """Adds ``gain/<arm>``: by how much an arm's error is below that of the arm it is compared with.

    Args:
        arms: those that are compared with none get no quantity.
        errors: of single networks, by arm and trial; trials of all arms belong together.
        quantities: to add to.
        error: what it is called in the description.
        unit: of it, with the comma before it.
    """
    for arm in arms:
        if arm.compare_to is not None:
            gain = Estimate.mean(errors[arm.compare_to] - errors[arm.name])
            text = f"{error} of {arm.compare_to} minus that of {arm.name}{unit}, trial by trial"
            quantities.add(f"gain/{arm.name}", gain, text)
