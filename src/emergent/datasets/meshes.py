"""Triangle meshes of different sizes in flat arrays, laid out so that points can be drawn from them exactly by area.

All meshes of a split lie one after another; offsets say where each begins. Every face owns an interval of the 32-bit
integers that is as long as its share of its mesh's area, so that 32 random bits choose a face, on any device and
without floating-point sums: shares are exact to 2^-32 of the mesh.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt32

from emergent.errors import DataError
from emergent.storage import Array

WORD = 2**32


class Mesh(NamedTuple):
    """One triangle mesh: float32 vertices [V, 3] in the units of its source, and int32 faces [F, 3]."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]


def face_areas(mesh: Mesh) -> Float[np.ndarray, " F"]:
    """Returns the areas of the faces, in squared units of the mesh, in double precision."""
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1) / 2


def area_starts(areas: Float[np.ndarray, " F"]) -> UInt32[np.ndarray, " F"]:
    """Returns where each face's interval of [0, 2^32) begins; the last face with ``start <= word`` owns a word.

    Faces without area get an empty interval, except that one word may go to such faces at the end of a mesh.
    """
    cumulative = np.cumsum(areas)
    before = np.concatenate([[0.0], cumulative[:-1]])
    return np.minimum(np.rint(before / cumulative[-1] * WORD), WORD - 1).astype(np.uint32)


def check_mesh(vertices: np.ndarray, faces: np.ndarray, source: str) -> Mesh:
    """Returns a mesh whose points can be drawn.

    Args:
        vertices: [V, 3].
        faces: [F, 3] vertex indices.
        source: file that messages name.

    Raises:
        DataError: no vertices, no faces, an index out of range, a coordinate that is not finite, or no area at all.
    """
    vertices, faces = np.asarray(vertices), np.asarray(faces)
    if vertices.ndim != 2 or vertices.shape[-1] != 3 or len(vertices) == 0:
        raise DataError(f"{source}: expected vertices [V, 3], found none or shape {vertices.shape}; the mesh is empty.")
    if faces.ndim != 2 or faces.shape[-1] != 3 or len(faces) == 0:
        raise DataError(f"{source}: expected faces [F, 3], found none or shape {faces.shape}; the mesh is empty.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise DataError(f"{source}: faces name vertices {faces.min()}..{faces.max()}, there are {len(vertices)}.")
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32))
    if not np.isfinite(mesh.vertices).all():
        raise DataError(f"{source}: a coordinate is not a finite number.")
    if not face_areas(mesh).sum() > 0:
        raise DataError(f"{source}: all {len(faces)} faces have zero area, so no point can be drawn.")
    return mesh


def read_off(content: bytes, source: str) -> Mesh:
    """Returns the mesh in an OFF file.

    Files that lack the line break after the keyword (ModelNet40 has some) are read too. Trimesh reads the format; the
    number of faces is compared here because it accepts files that end early.

    Args:
        content: bytes of the file.
        source: name of the file, for messages.

    Raises:
        DataError: not an OFF file, truncated, or empty.
    """
    # Only here: trimesh takes a second to import, and readers of prepared meshes do without.
    import trimesh

    try:
        loaded = trimesh.load_mesh(io.BytesIO(content), file_type="off", process=False)
        vertices, faces = loaded.vertices, loaded.faces
        num_faces = int(trimesh.util.comment_strip(content.decode()).split("OFF", 1)[1].split()[1])
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise DataError(f"{source}: not a readable OFF mesh ({type(error).__name__}: {error}).") from error
    # Polygons count once in the header and become several triangles.
    if len(faces) < num_faces:
        raise DataError(f"{source}: truncated: {num_faces} faces are announced, {len(faces)} were found.")
    return check_mesh(vertices, faces, source)


def mesh_split(split: str, meshes: Sequence[Mesh], labels: Sequence[int]) -> dict[str, Array]:
    """Returns the arrays of one split.

    Args:
        split: e.g. ``"train"``.
        meshes: N checked meshes.
        labels: N class indices.

    Returns:
        ``vertices`` [V, 3], ``faces`` [F, 3] (indices within their own mesh), ``area_starts`` [F] (see
        ``area_starts``), ``vertex_offsets`` and ``face_offsets`` [N + 1], ``areas`` [N], ``labels`` [N].
    """
    areas = [face_areas(mesh) for mesh in meshes]
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate([mesh.faces for mesh in meshes])
    starts = np.concatenate([area_starts(part) for part in areas])
    text = "per mesh, and the end of the last"
    return {
        f"{split}/vertices": Array(vertices, ("vertex", "axis"), "1", "positions in the units of the source"),
        f"{split}/faces": Array(faces, ("face", "corner"), "1", "vertices of a face, counted within its mesh"),
        f"{split}/area_starts": Array(starts, ("face",), "1", "area of the faces before it over the mesh's, x 2^32"),
        f"{split}/vertex_offsets": Array(
            _offsets([m.vertices for m in meshes]), ("bound",), "1", f"first vertex {text}"
        ),
        f"{split}/face_offsets": Array(_offsets([m.faces for m in meshes]), ("bound",), "1", f"first face {text}"),
        f"{split}/areas": Array(np.array([part.sum() for part in areas]), ("sample",), "1", "area of the mesh"),
        f"{split}/labels": Array(np.asarray(labels, np.int32), ("sample",), "1", "class index"),
    }


def _offsets(parts: Sequence[np.ndarray]) -> Int[np.ndarray, " bound"]:
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
