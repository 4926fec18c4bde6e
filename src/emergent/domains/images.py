"""Images and functions on a square lattice: labels that do not move, or one number per pixel that moves with it."""

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from emergent.config.domains import ImageEvaluation, ImageTraining, TestSet
from emergent.config.groups import Augmentation, Interpolation
from emergent.config.stages import EvaluateStage, PredictStage, TrainStage
from emergent.domains.arrays import ArrayData, TestSamples, array_data
from emergent.domains.prepared import require_classes, require_targets
from emergent.domains.samples import Samples, Scaling, load_evaluation, load_training, training_scaling
from emergent.errors import DataError
from emergent.groups.actions import Action, PixelAction, TrivialAction, subset
from emergent.groups.drawn_rotations import DrawnRotations
from emergent.groups.images import ImageAction, image_action
from emergent.groups.points import uniform_angles
from emergent.metrics.output_actions import Gather, Invariant, OutputAction
from emergent.point_groups import group_from_name
from emergent.prng import name_id


def example(data: ImageTraining) -> jax.ShapeDtypeStruct:
    """Returns shape and type of one input."""
    return jax.ShapeDtypeStruct((1, *data.shape), jnp.float32)


def augmentation_action(
    augmentation: Augmentation, shape: tuple[int, int, int], scaling: Scaling, own: TestSet | None = None
) -> ImageAction:
    """Returns the action of a group, or of a part of it, on images.

    Args:
        augmentation: group, interpolation and fill.
        shape: (H, W, C) of the images.
        scaling: of the pixels, which says what a black one is.
        own: evaluation set whose interpolation and fill, where it has some, are used instead.
    """
    interpolation, fill = _interpolation(augmentation, scaling, own)
    action = image_action(group_from_name(augmentation.group), shape[0], shape[1], interpolation, fill)
    return action if augmentation.elements is None else subset(action, augmentation.elements)


def _interpolation(augmentation: Augmentation, scaling: Scaling, own: TestSet | None) -> tuple[Interpolation, float]:
    """Returns the interpolation and the input value that enters from outside the frame."""
    # Zero is grey after standardisation. The released code of arXiv 2410.01452 fills with it, which leaves grey corners
    # on a black background.
    fill = scaling.background() if ((own and own.fill) or augmentation.fill) == "background" else 0.0
    return (own and own.interpolation) or augmentation.interpolation, fill


def drawn_angles(entry: TestSet, num_samples: int, seed: int) -> Float[np.ndarray, "N R"]:
    """Returns the angles (radians) of the rotations of an evaluation set, those of every sample its own.

    They depend on the experiment's seed and on the samples, so that all arms, and the same samples under other
    conditions, turn alike; more samples begin with those of fewer.

    Args:
        entry: evaluation set that has rotations.
        num_samples: N.
        seed: of the experiment.
    """
    assert entry.rotations is not None
    key = jax.random.key(seed, impl="threefry2x32")
    for word in ("rotations", entry.dataset, entry.split):
        key = jax.random.fold_in(key, name_id(word))
    # A number then depends on its own position alone, not on how many there are.
    with jax.threefry_partitionable(True):
        angles = uniform_angles(key, num_samples * entry.rotations.num)
    return np.asarray(angles).reshape(num_samples, -1)


def _on_targets(action: ImageAction, data: ImageTraining) -> Action:
    return PixelAction(action) if data.outputs == "pixels" else TrivialAction(action.order)


def _targets(path: Path, data: ImageTraining, samples: Samples, num_outputs: int) -> np.ndarray:
    if data.outputs == "pixels":
        targets = require_targets(path, samples.targets, num_outputs)
        num_pixels = data.shape[0] * data.shape[1]
        if targets.shape[1] != num_pixels:
            raise DataError(
                f"{path}: data.outputs is 'pixels', which needs one target for each of {num_pixels} pixels; found "
                f"{targets.shape[1]} per sample."
            )
        return targets
    if samples.labels is None and samples.targets is not None:
        return require_targets(path, samples.targets, num_outputs)
    return require_classes(path, samples.labels, num_outputs)


def training_data(stage: TrainStage | PredictStage, paths: Mapping[str, Path]) -> ArrayData:
    """Returns the resident training set of an arm.

    Args:
        stage: settings.
        paths: prepared files by data set.

    Raises:
        DataError: the data do not fit the configuration; the message says how.
    """
    data = stage.data
    assert isinstance(data, ImageTraining)
    path = paths[data.train.dataset]
    samples, scaling = load_training(path, data)
    action = augmentation_action(stage.augmentation, data.shape, scaling)
    targets = _targets(path, data, samples, stage.model.num_outputs)
    return array_data(samples.inputs, targets, action, _on_targets(action, data), stage.augmentation.mode)


def output_action(action: ImageAction, data: ImageTraining) -> OutputAction | None:
    """Returns how outputs should move: not at all, as pixels do, or None where pixels are interpolated."""
    if data.outputs == "invariant":
        return Invariant(action.order)
    exact = action.indices.shape[2] == 1 and bool((np.asarray(action.weights) == 1).all())
    return Gather(np.asarray(action.indices[:, :, 0])) if exact else None


def test_samples(stage: EvaluateStage | PredictStage, paths: Mapping[str, Path]) -> dict[str, TestSamples]:
    """Returns the evaluation sets of an arm by name, each with the action of its own interpolation and fill.

    Args:
        stage: settings.
        paths: prepared files by data set, that of the training set among them: it defines the scaling.
    """
    data = stage.data
    assert isinstance(data, ImageEvaluation)
    scaling = training_scaling(paths[data.train.dataset], data)
    found = {}
    for name, entry in data.evaluate.items():
        samples, own = load_evaluation(paths[entry.dataset], data, name, scaling)
        action: Action
        if entry.rotations is None:
            action = augmentation_action(stage.orbit, data.shape, own, entry)
            outputs = output_action(action, data)
        else:
            angles = drawn_angles(entry, len(samples.inputs), stage.seed)
            interpolation, fill = _interpolation(stage.orbit, own, entry)
            action = DrawnRotations.of(angles, data.shape[:2], interpolation, fill)
            outputs = Invariant(action.order)
        found[name] = TestSamples(samples.inputs, action, samples.labels, samples.targets, outputs)
    return found
