"""What summaries read: the files of the blocks of every arm, in the order of their members."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from emergent import storage
from emergent.errors import DataError

Blocks = Mapping[str, Sequence[Path]]
"""Arm to the files of its blocks, in any order: evaluated blocks, or trained ones of kinds without an evaluation."""
Predictions = Mapping[str, Path]
"""Arm to the predictions of its infinitely wide ensemble."""
Tables = dict[str, pd.DataFrame]


def predictions_of(arm: str, predictions: Predictions) -> Path:
    """Returns the predictions of the infinitely wide ensemble of an arm.

    Raises:
        DataError: there are none.
    """
    if arm not in predictions:
        raise DataError(f"no predictions of arm {arm}; add --prediction {arm}=PATH.")
    return predictions[arm]


def in_order(
    arm: str, paths: Sequence[Path], stage: str, num_members: int, unit: str = "members"
) -> list[tuple[Path, int, int]]:
    """Returns each file with its first member and the one after its last, ascending.

    Args:
        arm: for messages.
        paths: files of one arm.
        stage: that wrote them.
        num_members: members that they must hold once each, consecutive in every file.
        unit: what a member is called in messages.

    Raises:
        DataError: a file is missing or truncated, or members are missing or doubled.
    """
    blocks, found = [], []
    for path in paths:
        members = storage.read_arrays(path, ["members"], stage)["members"].tolist()
        blocks.append((path, int(members[0]), int(members[-1]) + 1))
        found.append(members)
    blocks.sort(key=lambda block: block[1])
    everything = [member for members in sorted(found) for member in members]
    if everything != list(range(num_members)):
        bounds = [(first, stop) for _, first, stop in blocks]
        raise DataError(
            f"arm {arm}: expected {unit} 0 to {num_members - 1} once each, found {len(everything)} in the blocks "
            f"{bounds}; make the missing blocks, or leave out those that overlap."
        )
    return blocks
