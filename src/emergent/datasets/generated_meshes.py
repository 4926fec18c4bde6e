"""Solids of random proportions as meshes: a small stand-in for CAD models, with other solids out of distribution."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from trimesh import Trimesh, creation

from emergent.config.meshes import GeneratedMeshOptions
from emergent.datasets.meshes import Mesh, check_mesh, mesh_split
from emergent.storage import Array

# Faces around an axis of revolution: round enough, and small files.
_SECTIONS = 24


def _ratio(generator: np.random.Generator, low: float, high: float) -> float:
    """Returns a proportion, uniform on a logarithmic scale."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _box(generator: np.random.Generator) -> Trimesh:
    return creation.box(extents=[1.0, _ratio(generator, 0.4, 1.0), _ratio(generator, 0.4, 1.0)])


def _cylinder(generator: np.random.Generator) -> Trimesh:
    return creation.cylinder(radius=1.0, height=_ratio(generator, 0.5, 5.0), sections=_SECTIONS)


def _cone(generator: np.random.Generator) -> Trimesh:
    return creation.cone(radius=1.0, height=_ratio(generator, 1.0, 4.0), sections=_SECTIONS)


def _torus(generator: np.random.Generator) -> Trimesh:
    return creation.torus(1.0, _ratio(generator, 0.15, 0.5), major_sections=_SECTIONS, minor_sections=12)


def _ellipsoid(generator: np.random.Generator) -> Trimesh:
    mesh = creation.icosphere(subdivisions=2)
    mesh.apply_scale([1.0, _ratio(generator, 0.4, 1.0), _ratio(generator, 0.4, 1.0)])
    return mesh


def _capsule(generator: np.random.Generator) -> Trimesh:
    return creation.capsule(height=_ratio(generator, 1.0, 5.0), radius=1.0, count=[12, _SECTIONS])


def _tube(generator: np.random.Generator) -> Trimesh:
    return creation.annulus(_ratio(generator, 0.4, 0.9), 1.0, height=_ratio(generator, 0.5, 4.0), sections=_SECTIONS)


FAMILIES: dict[str, Callable[[np.random.Generator], Trimesh]] = {
    "box": _box,
    "cylinder": _cylinder,
    "cone": _cone,
    "torus": _torus,
    "ellipsoid": _ellipsoid,
    "capsule": _capsule,
    "tube": _tube,
}


def generate(family: str, extent: tuple[float, float], generator: np.random.Generator) -> Mesh:
    """Returns one mesh in its family's standard position, its bounding box centred at the origin.

    Args:
        family: one of ``FAMILIES``.
        extent: smallest and largest length of the longest edge of the bounding box, uniform on a logarithmic scale.
        generator: draws proportions and size.
    """
    mesh = FAMILIES[family](generator)
    centred = mesh.vertices - mesh.bounds.mean(0)
    scale = _ratio(generator, *extent) / mesh.extents.max()
    return check_mesh(scale * centred, mesh.faces, f"generated {family}")


def prepare(raw: Path, options: GeneratedMeshOptions) -> dict[str, Array]:
    """Returns splits ``train``, ``test`` and ``ood``; mesh i has class i modulo the number of classes.

    Every split has its own stream of random numbers, so that more meshes extend fewer.
    """
    del raw
    arrays: dict[str, Array] = {}
    plan = (
        ("train", options.classes, options.num_train),
        ("test", options.classes, options.num_test),
        ("ood", options.ood_classes, options.num_ood),
    )
    for stream, (split, classes, num) in enumerate(plan):
        generator = np.random.default_rng([options.seed, stream])
        labels = [index % len(classes) for index in range(num)]
        meshes = [generate(classes[label], options.extent, generator) for label in labels]
        arrays |= mesh_split(split, meshes, labels)
    return arrays
