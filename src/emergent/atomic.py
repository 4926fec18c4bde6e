"""Files that appear under their names whole or not at all, whatever happens to their writer or beside it."""

import contextlib
import errno
import fcntl
import glob
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from emergent.errors import ResourceError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the folder of ``path`` that replaces it when the block ends without an error.

    Several processes may write the same file: each has its own temporary path, and the last one to end prevails.

    Raises:
        ResourceError: the disk is full, or may not be written; nothing is left behind.
    """
    temporary: Path | None = None
    with contextlib.ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(path)
            descriptor, temporary = _locked_file(path)
            held.callback(os.close, descriptor)
            yield temporary
            # On disk before it gets its name: after a crash there is the old file or the whole new one.
            with open(temporary, "rb+") as stream:
                os.fsync(stream.fileno())
            # Temporary files are made for their owner's eyes only.
            temporary.chmod(0o644)
            # In one folder, and so on one file system, a rename is atomic.
            os.replace(temporary, path)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceError(
                    f"{path}: the disk is full. Free some space and run again; nothing was lost."
                ) from None
            if error.errno == errno.EFBIG:
                raise ResourceError(
                    f"{path}: larger than files may be here ({error.strerror}). Raise the limit (ulimit -f, or that of "
                    "the file system) and run again; nothing was lost."
                ) from None
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise not_writable(path, error.strerror, error.filename or path.parent) from None
            raise
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def _locked_file(path: Path) -> tuple[int, Path]:
    """Returns a new temporary file, open, and locked until it is closed: a sign that somebody is writing it."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        # File systems without locks: there nobody's leftovers are removed.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        # Taken for a leftover before it was locked.
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    """Removes temporary files of writers that were killed; those of living ones are locked."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        # Gone meanwhile, at work, another user's, or on a file system without locks.
        with contextlib.suppress(OSError), open(leftover, "rb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def require_writable(folders: Iterable[Path]) -> None:
    """Checks that files can be made in folders, which need not exist.

    Raises:
        ResourceError: they cannot; the message names the first such folder.
    """
    known: dict[Path, bool] = {}
    for folder in sorted(folders):
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not known.setdefault(nearest, os.access(nearest, os.W_OK | os.X_OK)):
            raise not_writable(folder, "read-only", nearest)


def not_writable(path: Path, reason: str | None, place: str | Path) -> ResourceError:
    """Returns the error of a file that may not be made or replaced.

    Args:
        path: of the file.
        reason: in the system's words.
        place: whose permissions are the reason.
    """
    return ResourceError(
        f"{path}: this user may not write there ({reason}). Change the permissions of {place}, or run in a folder of "
        "your own; nothing was lost."
    )
