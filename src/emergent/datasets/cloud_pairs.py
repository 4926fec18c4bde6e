"""Pairs of point clouds of two classes of objects, with a lower bound of their Gromov-Wasserstein distance.

Shapes are centred at the mean of their vertices and scaled into [-1, 1]^3; points are uniform on their surface. The
bound is the third of Memoli's: the transport between the points of both clouds, where a pair of points costs what
transports the squared distances from the one point to its cloud to those of the other.

References:
    arXiv 2405.08097, experiment on distances of point clouds; Memoli, Gromov-Wasserstein distances and the metric
    approach to object matching, 2011, definition 6.3.
"""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Bool, Float
from ott.geometry import geometry, pointcloud
from ott.solvers import linear
from scipy import ndimage
from trimesh import Trimesh
from trimesh.sample import sample_surface

from emergent.config.cloud_pairs import ArchiveClouds, CloudPairOptions, SolidClouds, VoxelClouds
from emergent.config.meshes import ModelNetOptions
from emergent.datasets.generated_meshes import generate
from emergent.datasets.meshes import Mesh, read_off
from emergent.datasets.modelnet import select_members
from emergent.datasets.raw_files import load_npz, reading, zip_members
from emergent.errors import DataError
from emergent.storage import Array

SPLITS = ("train", "test")
VOXELS = "modelnet10_chair_monitor_voxels32.npz"
SIDE = 32
MOST_ITERATIONS = 10_000
AT_A_TIME = 40
"""Pairs of one compiled loop, which goes on until the last of them has converged."""

Draw = Callable[[np.random.Generator], np.ndarray]


def prepare(raw: Path, options: CloudPairOptions) -> dict[str, Array]:
    """Returns clouds ``first`` and ``second`` [N, P, 3] and ``bounds`` [N, N] of the splits ``train`` and ``test``.

    Raises:
        DataError: the archive is missing or damaged, or lacks a class; fewer shapes than asked for; a bound that the
            transport does not converge to.
    """
    source = options.source
    match source:
        case ArchiveClouds():
            shapes = _of_archive(raw, source, options.num_clouds)
        case VoxelClouds():
            shapes = _of_voxels(raw, source, options.num_clouds)
        case SolidClouds():
            shapes = _of_solids(source, options.num_clouds, options.seed)
    arrays: dict[str, Array] = {}
    for i, split in enumerate(SPLITS):
        clouds = [
            np.stack([
                shape(options.num_points, np.random.default_rng([options.seed, i, j, k])).astype(np.float32)
                for k, shape in enumerate(shapes[split][j])
            ])
            for j in range(2)
        ]  # fmt: skip
        bounds, converged = lower_bounds(jnp.asarray(clouds[0]), jnp.asarray(clouds[1]), options.epsilon)
        if not converged.all():
            raise DataError(
                f"{split}: the transport of {int((~converged).sum())} of {converged.size} pairs of clouds has not "
                f"converged after {MOST_ITERATIONS} iterations; raise epsilon ({options.epsilon:g})."
            )
        for name, points in zip(("first", "second"), clouds, strict=True):
            arrays[f"{split}/{name}"] = Array(points, ("sample", "point", "axis"), "1", "clouds of one class")
        arrays[f"{split}/bounds"] = Array(bounds, ("sample", "other"), "1", "bound of the distance of first and second")
    return arrays


def lower_bounds(
    first: Float[JaxArray, "A P 3"], second: Float[JaxArray, "B Q 3"], epsilon: float
) -> tuple[Float[np.ndarray, "A B"], Bool[np.ndarray, "A B"]]:
    """Returns the regularised costs of transport between all pairs of clouds, and whether it has converged.

    Points of a cloud have equal weights, so that transport on a line pairs sorted numbers: its cost, the mean of
    squared differences, is a squared distance of vectors of sorted numbers.

    Args:
        first: clouds of one class.
        second: clouds of another, of as many points.
        epsilon: of the entropic regularisation.
    """
    rows = jax.jit(jax.vmap(_sorted_distances))

    @jax.jit
    def of_cloud(own: JaxArray, others: JaxArray) -> tuple[JaxArray, JaxArray]:
        of_pair = partial(_bound, own, epsilon=epsilon)
        return jax.lax.map(of_pair, others, batch_size=min(AT_A_TIME, len(others)))

    # The library lets arrays of different ranks be combined.
    with jax.numpy_rank_promotion("allow"):
        left, right = rows(first), rows(second)
        found = [of_cloud(own, right) for own in left]
    costs, converged = (np.stack([np.asarray(pair[i]) for pair in found]) for i in range(2))
    return costs, converged


