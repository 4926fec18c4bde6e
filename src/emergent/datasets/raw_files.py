"""Reading raw files so that a missing, truncated or damaged one ends in one clear message."""

import contextlib
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

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
