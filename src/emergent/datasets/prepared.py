"""``prepared.h5``: written once per data set, read by everything above."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from emergent.config.base import canonical_json
from emergent.config.datasets import DatasetEntry
from emergent.errors import DataError
from emergent.storage import Array, open_file, read_array, write

STAGE = "prepare"


def write_prepared(path: Path, dataset: str, entry: DatasetEntry, arrays: Mapping[str, Array]) -> None:
    """Writes one prepared data set atomically.

    Licence, citation and notes stay in the registry: whoever corrects them there must not have to train again.

    Args:
        path: HDF5 file.
        dataset: name in the registry.
        entry: configuration of the stage.
        arrays: from the data set's ``prepare``.
    """
    attributes = {
        "dataset": dataset,
        "config_json": canonical_json(entry),
        "classes_json": json.dumps(list(entry.classes)),
    }
    write(path, stage=STAGE, attributes=attributes, arrays=arrays)


def load_split(path: Path, split: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns inputs and labels (images) or targets (Ising) of one split.

    Args:
        path: a prepared data set.
        split: e.g. ``"train"``.

    Returns:
        Inputs [N, ...] as stored (uint8 pixels, or float32), and labels [N] int32 or targets [N, S] float32; None
        in their place for sets that have neither, such as random fields.

    Raises:
        DataError: the file is missing, truncated or of another stage, or has no such split.
    """
    with open_file(path, STAGE) as file:
        if split not in file:
            raise DataError(f"{path}: no split {split!r}. It has: {', '.join(sorted(file))}.")
        inputs = read_array(file, f"{split}/inputs")
        for name in ("labels", "targets"):
            if name in file[split]:
                return inputs, read_array(file, f"{split}/{name}")
    return inputs, None