def _sorted_distances(points: Float[JaxArray, "P 3"]) -> Float[JaxArray, "P P"]:
    """Returns squared distances, those of every point ascending, divided by the root of their number."""
    return jnp.sort(jnp.asarray(pointcloud.PointCloud(points).cost_matrix), 1) / jnp.sqrt(len(points))


def _bound(own: Float[JaxArray, "P P"], other: Float[JaxArray, "P P"], epsilon: float) -> tuple[JaxArray, JaxArray]:
    costs = pointcloud.PointCloud(own, other).cost_matrix
    found = linear.solve(geometry.Geometry(cost_matrix=costs, epsilon=epsilon), max_iterations=MOST_ITERATIONS)
    return jnp.asarray(found.reg_ot_cost), jnp.asarray(found.converged)


Shape = Callable[[int, np.random.Generator], np.ndarray]
Shapes = dict[str, list[list[Shape]]]
"""Split to the shapes of both classes."""


def normalised(points: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
    """Returns points with their mean at the origin, the largest of their coordinates, in absolute terms, being 1."""
    centred = points - points.mean(0)
    return centred / np.abs(centred).max()


def _on_mesh(mesh: Mesh) -> Shape:
    whole = Trimesh(normalised(mesh.vertices.astype(np.float64)), mesh.faces, process=False)
    return lambda num, generator: np.asarray(sample_surface(whole, num, seed=generator)[0])


def on_voxels(grid: Bool[np.ndarray, "x y z"]) -> Shape:
    """Returns what draws points, uniform within the occupied cells of a grid that have a neighbour that is not.

    Raises:
        DataError: no cell is occupied.
    """
    if not grid.any():
        raise DataError("expected a grid with occupied cells, found none.")
    # Beyond the grid nothing is occupied.
    cells = np.argwhere(grid & ~ndimage.binary_erosion(grid))

    def draw(num: int, generator: np.random.Generator) -> np.ndarray:
        chosen = cells[generator.integers(len(cells), size=num)] + generator.uniform(size=(num, 3))
        centred = chosen - (cells.mean(0) + 0.5)
        return centred / (np.abs(cells - cells.mean(0)).max() + 0.5)

    return draw


def _of_archive(raw: Path, source: ArchiveClouds, num: int) -> Shapes:
    path = raw / f"{source.archive}.zip"
    options = ModelNetOptions(archive=source.archive, classes=source.classes, splits=SPLITS)
    shapes: Shapes = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        names = zip_members(archive, path)
        for split in SPLITS:
            members = select_members(path, names, options, split)
            shapes[split] = []
            for label, word in enumerate(source.classes):
                own = [name for name, of in members if of == label]
                _require(path, f"{split} meshes of {word}", len(own), num)
                shapes[split].append([_on_mesh(read_off(archive.read(name), f"{path}: {name}")) for name in own[:num]])
    return shapes


def _of_voxels(raw: Path, source: VoxelClouds, num: int) -> Shapes:
    path = raw / VOXELS
    content = load_npz(path, tuple(f"{word}_packed" for word in source.classes))
    grids = []
    for word in source.classes:
        packed = content[f"{word}_packed"]
        _require(path, f"grids of {word}", len(packed), 2 * num)
        grids.append(np.unpackbits(packed[: 2 * num], axis=1).reshape(-1, SIDE, SIDE, SIDE).astype(bool))
    # There is no test split: the next grids stand for it.
    return {
        split: [[on_voxels(grid) for grid in own[start : start + num]] for own in grids]
        for split, start in zip(SPLITS, (0, num), strict=True)
    }


def _of_solids(source: SolidClouds, num: int, seed: int) -> Shapes:
    def of(stream: int, label: int) -> list[Shape]:
        generator = np.random.default_rng([seed, stream, label])
        return [_on_mesh(generate(source.classes[label], source.extent, generator)) for _ in range(num)]

    return {split: [of(i, label) for label in range(2)] for i, split in enumerate(SPLITS)}


def _require(path: Path, what: str, found: int, num: int) -> None:
    if found < num:
        raise DataError(f"{path}: expected at least {num} {what}, found {found}; lower num_clouds.")
