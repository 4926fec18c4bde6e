"""Archives and pickles that are not what their data sets' are: refused, and nothing of them is run or unpacked."""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emergent.config.base import validate
from emergent.config.datasets import ColourOptions, NctCrcOptions, Qm9Options
from emergent.config.meshes import ModelNetOptions
from emergent.datasets import cifar10, cifar10_jpeg, modelnet, nct_crc, qm9, raw_files
from emergent.datasets.raw_files import load_npz
from emergent.errors import DataError

ESCAPING = ["../evil.xyz", "/etc/evil.xyz", "folder/../../evil.xyz", "..\\evil.xyz", "C:\\evil.xyz"]
TAR_READERS = {
    "cifar10": lambda folder: cifar10.prepare(folder, ColourOptions(grey=False, resolution=32)),
    "qm9": lambda folder: qm9.prepare(folder, Qm9Options(exclude_uncharacterized=False)),
}
MODELNET = validate(ModelNetOptions, {"archive": "ModelNet10", "classes": ("bed",), "splits": ("train",)}, "test")
ZIP_READERS = {
    "modelnet": lambda folder: modelnet.prepare(folder, MODELNET),
    "nct_crc": lambda folder: nct_crc.prepare(folder, NctCrcOptions(resolution=8, num_per_class=None)),
}


def write_tar(folder: Path, reader: str, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    path = folder / {"cifar10": cifar10.ARCHIVE, "qm9": qm9.ARCHIVE}[reader]
    with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(folder: Path, reader: str, members: dict[str, bytes]) -> None:
    path = folder / {"modelnet": "ModelNet10.zip", "nct_crc": nct_crc.ARCHIVES["train"]}[reader]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("name", ESCAPING)
@pytest.mark.parametrize("reader", TAR_READERS)
def test_tar_members_that_escape_their_folder(tmp_path: Path, reader: str, name: str) -> None:
    # The folder itself, as many archives have it, is fine.
    folder = tarfile.TarInfo("./")
    folder.type = tarfile.DIRTYPE
    write_tar(tmp_path, reader, [(folder, b""), (tarfile.TarInfo(name), b"x")])
    with pytest.raises(DataError, match="would lie outside of the archive's folder"):
        TAR_READERS[reader](tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("reader", TAR_READERS)
def test_tar_members_that_are_no_files(tmp_path: Path, reader: str, kind: bytes) -> None:
    member = tarfile.TarInfo("data_batch_1")
    member.type, member.linkname = kind, "/etc/passwd"
    write_tar(tmp_path, reader, [(member, b"")])
    with pytest.raises(DataError, match="'data_batch_1' is a link or a device; expected files and folders"):
        TAR_READERS[reader](tmp_path)


@pytest.mark.parametrize("name", ESCAPING)
@pytest.mark.parametrize("reader", ZIP_READERS)
def test_zip_members_that_escape_their_folder(tmp_path: Path, reader: str, name: str) -> None:
    write_zip(tmp_path, reader, {name: b"x"})
    with pytest.raises(DataError, match="would lie outside of the archive's folder"):
        ZIP_READERS[reader](tmp_path)


def test_members_that_unpack_to_far_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_files, "LARGEST_MEMBER", 10_000)
    for reader in ZIP_READERS:
        write_zip(tmp_path, reader, {"ModelNet10/bed/train/bed_1.off": bytes(10_001)})
        with pytest.raises(DataError, match="has 10001 bytes unpacked, expected at most 10000"):
            ZIP_READERS[reader](tmp_path)
    for reader in TAR_READERS:
        write_tar(tmp_path, reader, [(tarfile.TarInfo("data_batch_1"), bytes(10_001))])
        with pytest.raises(DataError, match="has 10001 bytes unpacked, expected at most 10000"):
            TAR_READERS[reader](tmp_path)


class Runs:
    """An object whose pickle runs a command when it is read as usual."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (lambda trace: pickle.dumps({"data": Runs(trace), "labels": []}), "refuses posix.mkdir"),
        (lambda trace: pickle.dumps(Runs(trace), protocol=0), "refuses posix.mkdir"),
        (lambda trace: b"cbuiltins\neval\n(V1\ntR.", "refuses builtins.eval"),
        (lambda trace: b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", r"refuses numpy.ndarray\.tofile"),
        (lambda trace: b"cnumpy\nload\n.", "refuses numpy.load"),
        (lambda trace: b"Pelsewhere\n.", "persistent"),
        (lambda trace: pickle.dumps([1, 2]), "list indices must be integers"),
        (lambda trace: pickle.dumps({"data": "text", "labels": [1]}), "invalid literal"),
        (lambda trace: pickle.dumps({"data": [0] * 5, "labels": [1]}), "cannot reshape"),
        (lambda trace: b"no pickle", "UnpicklingError|EOFError"),
        (lambda trace: b"", "EOFError"),
    ],
    ids=["run", "protocol 0", "eval", "by dots", "numpy.load", "elsewhere", "list", "text", "short", "noise", "empty"],
)
def test_pickles_are_read_without_running_them(tmp_path: Path, payload: Any, message: str) -> None:
    trace = tmp_path / "it ran"
    write_tar(tmp_path, "cifar10", [(tarfile.TarInfo("cifar-10-batches-py/data_batch_1"), payload(trace))])
    with pytest.raises(
        DataError, match=rf"data_batch_1: expected a batch .*({message})(.|\n)*Nothing of it was executed"
    ):
        TAR_READERS["cifar10"](tmp_path)
    assert not trace.exists()


def test_the_pickle_above_would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Runs(tmp_path / "it ran")))
    assert (tmp_path / "it ran").exists()


def test_arrays_of_objects_are_no_arrays_of_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "file.npz", a=np.array([Runs(tmp_path / "it ran")], object))
    with pytest.raises(DataError, match="not a plain array archive"):
        load_npz(tmp_path / "file.npz", ("a",))
    assert not (tmp_path / "it ran").exists()


def test_only_the_formats_of_the_data_sets_are_read() -> None:
    """Pillow would hand PostScript, for one, to a program that runs it."""
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 224 224\n"
    with pytest.raises(OSError, match="cannot identify image file"):
        nct_crc._shrink(content, 8)
    with pytest.raises(OSError, match="cannot identify image file"):
        cifar10_jpeg._decode(content)
