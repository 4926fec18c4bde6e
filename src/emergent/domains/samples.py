"""Prepared images and lattice functions as network inputs: selection of samples and scaling.

In: ``prepared.h5`` files (stage ``prepare``) and the ``data`` section of a stage. Out: float32 arrays.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from emergent import storage
from emergent.config.domains import DataSelection, ImageEvaluation, ImageTraining
from emergent.domains.prepared import read_split
from emergent.errors import DataError


@dataclass(frozen=True)
class Samples:
    """Inputs with labels or targets.

    Attributes:
        inputs: float32 [N, H, W, C].
        labels: int32 [N], or None.
        targets: float32 [N, K], e.g. one number per pixel that moves with it under the group, or None.
    """

    inputs: Float[np.ndarray, "N H W C"]
    labels: Int[np.ndarray, " N"] | None = None
    targets: Float[np.ndarray, "N K"] | None = None


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
        return self.standardise(inputs, 255)

    def standardise(self, inputs: np.ndarray, white: float) -> np.ndarray:
        """Returns float32 inputs in standardised units, from values whose white is given."""
        values = inputs.astype(np.float32)
        # In place: ten thousand large images take gigabytes, and every array in between as many again.
        values /= np.float32(white)
        values -= np.float32(self.mean)
        values /= np.float32(self.std)
        return values


def _read(path: Path, selection: DataSelection, shape: tuple[int, int, int]) -> Samples:
    """Returns the selected samples with raw pixel values."""
    arrays = read_split(path, selection)
    inputs = arrays["inputs"]
    if inputs.ndim == 3:
        inputs = inputs[..., None]
    if inputs.shape[1:] != tuple(shape):
        raise DataError(
            f"{path}: split {selection.split!r} has inputs of shape {inputs.shape[1:]}, data.shape says {shape}."
        )
    return Samples(inputs, arrays.get("labels"), arrays.get("targets"))


def read_samples(path: Path, split: str) -> Samples:
    """Returns a whole split of a real-valued data set, unscaled."""
    with storage.open_file(path, "prepare") as file:
        side = storage.read_array(file, f"{split}/inputs").shape[1]
    raw = _read(path, DataSelection(dataset="any", split=split), (side, side, 1))
    return Samples(Scaling().apply(raw.inputs), raw.labels, raw.targets)


def load_training(path: Path, data: ImageTraining) -> tuple[Samples, Scaling]:
    """Returns the scaled training samples and the scaling that they define.

    Args:
        path: prepared file of the training data set.
        data: selection, shape and scaling.

    Raises:
        DataError: missing split, too few samples or another input shape than configured.
    """
    raw = _read(path, data.train, data.shape)
    scaling = _defined_by(path, raw, data)
    return Samples(scaling.apply(raw.inputs), raw.labels, raw.targets), scaling


def training_scaling(path: Path, data: ImageTraining) -> Scaling:
    """Returns the scaling that the training samples define, without scaling them; arguments as in ``load_training``."""
    return _defined_by(path, _read(path, data.train, data.shape), data) if data.scaling == "standardise" else Scaling()


def _defined_by(path: Path, raw: Samples, data: ImageTraining) -> Scaling:
    if data.scaling == "none":
        return Scaling()
    if raw.inputs.dtype != np.uint8:
        raise DataError(f"{path}: scaling 'standardise' expects 8-bit pixels, found {raw.inputs.dtype}.")
    return _standardising(raw.inputs)


def _standardising(pixels: np.ndarray) -> Scaling:
    # From how often each of 256 values occurs, image by image: no copy of them all, eight times as large, is made.
    counts = np.zeros(256, np.int64)
    for image in pixels:
        counts += np.bincount(image.reshape(-1), minlength=256)
    share, value = counts / counts.sum(), np.arange(256) / 255
    mean = float(share @ value)
    # The std of the released code has n - 1, which for 60,000 images of MNIST is a relative difference of 1e-8.
    return Scaling(mean, float(np.sqrt(share @ np.square(value - mean))), pixels=True)


def load_evaluation(path: Path, data: ImageEvaluation, name: str, scaling: Scaling) -> tuple[Samples, Scaling]:
    """Returns one evaluation set, scaled as it says, and the scaling that tells what a black pixel is in it.

    Args:
        path: prepared file of that set.
        data: selections, shape and scaling.
        name: key in ``data.evaluate``.
        scaling: what ``load_training`` returned.

    Raises:
        DataError: missing split, too few samples, another shape, or pixels where fields are to be clipped.
    """
    selection = data.evaluate[name]
    raw = _read(path, selection, data.shape)
    if selection.scaling == "unit":
        # As the code of arXiv 2410.01452 treats CIFAR-10: between 0 and 1, not standardised like the digits. A black
        # background stays that of the digits.
        return Samples(Scaling(pixels=True).apply(raw.inputs), raw.labels, raw.targets), scaling
    if selection.scaling == "clipped":
        if raw.inputs.dtype == np.uint8:
            raise DataError(f"{path}: scaling 'clipped' of {name} expects real-valued fields, found 8-bit pixels.")
        return Samples(scaling.standardise(np.clip(raw.inputs, 0, 1), 1), raw.labels, raw.targets), scaling
    if selection.scaling == "own":
        whole = _read(path, selection.model_copy(update={"num": None}), data.shape).inputs
        if whole.dtype != np.uint8:
            scaling = Scaling(float(whole.mean(dtype=np.float64)), float(whole.std(dtype=np.float64)))
            return Samples(scaling.standardise(raw.inputs, 1), raw.labels, raw.targets), scaling
        scaling = _standardising(whole)
    return Samples(scaling.apply(raw.inputs), raw.labels, raw.targets), scaling
