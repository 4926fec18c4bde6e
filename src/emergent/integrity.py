"""Is an HDF5 file the one that was written, and does it hold its content itself?

In front of what HDF5 writes stands a block of text, which its library skips: the size and the SHA-256 of all the rest.
By it a bit that changed on a disk or on the way is found wherever it is; HDF5's own checksums do not cover text, small
arrays and what the file finds its way by. Files of other origin may lead elsewhere, or announce more than they hold.
"""

import functools
import hashlib
import os
import re
from pathlib import Path

import h5py

from emergent.errors import DataError

HEADER_BYTES = 512
"""The smallest block that HDF5 allows for."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_PACKED = 2000
"""Zeros, packed by gzip, need a thousandth of their space."""


def header(image: bytes) -> bytes:
    """Returns the block in front of an HDF5 image, which tells its size and digest."""
    return _header(len(image), hashlib.sha256(image).hexdigest())


def require_intact(path: Path) -> None:
    """Checks that a file is the one that was written, and plain; once for each in a process, at a gigabyte a second.

    Files from before there were digests begin as HDF5 itself does; those are left to the checks of its library.

    Raises:
        DataError: truncated, damaged, or not plain: with a link to elsewhere, an array that lies in other files or is
            made of objects, or one that announces far more than the file holds.
        OSError: of the system, or of HDF5's library, which finds fault with the content.
    """
    status = os.stat(path)
    _require_intact(path, status.st_ino, status.st_size, status.st_mtime_ns)


def content_digest(path: Path) -> str:
    """Returns the SHA-256 of what a file says: of results that which stands in front of them, else of all bytes.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        block = stream.read(HEADER_BYTES)
        if (told := re.match(rb"[^\n]*: \d+ bytes follow [^\n]*\nSHA-256 ([0-9a-f]{64})\n", block)) is not None:
            return told[1].decode("ascii")
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()


@functools.lru_cache(maxsize=4096)
def _require_intact(path: Path, inode: int, size: int, changed: int) -> None:
    del inode, changed
    _require_whole(path, size)
    with h5py.File(path, "r", locking=False) as file:
        _require_plain(file)


def _require_whole(path: Path, size: int) -> None:
    with open(path, "rb") as stream:
        block = stream.read(HEADER_BYTES)
        if block.startswith(_SIGNATURE):
            return
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if block == _header(size - HEADER_BYTES, found):
        return
    announced = re.match(rb"[^\n]*: (\d+) bytes", block)
    if announced is None:
        what = f"{size} bytes; truncated, damaged or of another program"
    elif size != (total := int(announced[1]) + HEADER_BYTES):
        what = f"truncated: {size} of {total} bytes"
    else:
        what = "damaged: its digest is not that of what was written"
    raise DataError(
        f"{path}: not a readable HDF5 file ({what}): delete it and run again; only this file will be made anew."
    )


def _header(size: int, digest: str) -> bytes:
    text = f"Results of emergent as HDF5: {size} bytes follow this block of {HEADER_BYTES}.\nSHA-256 {digest}\n"
    return text.encode("ascii").ljust(HEADER_BYTES, b"\0")


def _require_plain(file: h5py.File) -> None:
    groups: list[h5py.Group] = [file]
    seen = {h5py.h5o.get_info(file.id).addr}
    while groups:
        group = groups.pop()
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise _refusal(file, place, f"a link to {getattr(link, 'filename', '')}{link.path}")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                _require_plain_array(file, place, item)
            elif isinstance(item, h5py.Group) and h5py.h5o.get_info(item.id).addr not in seen:
                seen.add(h5py.h5o.get_info(item.id).addr)
                groups.append(item)
            else:
                raise _refusal(file, place, "a named type, or a group inside itself")


def _require_plain_array(file: h5py.File, place: str, array: h5py.Dataset) -> None:
    if array.external is not None or array.is_virtual:
        raise _refusal(file, place, "an array that lies in other files")
    if array.dtype.kind not in "biufc" and h5py.check_string_dtype(array.dtype) is None:
        raise _refusal(file, place, f"an array of {array.dtype}")
    stored = array.id.get_storage_size()
    if array.nbytes > _MOST_PACKED * (stored + HEADER_BYTES):
        raise _refusal(file, place, f"an array of {array.nbytes} bytes, of which {stored} are there")


def _refusal(file: h5py.File, place: str, what: str) -> DataError:
    return DataError(
        f"{file.filename}: {place} is {what}; expected arrays of numbers and text in the file itself. This pipeline "
        "writes none such: delete the file and run again."
    )
