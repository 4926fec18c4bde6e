"""Every flipped bit is found, and files that would lead elsewhere are refused."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from emergent import integrity, storage
from emergent.errors import DataError
from emergent.storage import Array

EXPECTED = "expected arrays of numbers and text in the file itself"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with all that files of the pipeline are made of."""
    generator = np.random.default_rng(0)
    storage.write(
        tmp_path / "file.h5",
        stage="summary",
        attributes={"experiment": "tiny", "config_json": '{"learning_rate":0.5}'},
        arrays={
            "packed": Array(generator.integers(0, 9, 40_000).astype(np.int32), ("i",)),
            "chunked": Array(generator.normal(size=(3, 8000)), ("i", "j")),
            "small/numbers": Array(np.arange(4), ("i",), "mm", "Four numbers."),
        },
        tables={"quantities": pd.DataFrame({"name": ["a", "b"], "value": [0.1, 0.2]})},
    )
    return tmp_path / "file.h5"


def test_every_flipped_bit_is_found(path: Path) -> None:
    """Also in text, small arrays, tables, and in what HDF5 finds its way by, where its own checksums are not."""
    content = path.read_bytes()
    places = np.random.default_rng(1).integers(0, 8 * len(content), 300)
    for place in [*range(0, 8 * integrity.HEADER_BYTES, 37), *map(int, places)]:
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"file\.h5: not a readable HDF5 file .*delete it and run again"):
            storage.read_attributes(path)
    path.write_bytes(content)
    storage.read_attributes(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.9, 0.9999])
def test_a_truncated_file_is_called_so(path: Path, share: float) -> None:
    size = path.stat().st_size
    os.truncate(path, int(share * size))
    with pytest.raises(DataError, match=r"not a readable HDF5 file \(.*truncated.*delete it and run again"):
        storage.read_attributes(path)


def test_a_damaged_file_is_not_called_truncated(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"\(damaged: its digest is not that of what was written\)"):
        storage.read_attributes(path)


def test_other_programs_read_these_files(path: Path) -> None:
    with h5py.File(path) as file:
        assert file["small/numbers"][()].tolist() == [0, 1, 2, 3]
        assert file.userblock_size == integrity.HEADER_BYTES
    assert path.read_bytes().startswith(b"Results of emergent as HDF5: ")


def test_files_from_before_there_were_digests_are_read(path: Path) -> None:
    path.write_bytes(path.read_bytes()[integrity.HEADER_BYTES :])
    assert storage.read_attributes(path)["experiment"] == "tiny"
    assert storage.read_arrays(path, ["small/numbers"])["small/numbers"].tolist() == [0, 1, 2, 3]


def test_a_file_is_checked_once_by_each_process_and_anew_when_it_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Path] = []
    whole = integrity._require_whole

    def counting(file: Path, size: int) -> None:
        checked.append(file)
        whole(file, size)

    monkeypatch.setattr(integrity, "_require_whole", counting)
    for _ in range(3):
        storage.read_attributes(path)
    assert len(checked) == 1
    storage.write(path, stage="summary", attributes={"experiment": "other"})
    assert storage.read_attributes(path)["experiment"] == "other"
    assert len(checked) == 2


def external_link(file: h5py.File) -> None:
    file["secret"] = h5py.ExternalLink("/etc/passwd.h5", "/data")


def soft_link(file: h5py.File) -> None:
    file["small/secret"] = h5py.SoftLink("/somewhere")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("secret", (16,), np.uint8, external=[("/etc/hostname", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), np.int64)
    layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
    file.create_virtual_dataset("secret", layout)


def objects(file: h5py.File) -> None:
    file.create_dataset("secret", (2,), h5py.vlen_dtype(np.int32))


def references(file: h5py.File) -> None:
    file.create_dataset("secret", (2,), h5py.ref_dtype)


def records(file: h5py.File) -> None:
    file.create_dataset("secret", (2,), [("a", "f4"), ("b", "i4")])


def named_type(file: h5py.File) -> None:
    file["secret"] = np.dtype("f8")


def cycle(file: h5py.File) -> None:
    file["small/secret"] = file["/"]


def bomb(file: h5py.File) -> None:
    file.create_dataset("secret", (10**13,), np.float64, chunks=(10**6,), compression="gzip")


@pytest.mark.parametrize(
    "spoil",
    [external_link, soft_link, external_storage, virtual, objects, references, records, named_type, cycle, bomb],
    ids=lambda spoil: spoil.__name__,
)
@pytest.mark.parametrize("sealed", [True, False], ids=["with digest", "without"])
def test_what_is_not_plain_is_refused(path: Path, spoil: Callable[[h5py.File], None], sealed: bool) -> None:
    """Whoever makes such a file can also give it a digest."""
    with h5py.File(path, "r+") as file:
        spoil(file)
    image = path.read_bytes()[integrity.HEADER_BYTES :]
    path.write_bytes((integrity.header(image) if sealed else b"") + image)
    with pytest.raises(DataError, match=f"/secret is (a|an) .*; {EXPECTED}"):
        storage.read_attributes(path)


def test_zeros_may_be_packed(tmp_path: Path) -> None:
    storage.write(
        tmp_path / "file.h5", stage="train", attributes={}, arrays={"a": Array(np.zeros(10**7, np.uint8), ("i",))}
    )
    assert not storage.read_arrays(tmp_path / "file.h5", ["a"])["a"].any()
