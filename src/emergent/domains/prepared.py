"""Selected samples of a prepared data set, as stored."""

from pathlib import Path

import numpy as np

from emergent import storage
from emergent.config.domains import DataSelection
from emergent.errors import DataError

# The permutation that selects subsets is the same for every experiment and seed: subsets are part of the data.
SELECTION_SEED = 20240306


def selected(path: Path, selection: DataSelection, total: int, what: str = "samples") -> np.ndarray:
    """Returns the positions of the selected samples; more samples extend fewer.

    Args:
        path: ``prepared.h5``, for messages.
        selection: of a split.
        total: samples in the split.
        what: they are.

    Raises:
        DataError: the split has fewer than were asked for.
    """
    if selection.num is None:
        return np.arange(total)
    if selection.num > total:
        raise DataError(f"{path}: split {selection.split!r} has {total} {what}, {selection.num} were asked for.")
    return np.random.default_rng(SELECTION_SEED).permutation(total)[: selection.num]


def read_split(path: Path, selection: DataSelection) -> dict[str, np.ndarray]:
    """Returns ``inputs`` and, where there are some, ``labels`` and ``targets`` of the selected samples.

    Raises:
        DataError: missing split or inputs, or too few samples.
    """
    split = selection.split
    with storage.open_file(path, "prepare") as file:
        inputs = storage.read_array(file, f"{split}/inputs")
        names = [name for name in ("labels", "targets") if name in file[split]]
        arrays = {"inputs": inputs} | {name: storage.read_array(file, f"{split}/{name}") for name in names}
    if selection.num is None:
        return arrays
    chosen = selected(path, selection, len(inputs))
    return {name: values[chosen] for name, values in arrays.items()}


def require_classes(path: Path, labels: np.ndarray | None, num_outputs: int) -> np.ndarray:
    """Returns the labels, if a network with so many outputs can learn them.

    Raises:
        DataError: there are none, or they go beyond the outputs, which would make the loss not a number.
    """
    if labels is None:
        raise DataError(f"{path}: training on classes needs labels, but the data set has none; choose another one.")
    if labels.min() < 0 or labels.max() >= num_outputs:
        raise DataError(
            f"{path}: labels reach {labels.max()}, but the network has {num_outputs} outputs; set model.num_outputs to "
            f"{labels.max() + 1} or choose another data set."
        )
    return labels


def require_targets(path: Path, targets: np.ndarray | None, num_outputs: int) -> np.ndarray:
    """Returns float32 targets [N, K], if a network with so many outputs can learn them.

    Raises:
        DataError: there are none, or of another number than there are outputs.
    """
    if targets is None:
        raise DataError(f"{path}: training needs an array 'targets', but the data set has none; choose another one.")
    if targets.ndim != 2 or targets.shape[1] != num_outputs:
        raise DataError(
            f"{path}: targets have shape {targets.shape[1:]} per sample, but the network has {num_outputs} outputs; "
            f"set model.num_outputs accordingly or choose another data set."
        )
    return targets.astype(np.float32)
