"""HDF5 files of the pipeline: written atomically, read with their schema checked.

A file holds named arrays (datasets with ``dims``, ``units`` and ``description``) and tidy tables (groups whose
members are equally long columns). Root attributes say what made it; nothing volatile (time, host, commit) is inside,
so that equal inputs give byte-identical files. See ``emergent.provenance`` for the volatile facts.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from emergent import integrity
from emergent.atomic import atomic_path
from emergent.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
CHUNK_BYTES = 2**16
"""Larger arrays are stored in chunks of about this size: readers take some samples of many members at a time."""

MAY_BE_INFINITE = ("width", "time")
"""Columns of tables in which infinity is a value: of infinitely wide networks, and of training that never ends."""


@dataclass(frozen=True)
class Array:
    """One array to be stored.

    Attributes:
        values: the numbers.
        dims: a name for each axis, e.g. ``("member", "epoch", "sample")``.
        units: physical unit, or ``"1"``.
        description: one sentence.
    """

    values: np.ndarray
    dims: tuple[str, ...]
    units: str = "1"
    description: str = ""


def write(
    path: Path,
    *,
    stage: str,
    attributes: Mapping[str, str],
    arrays: Mapping[str, Array] | None = None,
    tables: Mapping[str, "pd.DataFrame"] | None = None,
    allow_nan: bool = False,
) -> None:
    """Writes one HDF5 file atomically.

    Args:
        path: final name; an older file there is replaced only when the new one is complete.
        stage: pipeline stage, e.g. ``"train"``; readers check it.
        attributes: further root attributes (``experiment``, ``arm``, ``config_json``, ``seed`` ...), all text.
        arrays: name (may contain ``/``) to array.
        tables: name to tidy table.
        allow_nan: accept NaN in arrays and tables; infinities are refused but in columns of ``MAY_BE_INFINITE``.

    Raises:
        DataError: a floating-point array has non-finite values or ``dims`` do not fit its shape.
    """
    # Made in memory and written as plain bytes: on a full disk libhdf5 itself crashes while it closes the file.
    options = {"driver": "core", "backing_store": False, "track_order": False, "userblock_size": integrity.HEADER_BYTES}
    with h5py.File(path.name, "w", **options) as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["stage"] = stage
        # Sorted, so that equal content makes equal bytes in whatever order it was put together.
        for key in sorted(attributes):
            file.attrs[key] = attributes[key]
        for name in sorted(arrays or {}):
            _write_array(file, path, name, (arrays or {})[name], allow_nan)
        for name in sorted(tables or {}):
            _write_table(file, path, name, (tables or {})[name], allow_nan)
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(integrity.header(image))
        stream.write(image)


def _write_array(file: h5py.File, path: Path, name: str, array: Array, allow_nan: bool) -> None:
    values = np.asarray(array.values)
    if values.ndim != len(array.dims):
        raise DataError(f"{path}: array {name!r} has shape {values.shape} but dims {array.dims}.")
    if values.dtype.kind == "f":
        _require_finite(path, name, values, allow_nan)
    dataset = file.create_dataset(name, data=values, **_filters(values))
    dataset.attrs["dims"] = list(array.dims)
    dataset.attrs["units"] = array.units
    dataset.attrs["description"] = array.description


def _filters(values: np.ndarray) -> dict[str, Any]:
    """Returns how an array is laid out in chunks, whose content is checked when it is read."""
    if values.nbytes <= CHUNK_BYTES:
        return {}
    if values.dtype.kind in "iub":
        return {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    # Of floats the mantissas are noise: packing them saves a seventh of the space, at some 30 MB a second.
    chunk, left = [1] * values.ndim, CHUNK_BYTES // values.itemsize
    for axis in reversed(range(values.ndim)):
        chunk[axis] = min(values.shape[axis], max(1, left))
        left //= chunk[axis]
    return {"chunks": tuple(chunk), "fletcher32": True}


def _write_table(file: h5py.File, path: Path, name: str, table: "pd.DataFrame", allow_nan: bool) -> None:
    group = file.create_group(name)
    group.attrs["columns"] = [str(column) for column in table.columns]
    for column in table.columns:
        values = table[column].to_numpy()
        if values.dtype.kind == "f":
            checked = np.where(np.isposinf(values), 0, values) if column in MAY_BE_INFINITE else values
            _require_finite(path, f"{name}/{column}", checked, allow_nan)
            group.create_dataset(str(column), data=values)
        elif values.dtype.kind in "iub":
            group.create_dataset(str(column), data=values)
        else:
            text = [str(value) for value in values]
            group.create_dataset(str(column), data=text, dtype=h5py.string_dtype())


def _require_finite(path: Path, name: str, values: np.ndarray, allow_nan: bool) -> None:
    bad = np.isinf(values) if allow_nan else ~np.isfinite(values)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{path}: {name!r} has {int(bad.sum())} non-finite value(s) of {values.size}, first at index {where}; "
            "nothing was written. Training has probably diverged: lower the learning rate."
        )


@contextlib.contextmanager
def open_file(path: Path, stage: str | None = None) -> Iterator[h5py.File]:
    """Yields an HDF5 file opened for reading, its digest, schema version and stage checked.

    Raises:
        DataError: missing, truncated, damaged, of another schema version, written by another stage, or not plain.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Run the rule that makes it (snakemake {path}).") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be looked at: {_words(error)}") from None
    try:
        integrity.require_intact(path)
        # Without a lock: files are replaced as a whole, and network file systems without locks would refuse good ones.
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise DataError(f"{path}: {_words(error, size)}") from None
    with file:
        found = file.attrs.get("schema_version")
        if found != SCHEMA_VERSION:
            raise DataError(
                f"{path}: expected schema version {SCHEMA_VERSION}, found {found}; delete it and run again."
            )
        if stage is not None and file.attrs.get("stage") != stage:
            raise DataError(f"{path}: expected a file of stage {stage!r}, found {file.attrs.get('stage')!r}.")
        yield file


