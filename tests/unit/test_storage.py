"""HDF5 files: round trips, refusals, atomic replacement and readable errors."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.errors import DataError
from emergent.storage import Array

ATTRIBUTES = {"experiment": "tiny", "arm": "mlp", "seed": "0"}


def write(path: Path, **content: object) -> None:
    storage.write(path, stage="train", attributes=ATTRIBUTES, **content)  # type: ignore[arg-type]


def write_numbers(path: Path, num: int = 5) -> None:
    write(path, arrays={"numbers": Array(np.arange(float(num)), ("item",))})


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6).reshape(3, 2, 1),
        np.array([0, 255], np.uint8),
        np.array([True, False]),
        np.float64(0.1),
        np.zeros((0, 3), np.float32),
        np.random.default_rng(0).normal(size=(50, 300)),
    ],
    ids=["float32", "int", "uint8", "bool", "scalar", "empty", "compressed"],
)
def test_array_round_trip(tmp_path: Path, values: np.ndarray) -> None:
    path = tmp_path / "new" / "folder" / "file.h5"
    dims = tuple(f"axis{i}" for i in range(np.ndim(values)))
    write(path, arrays={"a/b": Array(values, dims, "mm", "What it is.")})
    read = storage.read_arrays(path, ["a/b"], "train")["a/b"]
    assert read.dtype == values.dtype and read.shape == values.shape
    np.testing.assert_array_equal(read, values)
    with storage.open_file(path) as file:
        attributes = dict(file["a/b"].attrs)
    assert tuple(attributes["dims"]) == dims
    assert (attributes["units"], attributes["description"]) == ("mm", "What it is.")


def test_table_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    table = pd.DataFrame(
        {"zeta": ["b", "a", "ä, ö"], "alpha": [0.1, 1 / 3, 2.0], "num": [3, 1, 2], "flag": [True, False, True]}
    )
    write(path, tables={"things": table, "none": pd.DataFrame([])})
    read = storage.read_table(path, "things", "train")
    assert list(read.columns) == ["zeta", "alpha", "num", "flag"]
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    assert [read[column].dtype.kind for column in ("alpha", "num", "flag")] == ["f", "i", "b"]
    assert storage.read_table(path, "none").empty


def test_attributes_round_trip(tmp_path: Path) -> None:
    write_numbers(tmp_path / "file.h5")
    expected = {"schema_version": storage.SCHEMA_VERSION, "stage": "train", **ATTRIBUTES}
    assert storage.read_attributes(tmp_path / "file.h5") == expected


def test_dims_must_fit_the_shape(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"array 'a' has shape \(2, 3\) but dims \('sample',\)"):
        write(tmp_path / "file.h5", arrays={"a": Array(np.zeros((2, 3)), ("sample",))})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_refused_with_their_place(tmp_path: Path, bad: float) -> None:
    values = np.zeros((3, 4), np.float32)
    values[1, 2] = values[2, 0] = bad
    with pytest.raises(DataError, match=r"'x/loss' has 2 non-finite value\(s\) of 12, first at index \(1, 2\)"):
        write(tmp_path / "file.h5", arrays={"x/loss": Array(values, ("a", "b"))})
    with pytest.raises(DataError, match=r"'t/value' has 1 non-finite value\(s\) of 2, first at index \(1,\)"):
        write(tmp_path / "file.h5", tables={"t": pd.DataFrame({"value": [1.0, bad]})})
    assert list(tmp_path.iterdir()) == []


def test_nan_may_be_allowed_but_infinity_never(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    table = pd.DataFrame({"std": [1.0, np.nan]})
    write(path, tables={"t": table}, arrays={"a": Array(np.array([np.nan]), ("i",))}, allow_nan=True)
    pd.testing.assert_frame_equal(storage.read_table(path, "t"), table)
    with pytest.raises(DataError, match="non-finite"):
        write(path, tables={"t": pd.DataFrame({"std": [np.inf]})}, allow_nan=True)


def test_an_infinite_width_is_a_value(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    table = pd.DataFrame({"width": [8.0, np.inf], "time": [np.inf, 1.0]})
    write(path, tables={"t": table})
    pd.testing.assert_frame_equal(storage.read_table(path, "t"), table)
    for bad in (-np.inf, np.nan):
        with pytest.raises(DataError, match=r"'t/width' has 1 non-finite value\(s\) of 2, first at index \(1,\)"):
            write(path, tables={"t": table.assign(width=[np.inf, bad])})


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    large, small = generator.normal(size=(100, 200)), np.arange(3)
    table = pd.DataFrame({"name": ["a", "b"], "value": [1.0, 2.0]})
    first = {"large": Array(large, ("a", "b")), "small": Array(small, ("a",))}
    second = dict(reversed(first.items()))
    write(tmp_path / "first.h5", arrays=first, tables={"t": table})
    write(tmp_path / "second.h5", arrays=second, tables={"t": table.copy()})
    content = (tmp_path / "first.h5").read_bytes()
    assert content == (tmp_path / "second.h5").read_bytes()
    write(tmp_path / "third.h5", arrays=first | {"small": Array(small + 1, ("a",))}, tables={"t": table})
    assert content != (tmp_path / "third.h5").read_bytes()


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    write_numbers(path)
    before = path.read_bytes()
    unstorable = Array(np.array([object()]), ("i",))
    with pytest.raises(TypeError):
        write(path, arrays={"a": Array(np.zeros(5), ("i",)), "b": unstorable})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# On a disk of one megabyte, nearly full. In a process of its own: HDF5 writing there itself would bring it down.
SMALL_DISK = """
import os, sys
from pathlib import Path
import numpy as np
from emergent import storage

