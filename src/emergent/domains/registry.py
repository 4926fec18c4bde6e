"""Domains by name: what one sample is, its training sets, and its evaluation sets on orbits.

A new domain is one module here, its settings in ``emergent.config.domains``, and one line in ``DOMAINS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emergent.config.domains import DataSelection, ImageTraining, PointCloudTraining, VectorTraining
from emergent.config.stages import EvaluateStage, PredictStage, TrainStage
from emergent.domains import images, point_clouds, vectors
from emergent.domains.arrays import ArrayOrbits, TestSamples
from emergent.domains.protocols import OrbitSet, TrainingData
from emergent.errors import ConfigError

Paths = Mapping[str, Path]
"""Prepared files by data set."""


@dataclass(frozen=True)
class Domain:
    """One domain.

    Attributes:
        example: ``data`` section to shapes and types of the inputs of one sample.
        training_data: stage and prepared files to the resident training set.
        test_samples: stage and prepared files to the evaluation sets, where samples are arrays.
        orbit_sets: stage and prepared files to evaluation sets on their orbits, where they are not.
    """

    example: Callable[[Any], Any]
    training_data: Callable[[Any, Paths], TrainingData]
    test_samples: Callable[[Any, Paths], dict[str, TestSamples]] | None = None
    orbit_sets: Callable[[Any, Paths], Mapping[str, OrbitSet]] | None = None


DOMAINS: dict[str, Domain] = {
    "images": Domain(images.example, images.training_data, images.test_samples),
    "point_clouds": Domain(point_clouds.example, point_clouds.training_data, orbit_sets=point_clouds.orbit_sets),
    "vectors": Domain(vectors.example, vectors.training_data, vectors.test_samples),
}


def example(data: ImageTraining | PointCloudTraining | VectorTraining) -> Any:
    """Returns shapes and types of the inputs of one sample [1, ...]; nothing is read."""
    return DOMAINS[data.domain].example(data)


def training_data(stage: TrainStage | PredictStage, paths: Paths) -> TrainingData:
    """Returns the resident training set of an arm.

    Raises:
        DataError: the data do not fit the configuration; the message says how.
    """
    _require_paths(paths, [stage.data.train])
    return DOMAINS[stage.data.domain].training_data(stage, paths)


def test_samples(stage: EvaluateStage | PredictStage, paths: Paths) -> dict[str, TestSamples]:
    """Returns the evaluation sets of an arm by name, as arrays with the action that makes up their orbits.

    Raises:
        ConfigError: samples of this domain are no arrays.
    """
    _require_paths(paths, [stage.data.train, *stage.data.evaluate.values()])
    make = DOMAINS[stage.data.domain].test_samples
    if make is None:
        raise ConfigError(f"data.domain: expected one whose samples are arrays, found {stage.data.domain!r}.")
    return make(stage, paths)


def orbit_sets(stage: EvaluateStage, paths: Paths) -> Mapping[str, OrbitSet]:
    """Returns the evaluation sets of an arm by name, on the orbits of their samples."""
    make = DOMAINS[stage.data.domain].orbit_sets
    if make is not None:
        _require_paths(paths, [*stage.data.evaluate.values()])
        return make(stage, paths)
    sets = test_samples(stage, paths)
    return {name: ArrayOrbits(samples, stage.evaluate.batch_size) for name, samples in sets.items()}


def _require_paths(paths: Paths, selections: list[Any]) -> None:
    for selection in selections:
        assert isinstance(selection, DataSelection)
        if selection.dataset not in paths:
            raise ConfigError(
                f"--dataset: no file for data set {selection.dataset!r}; found {', '.join(sorted(paths)) or 'none'}."
            )
