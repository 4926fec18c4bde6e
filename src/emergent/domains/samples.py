"""Prepared data sets as network inputs: selection of samples, scaling, and the fill value of rotations.

In: ``prepared.h5`` files (stage ``prepare``) and the ``data`` section of a stage configuration. Out: float32 arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from emergent import storage
from emergent.errors import DataError

# The permutation that selects subsets is the same for every experiment and seed: subsets are part of the data.
SELECTION_SEED = 20240306


@dataclass(frozen=True)
class Samples:
    """Inputs with labels or targets.

    Attributes:
        inputs: float32 [N, H, W, C].
        labels: int32 [N], or None.
        targets: float32 [N, H * W], one number per pixel that moves with it under the group, or None.
    """

    inputs: Float[np.ndarray, "N H W C"]
    labels: Int[np.ndarray, " N"] | None = None
    targets: Float[np.ndarray, "N S"] | None = None


@dataclass(frozen=True)
class Scaling:
    """Affine map from 8-bit pixels to inputs: ``(pixel / 255 - mean) / std``; the identity for real-valued fields."""

    mean: float = 0.0
    std: float = 1.0
    pixels: bool = False

    def background(self) -> float:
        """Returns the input value of a black pixel."""
        return -self.mean / self.std

    def apply(self, inputs: np.ndarray) -> np.ndarray:
        """Returns float32 inputs; real-valued fields are in standardised units already and pass unchanged."""
        if not self.pixels or inputs.dtype != np.uint8:
            return inputs.astype(np.float32)
        return ((inputs.astype(np.float32) / np.float32(255) - np.float32(self.mean)) / np.float32(self.std)).astype(
            np.float32
        )


def _read(path: Path, selection: Mapping[str, Any], shape: tuple[int, int, int]) -> Samples:
    """Returns the selected samples with raw pixel values."""
    split, num = selection["split"], selection["num"]
    with storage.open_file(path, "prepare") as file:
        inputs = storage.read_array(file, f"{split}/inputs")
        names = set(file[split])
        labels = storage.read_array(file, f"{split}/labels") if "labels" in names else None
        targets = storage.read_array(file, f"{split}/targets") if "targets" in names else None
    if inputs.ndim == 3:
        inputs = inputs[..., None]
    if inputs.shape[1:] != tuple(shape):
        raise DataError(f"{path}: split {split!r} has inputs of shape {inputs.shape[1:]}, data.shape says {shape}.")
    if num is not None:
        if num > len(inputs):
            raise DataError(f"{path}: split {split!r} has {len(inputs)} samples, {num} were asked for.")
        chosen = np.random.default_rng(SELECTION_SEED).permutation(len(inputs))[:num]
        inputs = inputs[chosen]
        labels = None if labels is None else labels[chosen]
        targets = None if targets is None else targets[chosen]
    return Samples(inputs, labels, targets)


def read_samples(path: Path, split: str) -> Samples:
    """Returns a whole split of a real-valued data set, unscaled."""
    with storage.open_file(path, "prepare") as file:
        side = storage.read_array(file, f"{split}/inputs").shape[1]
    raw = _read(path, {"split": split, "num": None}, (side, side, 1))
    return Samples(Scaling().apply(raw.inputs), raw.labels, raw.targets)


def load_training(path: Path, data: Mapping[str, Any]) -> tuple[Samples, Scaling]:
    """Returns the scaled training samples and the scaling that they define.

    Args:
        path: prepared file of the training data set.
        data: the ``data`` section of a stage configuration.

    Raises:
        DataError: missing split, too few samples or another input shape than configured.
    """
    raw = _read(path, data["train"], tuple(data["shape"]))
    scaling = Scaling()
    if data["scaling"] == "standardise":
        if raw.inputs.dtype != np.uint8:
            raise DataError(f"{path}: scaling 'standardise' expects 8-bit pixels, found {raw.inputs.dtype}.")
        unit = raw.inputs.astype(np.float64) / 255
        scaling = Scaling(float(unit.mean()), float(unit.std()), pixels=True)
    return Samples(scaling.apply(raw.inputs), raw.labels, raw.targets), scaling


def load_evaluation(path: Path, data: Mapping[str, Any], name: str, scaling: Scaling) -> Samples:
    """Returns one evaluation set, scaled like the training set or (``scaling: unit``) to [0, 1] only.

    Args:
        path: prepared file of that set.
        data: the ``data`` section of a stage configuration.
        name: key in ``data["evaluate"]``.
        scaling: what ``load_training`` returned.
    """
    selection = data["evaluate"][name]
    raw = _read(path, selection, tuple(data["shape"]))
    if selection["scaling"] == "unit":
        scaling = Scaling(pixels=True)
    return Samples(scaling.apply(raw.inputs), raw.labels, raw.targets)
