"""Reading raw files so that a missing, truncated or damaged one ends in one clear message, and none can do harm.

Archives are read member by member and never unpacked into a folder. Members that would lie elsewhere, links and devices
are refused all the same: whoever unpacks such an archive by hand is not to be surprised.
"""

import contextlib
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from emergent.errors import DataError

_DAMAGE = (
    EOFError,
    OSError,
    zlib.error,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)


LARGEST_MEMBER = 2**28
"""Bytes of the largest file in an archive, unpacked. The largest of ours, a batch of CIFAR-10, has 3e7."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Yields ``path``; whatever a damaged archive raises while it is read becomes a ``DataError``.

    Raises:
        DataError: the file is missing, truncated or damaged.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such raw file. Download it first, or supply it through a mirror folder.")
    try:
        yield path
    except _DAMAGE as error:
        raise DataError(
            f"{path}: truncated or damaged ({type(error).__name__}: {error}); {path.stat().st_size} bytes found. "
            "Delete it and run again: it will be fetched anew and verified."
        ) from error


def tar_members(archive: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """Yields the files in an open archive, in their order.

    Raises:
        DataError: one lies outside of the archive's folder, is a link or a device, or is larger than any should be.
    """
    for member in archive:
        _require_harmless(path, member.name, member.size)
        if member.isfile():
            yield member
        elif not member.isdir():
            raise DataError(f"{path}: member {member.name!r} is a link or a device; expected files and folders.")


def zip_members(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """Returns the names of the files in an open archive, in their order.

    Raises:
        DataError: as for ``tar_members``; zip archives have no devices, and links are files that name their target.
    """
    for member in archive.infolist():
        _require_harmless(path, member.filename, member.file_size)
    return [member.filename for member in archive.infolist() if not member.is_dir()]


def _require_harmless(path: Path, name: str, size: int) -> None:
    place, on_windows = PurePosixPath(name), PureWindowsPath(name)
    if place.is_absolute() or on_windows.drive or on_windows.root or ".." in (*place.parts, *on_windows.parts):
        raise DataError(f"{path}: member {name!r} would lie outside of the archive's folder: no genuine archive.")
    if size > LARGEST_MEMBER:
        raise DataError(f"{path}: member {name!r} has {size} bytes unpacked, expected at most {LARGEST_MEMBER}.")


def load_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Returns the named arrays of an ``.npz`` file; pickled objects are refused.

    Raises:
        DataError: missing, damaged, or without one of the arrays.
    """
    with reading(path):
        try:
            with np.load(path, allow_pickle=False) as archive:
                if missing := [name for name in names if name not in archive]:
                    raise DataError(f"{path}: no array {missing}; it holds {sorted(archive)}.")
                return {name: archive[name] for name in names}
        except ValueError as error:
            raise DataError(f"{path}: not a plain array archive ({error}).") from error
