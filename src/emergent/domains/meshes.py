"""Meshes resident on the device, and clouds of points drawn from them at every access."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from emergent import storage
from emergent.config.domains import DataSelection
from emergent.config.pointnet import Sampling
from emergent.domains.prepared import require_classes, selected
from emergent.errors import DataError
from emergent.models.pointnet import Clouds, nearest_neighbours

_ARRAYS = ("vertices", "faces", "area_starts", "vertex_offsets", "face_offsets", "labels")
# Halvings after which an interval of 31-bit positions holds a single one.
_HALVINGS = 31


class Meshes(NamedTuple):
    """Meshes of one selection, one after another; see ``emergent.datasets.meshes``.

    Attributes:
        vertices: [V, 3].
        faces: [F, 3], counted over all vertices.
        area_starts: [F].
        face_offsets: [N + 1].
        labels: [N].
    """

    vertices: Float[Array, "V 3"]
    faces: Int[Array, "F 3"]
    area_starts: UInt32[Array, " F"]
    face_offsets: Int[Array, " bound"]
    labels: Int[Array, " N"]


def load_meshes(path: Path, selection: DataSelection, num_classes: int | None = None) -> Meshes:
    """Returns the selected meshes of a prepared data set.

    Args:
        path: ``prepared.h5``.
        selection: of a split.
        num_classes: labels outside 0..K-1 are refused; None where labels have no meaning to the network.

    Raises:
        DataError: missing split or arrays, too few meshes, or more classes than the network has outputs.
    """
    split = selection.split
    with storage.open_file(path, "prepare") as file:
        if split not in file:
            raise DataError(f"{path}: no split {split!r}. It has: {', '.join(sorted(file))}.")
        part = {name: storage.read_array(file, f"{split}/{name}") for name in _ARRAYS}
    chosen = selected(path, selection, len(part["labels"]), "meshes")
    labels = part["labels"][chosen]
    if num_classes is not None:
        require_classes(path, labels, num_classes)
    vertex_parts, face_parts, start_parts = [], [], []
    num_vertices, offsets = 0, [0]
    for mesh in chosen:
        vertices = slice(*part["vertex_offsets"][mesh : mesh + 2])
        faces = slice(*part["face_offsets"][mesh : mesh + 2])
        vertex_parts.append(part["vertices"][vertices])
        face_parts.append(part["faces"][faces] + np.int32(num_vertices))
        start_parts.append(part["area_starts"][faces])
        num_vertices += len(vertex_parts[-1])
        offsets.append(offsets[-1] + len(face_parts[-1]))
    return Meshes(
        jnp.asarray(np.concatenate(vertex_parts)),
        jnp.asarray(np.concatenate(face_parts)),
        jnp.asarray(np.concatenate(start_parts)),
        jnp.asarray(np.array(offsets, np.int32)),
        jnp.asarray(labels),
    )


def choose_faces(meshes: Meshes, mesh: Int[Array, ""], words: UInt32[Array, " P"]) -> Int[Array, " P"]:
    """Returns the face of one mesh that owns each random word: the last one whose interval starts at or before it."""
    low = jnp.full(words.shape, meshes.face_offsets[mesh])
    high = jnp.full(words.shape, meshes.face_offsets[mesh + 1])

    def halve(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        # The sum of both bounds could exceed 31 bits.
        middle = low + (high - low) // 2
        left = meshes.area_starts[middle] > words
        return jnp.where(left, low, middle), jnp.where(left, middle, high)

    return jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))[0]


def draw_points(meshes: Meshes, mesh: Int[Array, ""], key: PRNGKeyArray, num_points: int) -> Float[Array, "P 3"]:
    """Returns independent points, uniform on the surface of one mesh.

    Args:
        meshes: resident meshes.
        mesh: which one.
        key: of this access.
        num_points: P.
    """
    face_key, place_key = jax.random.split(key)
    faces = choose_faces(meshes, mesh, jax.random.bits(face_key, (num_points,), jnp.uint32))
    corners = meshes.vertices[meshes.faces[faces]]
    weights = jax.random.uniform(place_key, (num_points, 2), corners.dtype)
    # The half of the parallelogram beyond the triangle is folded back onto it.
    outside = weights.sum(-1, keepdims=True) > 1
    weights = jnp.where(outside, 1 - weights, weights)
    edges = corners[:, 1:] - corners[:, :1]
    return corners[:, 0] + (weights[:, :, None] * edges).sum(1)


def draw_clouds(meshes: Meshes, chosen: Int[Array, " B"], keys: PRNGKeyArray, sampling: Sampling) -> Clouds:
    """Returns a cloud of each chosen mesh, drawn with its own key, and its graph of nearest neighbours."""
    points = jax.vmap(lambda mesh, key: draw_points(meshes, mesh, key, sampling.num_points))(chosen, keys)
    return Clouds(points, jax.vmap(partial(nearest_neighbours, num=sampling.num_neighbours))(points))
