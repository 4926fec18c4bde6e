"""Meshes: OFF files and archives, damage in each, exact area weights, generated solids, the five ModelNet samples."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from emergent.config.base import validate
from emergent.config.datasets import NoOptions
from emergent.config.meshes import GeneratedMeshOptions, ModelNetOptions
from emergent.datasets import generated_meshes, modelnet, modelnet_samples
from emergent.datasets.meshes import WORD, Mesh, area_starts, face_areas, mesh_split, read_off
from emergent.errors import ConfigError, DataError

SQUARE = "OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n"
GENERATED = {
    "classes": ["box", "torus"],
    "ood_classes": ["tube"],
    "num_train": 5,
    "num_test": 4,
    "num_ood": 3,
    "extent": [1.0, 2.0],
    "seed": 0,
}


def write_archive(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "ModelNet10.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def modelnet_options(classes: tuple[str, ...] = ("bed", "night_stand"), splits: tuple[str, ...] = ("train", "test")):
    return validate(ModelNetOptions, {"archive": "ModelNet10", "classes": classes, "splits": splits}, "test")


def test_off_file() -> None:
    mesh = read_off(SQUARE.encode(), "square.off")
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.int32)
    np.testing.assert_allclose(face_areas(mesh), [0.5, 0.5])


@pytest.mark.parametrize(
    "text",
    [
        SQUARE.replace("OFF\n", "OFF"),  # ModelNet40 has files without this line break
        SQUARE.replace("OFF\n", "OFF\n# a comment\n\n"),
        SQUARE.replace("\n", "\r\n"),
        "OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n",  # one quadrilateral
    ],
    ids=["joined", "comment", "windows", "quadrilateral"],
)
def test_dialects_of_off(text: str) -> None:
    mesh = read_off(text.encode(), "square.off")
    assert len(mesh.faces) == 2
    np.testing.assert_allclose(face_areas(mesh).sum(), 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable OFF mesh"),
        ("PLY\n4 2 0\n", "not a readable OFF mesh"),
        ("OFF\n", "not a readable OFF mesh"),
        ("OFF\nfour two 0\n", "not a readable OFF mesh"),
        ("OFF\n0 0 0\n", "empty|not a readable OFF mesh"),
        (SQUARE.split("3 0 1 2")[0].replace("4 2 0", "4 0 0"), "empty|not a readable OFF mesh"),
        (SQUARE[: SQUARE.index("1 1 0")], "not a readable OFF mesh"),
        (SQUARE.split("3 0 2 3")[0], "truncated: 2 faces are announced, 1 were found"),
        (SQUARE.replace("3 0 2 3", "3 0 2"), "truncated|not a readable OFF mesh"),
        (SQUARE.replace("3 0 2 3", "3 0 2 4"), "not a readable OFF mesh|faces name vertices"),
        (SQUARE.replace("1 1 0", "1 nan 0"), "not a finite number"),
        (SQUARE.replace("1 1 0", "2 0 0").replace("0 1 0", "3 0 0"), "zero area"),
        (SQUARE.replace("1 1 0", "1 one 0"), "not a readable OFF mesh"),
    ],
)
def test_malformed_and_empty_meshes_are_named(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_off(text.encode(), "ModelNet10/bed/train/bed_0007.off")
    assert str(caught.value).startswith("ModelNet10/bed/train/bed_0007.off: ")


def test_archive_is_read_in_a_fixed_order_and_without_the_shadow_tree(tmp_path: Path) -> None:
    def square(size: float) -> str:
        return SQUARE.replace("1", str(size)).replace(f"3 0 {size} 2", "3 0 1 2")

    write_archive(tmp_path, {
        "ModelNet10/night_stand/train/night_stand_0001.off": square(5.0),
        "ModelNet10/bed/train/bed_0002.off": square(3.0),
        "ModelNet10/bed/train/bed_0001.off": square(2.0),
        "ModelNet10/bed/test/bed_0003.off": square(4.0),
        "ModelNet10/night_stand/test/night_stand_0004.off": square(6.0),
        "ModelNet10/sofa/test/sofa_0001.off": "not asked for",
        "ModelNet10/bed/.DS_Store": "x",
        "__MACOSX/ModelNet10/bed/train/._bed_0001.off": "x",
    })  # fmt: skip
    arrays = modelnet.prepare(tmp_path, modelnet_options())
    np.testing.assert_allclose(arrays["train/areas"].values, [4, 9, 25])
    np.testing.assert_array_equal(arrays["train/labels"].values, [0, 0, 1])
    np.testing.assert_array_equal(arrays["test/labels"].values, [0, 1])
    np.testing.assert_array_equal(arrays["train/face_offsets"].values, [0, 2, 4, 6])
    np.testing.assert_array_equal(arrays["train/vertex_offsets"].values, [0, 4, 8, 12])
    np.testing.assert_array_equal(arrays["train/faces"].values, [[0, 1, 2], [0, 2, 3]] * 3)


def test_damaged_archives(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such raw file"):
        modelnet.prepare(tmp_path, modelnet_options())
    path = write_archive(tmp_path, {"ModelNet10/bed/train/bed_0001.off": SQUARE})
    with pytest.raises(DataError, match=r"no train meshes in folder night_stand; folders found: \['bed'\]"):
        modelnet.prepare(tmp_path, modelnet_options())
    write_archive(tmp_path, {"ModelNet10/bed/train/bed_0001.off": "OFF\n"})
    with pytest.raises(DataError, match=r"ModelNet10\.zip: ModelNet10/bed/train/bed_0001\.off: not a readable OFF"):
        modelnet.prepare(tmp_path, modelnet_options(("bed",), ("train",)))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="truncated or damaged"):
        modelnet.prepare(tmp_path, modelnet_options())


def test_intervals_of_faces_are_their_shares_of_the_area() -> None:
    generator = np.random.default_rng(0)
    areas = generator.lognormal(sigma=3.0, size=5000)
    starts = area_starts(areas).astype(np.int64)
    lengths = np.diff(np.append(starts, WORD))
    # Each end is rounded to a whole number.
    np.testing.assert_allclose(lengths / WORD, areas / areas.sum(), rtol=0, atol=1.001 / WORD)
    assert starts[0] == 0 and lengths.sum() == WORD


def test_faces_without_area_are_never_drawn() -> None:
    starts = area_starts(np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0]))
    words = np.array([0, 1, WORD // 2 - 1, WORD // 2, WORD - 2], np.uint64)
    owners = np.searchsorted(starts.astype(np.uint64), words, side="right") - 1
    assert owners.tolist() == [1, 1, 1, 4, 4]


def test_offsets_of_a_split() -> None:
    triangle = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
    arrays = mesh_split("test", [triangle, read_off(SQUARE.encode(), "square")], [1, 0])
    assert arrays["test/vertex_offsets"].values.tolist() == [0, 3, 7]
    assert arrays["test/face_offsets"].values.tolist() == [0, 1, 3]
    assert arrays["test/area_starts"].values.tolist() == [0, 0, WORD // 2]
    np.testing.assert_allclose(arrays["test/areas"].values, [np.sqrt(3) / 2, 1.0])


def test_generated_solids() -> None:
    options = validate(GeneratedMeshOptions, GENERATED, "test")
    arrays = generated_meshes.prepare(Path("unused"), options)
    assert arrays["train/labels"].values.tolist() == [0, 1, 0, 1, 0]
    assert arrays["ood/labels"].values.tolist() == [0, 0, 0]
    more = generated_meshes.prepare(Path("unused"), options.model_copy(update={"num_train": 7}))
    np.testing.assert_array_equal(more["train/areas"].values[:5], arrays["train/areas"].values)
    other = generated_meshes.prepare(Path("unused"), options.model_copy(update={"seed": 1}))
    assert not np.allclose(other["train/areas"].values, arrays["train/areas"].values)


@pytest.mark.parametrize("family", sorted(generated_meshes.FAMILIES))
def test_every_family_is_closed_centred_and_of_the_size_asked_for(family: str) -> None:
    mesh = generated_meshes.generate(family, (1.5, 4.0), np.random.default_rng(0))
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    np.testing.assert_allclose(low + high, 0, atol=1e-5)
    assert 1.5 <= (high - low).max() <= 4.0
    # The outward areas of a closed surface add up to nothing.
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    np.testing.assert_allclose(normals.sum(0), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ood_classes": ["torus"]}, "torus must not be among the classes"),
        ({"classes": ["box", "box"]}, "named twice"),
        ({"classes": ["box", "sphere"]}, "'box', 'cylinder'"),
        ({"extent": [2.0, 1.0]}, "smallest, largest"),
    ],
)
def test_mistakes_in_the_options_of_generated_solids(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(GeneratedMeshOptions, GENERATED | change, "test")


def test_samples_of_modelnet(tmp_path: Path) -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    content = {}
    for index, name in enumerate(modelnet_samples.NAMES):
        content[f"{name}_v"], content[f"{name}_f"] = (index + 1) * vertices, np.array([[0, 1, 2]], np.int32)
    buffer = io.BytesIO()
    np.savez(buffer, **content)
    (tmp_path / modelnet_samples.ARCHIVE).write_bytes(buffer.getvalue())
    arrays = modelnet_samples.prepare(tmp_path, NoOptions())
    np.testing.assert_array_equal(arrays["test/labels"].values, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(arrays["test/areas"].values, np.arange(1, 6) ** 2 / 2)