def _words(error: OSError, size: int | None = None) -> str:
    """Returns what went wrong with a file and what to do, by cause: only content that is wrong is to be deleted."""
    if isinstance(error, PermissionError):
        return (
            f"may not be read by this user ({error.strerror or error}); change its permissions or those of its folder."
        )
    if isinstance(error, IsADirectoryError):
        return "is a folder, expected an HDF5 file."
    # HDF5 finds fault with the content in its own words, and passes on a number where the system refused.
    if error.errno is None and "errno =" not in str(error):
        return (
            f"not a readable HDF5 file ({size} bytes; {error}). It was truncated or damaged: delete it and run again; "
            "only this file will be made anew."
        )
    return (
        f"the system could not open it ({error}). Its content may be good: look at the file system (connection, mount, "
        "quota) and run again; do not delete it."
    )


def read_array(file: h5py.File, name: str) -> np.ndarray:
    """Returns one array of an open file.

    Raises:
        DataError: the file has no such array; the message lists those it has.
    """
    if not isinstance(file.get(name), h5py.Dataset):
        known: list[str] = []
        file.visititems(lambda key, item: known.append(key) if isinstance(item, h5py.Dataset) else None)
        raise DataError(f"{file.filename}: no array {name!r}. It holds: {', '.join(sorted(known))}.")
    try:
        return file[name][()]
    except OSError as error:
        raise DataError(f"{file.filename}: array {name!r} cannot be read ({error}); delete it and run again.") from None


def read_arrays(path: Path, names: list[str], stage: str | None = None) -> dict[str, np.ndarray]:
    """Returns several arrays of a file by name."""
    with open_file(path, stage) as file:
        return {name: read_array(file, name) for name in names}


def read_table(path: Path, name: str, stage: str | None = None) -> "pd.DataFrame":
    """Returns one tidy table of a file.

    Raises:
        DataError: the file has no such table.
    """
    # Only here: jobs that train or evaluate read no tables, and start a fifth of a second sooner without.
    import pandas as pd

    with open_file(path, stage) as file:
        group = file.get(name)
        if not isinstance(group, h5py.Group) or "columns" not in group.attrs:
            known = [key for key, item in file.items() if "columns" in item.attrs]
            raise DataError(f"{path}: no table {name!r}. It holds: {', '.join(sorted(known)) or 'none'}.")
        columns: dict[str, Any] = {}
        for column in group.attrs["columns"]:
            dataset = group[column]
            text = h5py.check_string_dtype(dataset.dtype) is not None
            columns[column] = dataset.asstr()[()] if text else dataset[()]
        return pd.DataFrame(columns)


def read_attributes(path: Path) -> dict[str, Any]:
    """Returns the root attributes of a file."""
    with open_file(path) as file:
        return dict(file.attrs)


def peek_attributes(path: Path) -> dict[str, Any]:
    """Returns the root attributes of a file, empty if it is missing or unreadable, without checking the rest of it."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return dict(file.attrs)
    except OSError:
        return {}
