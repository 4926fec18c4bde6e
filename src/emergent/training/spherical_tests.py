"""What trained networks on the sphere, and their ensembles, predict: confusion, and errors of their equivariance.

The outputs of an ensemble are the mean logits of its members. Ensembles are disjoint parts of a block, so that outputs
at all points of the sphere need not be stored.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.config.spherical_images_training import OUTPUTS, SphereStage
from emergent.domains.spherical_images import SphereSets
from emergent.groups.projection import grid_points, resample, seen_from
from emergent.groups.rotation_spectra import sphere_angles
from emergent.statistics.ensembles import disjoint_ensembles

TESTED = 100
"""Images that go through a network at a time."""
REPEATS = 5
EXAMPLES = 4

Forward = Callable[[Any, np.ndarray], Any]


class Tests(NamedTuple):
    """Results of a block.

    Attributes:
        confusion: size of ensembles to counts [E, 2, K, K] of (class, predicted), on upright and on rotated images.
        moved: size of ensembles to relative changes of logits [E].
        by_angle: the same by angle of the rotations [E, A].
        images: a few test images, upright and rotated [X, 2, K, A].
        targets: of the rotated ones.
        predictions: of the ensemble of all networks for them.
        latency: seconds for one image.
    """

    confusion: dict[int, Int[np.ndarray, "E 2 K K"]]
    moved: dict[int, Float[np.ndarray, " E"]]
    by_angle: dict[int, Float[np.ndarray, "E A"]]
    images: np.ndarray
    targets: np.ndarray
    predictions: np.ndarray
    latency: float


def confusion(targets: np.ndarray, outputs: np.ndarray) -> Int[np.ndarray, "K K"]:
    """Returns counts of (class, predicted class)."""
    num = outputs.shape[-1]
    return np.bincount(targets.ravel().astype(np.int64) * num + outputs.argmax(-1).ravel(), minlength=num**2).reshape(
        num, num
    )


class _Change:
    """Adds up squared changes of logits, by solid angle where there are many points."""

    def __init__(self, stage: SphereStage, sets: SphereSets) -> None:
        self._points = grid_points(stage.bandwidth)
        self._segments = stage.task == "segment"
        self._weights = np.sin(sphere_angles(stage.bandwidth))[:, None, None] if self._segments else 1.0
        self._rotations, self.difference, self.size = sets.rotations, 0.0, 0.0

    def add(self, first: int, upright: np.ndarray, rotated: np.ndarray) -> None:
        """Adds images from one on, as they are and rotated; labels of points are moved along with the image."""
        if self._segments:
            turned = self._rotations[first : first + len(upright)]
            upright = resample(upright, seen_from(self._points, turned))
        self.difference += float((self._weights * np.square(rotated - upright)).sum())
        self.size += float((self._weights * np.square(upright)).sum())

    @property
    def relative(self) -> float:
        """Returns the root of the ratio of sums."""
        return (self.difference / max(self.size, 1e-30)) ** 0.5


def run_tests(stage: SphereStage, networks: Sequence[Any], sets: SphereSets, forward: Forward) -> Tests:
    """Returns what networks and their ensembles predict.

    Args:
        stage: settings of the arm.
        networks: parameters of each.
        sets: images.
        forward: parameters and grey values [N, K, A] to logits.
    """
    groups = {size: disjoint_ensembles(size, len(networks)) for size in stage.ensemble_sizes}
    num = OUTPUTS[stage.task]
    counts = {size: np.zeros((len(own), 2, num, num), np.int64) for size, own in groups.items()}
    changes = {size: [_Change(stage, sets) for _ in own] for size, own in groups.items()}
    for first in range(0, stage.data.num_test, TESTED):
        some = slice(first, min(first + TESTED, stage.data.num_test))
        both = [_outputs(networks, part.images[some], forward) for part in (sets.upright, sets.rotated)]
        near = max(0, min(stage.data.num_moved - first, TESTED))
        for size, own in groups.items():
            for index, (start, stop) in enumerate(own):
                means = [outputs[start:stop].mean(0) for outputs in both]
                for place, part in enumerate((sets.upright, sets.rotated)):
                    counts[size][index, place] += confusion(part.targets[some], means[place])
                if near:
                    changes[size][index].add(first, means[0][:near], means[1][:near])
    few = slice(0, EXAMPLES)
    predictions = _outputs(networks, sets.rotated.images[few], forward).mean(0).argmax(-1)
    return Tests(
        counts,
        {size: np.array([one.relative for one in own]) for size, own in changes.items()},
        _by_angle(stage, networks, sets, forward, groups),
        np.stack([sets.upright.images[few], sets.rotated.images[few]], 1),
        sets.rotated.targets[few].astype(np.int32),
        predictions.astype(np.int32),
        _latency(networks[0], sets.rotated.images[few], forward),
    )


def _by_angle(
    stage: SphereStage,
    networks: Sequence[Any],
    sets: SphereSets,
    forward: Forward,
    groups: dict[int, list[tuple[int, int]]],
) -> dict[int, Float[np.ndarray, "E A"]]:
    """Returns relative changes of logits under rotations by each angle, of networks that classify."""

    def outputs(images: np.ndarray) -> np.ndarray:
        parts = [images[first : first + TESTED] for first in range(0, len(images), TESTED)]
        return np.concatenate([_outputs(networks, part, forward) for part in parts], 1)

    found = {size: np.zeros((len(own), len(sets.turned))) for size, own in groups.items()}
    upright = outputs(sets.upright.images[: stage.data.num_moved]) if sets.turned else np.zeros(0)
    for index, part in enumerate(sets.turned):
        turned = outputs(part.images)
        for size, own in groups.items():
            for place, (start, stop) in enumerate(own):
                before, after = (given[start:stop].mean(0) for given in (upright, turned))
                found[size][place, index] = np.linalg.norm(after - before) / max(np.linalg.norm(before), 1e-15)
    return found


def _outputs(networks: Sequence[Any], images: np.ndarray, forward: Forward) -> Float[np.ndarray, "M N ..."]:
    # Always as many: each number of images would be a program of its own.
    whole = np.concatenate([images, np.repeat(images[:1], -len(images) % TESTED, 0)])
    parts = [np.asarray(forward(parameters, whole))[: len(images)] for parameters in networks]
    return np.stack(parts).astype(np.float64)


def _latency(parameters: Any, images: np.ndarray, forward: Forward) -> float:
    images = np.resize(images, (TESTED, *images.shape[1:]))
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        np.asarray(forward(parameters, images))
        found.append(time.perf_counter() - start)
    return min(found) / len(images)
