"""A few vectors per sample, with numbers that do not change under the group or vectors that move along.

Prepared arrays: ``<split>/inputs`` [N, V, d]; ``<split>/targets`` [N, K], K a multiple of d where they are vectors.
"""

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from emergent.config.domains import DataSelection, VectorEvaluation, VectorTraining
from emergent.config.stages import EvaluateStage, PredictStage, TrainStage
from emergent.domains.arrays import ArrayData, TestSamples, array_data
from emergent.domains.prepared import read_split, require_classes, require_targets
from emergent.domains.space import VectorAction, matrices, training_action
from emergent.errors import DataError
from emergent.groups.actions import MatrixAction, TrivialAction
from emergent.metrics.output_actions import Invariant, OutputAction, vectors


def example(data: VectorTraining) -> jax.ShapeDtypeStruct:
    """Returns shape and type of one input."""
    return jax.ShapeDtypeStruct((1, data.num_vectors, data.dimension), jnp.float32)


def _read(path: Path, selection: DataSelection, data: VectorTraining) -> dict[str, np.ndarray]:
    arrays = read_split(path, selection)
    found = arrays["inputs"].shape[1:]
    expected = (data.num_vectors, data.dimension)
    if found != expected:
        raise DataError(
            f"{path}: split {selection.split!r} has inputs of shape {found}, data.num_vectors and data.dimension say "
            f"{expected}."
        )
    return arrays | {"inputs": arrays["inputs"].astype(np.float32)}


def _require_vectors(path: Path, num: int, dimension: int) -> None:
    if num % dimension:
        raise DataError(
            f"{path}: data.outputs is 'vectors', which have {dimension} coordinates each; found {num} targets."
        )


def training_data(stage: TrainStage | PredictStage, paths: Mapping[str, Path]) -> ArrayData:
    """Returns the resident training set of an arm.

    Args:
        stage: settings.
        paths: prepared files by data set.

    Raises:
        DataError: the data do not fit the configuration; the message says how.
    """
    data = stage.data
    assert isinstance(data, VectorTraining)
    path = paths[data.train.dataset]
    arrays = _read(path, data.train, data)
    action = training_action(stage.augmentation, stage.seed, data.dimension)
    if data.outputs == "vectors":
        targets = require_targets(path, arrays.get("targets"), stage.model.num_outputs)
        _require_vectors(path, targets.shape[1], data.dimension)
        return array_data(arrays["inputs"], targets, action, VectorAction(action), stage.augmentation.mode)
    if "labels" in arrays:
        targets = require_classes(path, arrays["labels"], stage.model.num_outputs)
    else:
        targets = require_targets(path, arrays.get("targets"), stage.model.num_outputs)
    return array_data(arrays["inputs"], targets, action, TrivialAction(action.order), stage.augmentation.mode)


def test_samples(stage: EvaluateStage | PredictStage, paths: Mapping[str, Path]) -> dict[str, TestSamples]:
    """Returns the evaluation sets of an arm by name, with the action of one set of matrices.

    Args:
        stage: settings.
        paths: prepared files by data set.
    """
    data = stage.data
    assert isinstance(data, VectorEvaluation)
    rotations = matrices(stage.orbit, stage.seed, data.dimension)
    # Inputs turn in float32, as networks read them; outputs, below, in float64, as metrics compare them.
    action = MatrixAction(jnp.asarray(rotations, jnp.float32))
    outputs: OutputAction = Invariant(len(rotations))
    if data.outputs == "vectors":
        _require_vectors(paths[data.train.dataset], stage.model.num_outputs, data.dimension)
        outputs = vectors(rotations, stage.model.num_outputs // data.dimension)
    found = {}
    for name, entry in data.evaluate.items():
        arrays = _read(paths[entry.dataset], entry, data)
        labels, targets = arrays.get("labels"), arrays.get("targets")
        inputs = arrays["inputs"]
        found[name] = TestSamples(inputs, action, labels, targets, outputs, rotations, points=inputs)
    return found