folder, num, free = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
def write(num):
    values = np.random.default_rng(0).normal(size=num)
    storage.write(folder / "a.h5", stage="train", attributes={}, arrays={"a": storage.Array(values, ("i",))})
write(10)
available = os.statvfs(folder).f_bavail * os.statvfs(folder).f_bsize
(folder / "filler").write_bytes(bytes(available - free))
try:
    write(num)
except Exception as error:
    print(type(error).__name__, end=" ")
else:
    print("written", end=" ")
(folder / "filler").unlink()
print(len(storage.read_arrays(folder / "a.h5", ["a"])["a"]), *sorted(os.listdir(folder)), flush=True)
"""


@pytest.mark.parametrize(
    ("num", "free"),
    [
        (8000, 0),
        (8000, 40960),
        (60_000, 40960),
    ],
    ids=["nothing_free", "small_array", "large_array"],
)
def test_really_full_disk(tmp_path: Path, num: int, free: int) -> None:
    mount = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path)]
    try:
        subprocess.run([*inside, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not let a user mount a small disk")
    command = [*inside, sys.executable, "-c", SMALL_DISK, str(tmp_path), str(num), str(free)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout == "ResourceError 10 a.h5\n", result.stdout + result.stderr[-300:]
    assert result.returncode == 0


def test_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file. Run the rule that makes it"):
        storage.read_arrays(tmp_path / "absent.h5", ["a"])


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_damaged_large_array(tmp_path: Path, dtype: type[np.generic]) -> None:
    """Packed whole numbers and floats, which are not, are checked when they are read, after the file as a whole was."""
    path = tmp_path / "file.h5"
    values = (1000 * np.random.default_rng(0).random((4, 3, 20000))).astype(dtype)
    write(path, arrays={"a": Array(values, ("i", "j", "k"))})
    np.testing.assert_array_equal(storage.read_arrays(path, ["a"])["a"], values)
    with h5py.File(path) as file:
        chunk = file["a"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    with storage.open_file(path) as opened:
        content[chunk.byte_offset + 10 : chunk.byte_offset + 200] = bytes(190)
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"array 'a' cannot be read .* delete it"):
            storage.read_array(opened, "a")


def test_wrong_stage_and_wrong_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.h5"
    write_numbers(path)
    storage.read_arrays(path, ["numbers"], "train")
    with pytest.raises(DataError, match="expected a file of stage 'evaluate', found 'train'"):
        storage.read_arrays(path, ["numbers"], "evaluate")
    monkeypatch.setattr(storage, "SCHEMA_VERSION", 2)
    with pytest.raises(DataError, match="expected schema version 2, found 1; delete it"):
        storage.read_arrays(path, ["numbers"])


def test_hdf5_file_of_another_program(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(DataError, match="found None"):
        storage.read_arrays(tmp_path / "file.h5", ["a"])


def test_missing_array_or_table_lists_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    arrays = {"in/sums": Array(np.zeros(1), ("i",)), "epochs": Array(np.zeros(1), ("i",))}
    write(path, arrays=arrays, tables={"osp": pd.DataFrame({"mean": [1.0]})})
    with pytest.raises(DataError, match=r"no array 'out/sums'. It holds: epochs, in/sums, osp/mean"):
        storage.read_arrays(path, ["out/sums"])
    with pytest.raises(DataError, match="no array 'in'"):
        storage.read_arrays(path, ["in"])
    for name in ("fit", "in", "epochs"):
        with pytest.raises(DataError, match=f"no table '{name}'. It holds: osp"):
            storage.read_table(path, name)


REFUSED = "Unable to synchronously open file (unable to lock file, errno = 37, error message = 'No locks available')"


@pytest.mark.parametrize(
    ("error", "advice", "never"),
    [
        (OSError(REFUSED), "do not delete it", "truncated"),
        (OSError(errno.EIO, "Input/output error"), "do not delete it", "truncated"),
        (PermissionError(errno.EACCES, "Permission denied"), "change its permissions", "delete"),
        (OSError("Unable to synchronously open file (file signature not found)"), "delete it and run again", "mount"),
        (OSError("Unable to synchronously open file (truncated file: eof = 9)"), "delete it and run again", "mount"),
    ],
    ids=["no locks", "disk", "permission", "no HDF5", "truncated"],
)
def test_advice_is_by_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, advice: str, never: str
) -> None:
    """Only a file whose content is wrong is to be deleted."""
    path = tmp_path / "member.h5"
    storage.write(path, stage="train", attributes={})

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(DataError) as found, storage.open_file(path):
        pass
    assert str(path) in str(found.value) and advice in str(found.value) and never not in str(found.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError), storage.open_file(tmp_path):
        pass


def test_a_lock_of_somebody_else_does_not_matter(tmp_path: Path) -> None:
    """Files are replaced as a whole, so that a reader never sees a half-written one."""
    path = tmp_path / "member.h5"
    storage.write(path, stage="train", attributes={})
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with storage.open_file(path, "train"):
            pass
