"""Files appear whole or not at all: errors, full disks, killed writers, several writers at once."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emergent import atomic
from emergent.atomic import atomic_path
from emergent.errors import ResourceError


def write(path: Path, content: bytes = b"new") -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_half_and_stop(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.parent == path.parent
        raise KeyboardInterrupt


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half_and_stop(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_file_is_readable_by_others_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    for content in (b"long", b"short"):
        write(path, content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("place", ["write_bytes", "fsync", "replace"])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = tmp_path / "file"
    write(path, b"old")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    owner = {"write_bytes": Path, "fsync": atomic.os, "replace": atomic.os}[place]
    with monkeypatch.context() as patch:
        patch.setattr(owner, place, full)
        with pytest.raises(ResourceError, match=r"file: the disk is full"):
            write(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_other_errors_of_the_system_are_not_called_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(ResourceError, match="may not write there"):
        write(tmp_path / "file")

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(ResourceError, match="may not write there"):
        write(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


# A process of its own, which stops while its file is half written.
WRITER = """
import sys, time
from pathlib import Path
from emergent.atomic import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    sys.stdin.read()
    temporary.write_bytes(b"whole")
"""


def start_writer(path: Path) -> tuple[subprocess.Popen[str], Path]:
    command = [sys.executable, "-c", WRITER, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, path.with_name(process.stdout.readline().strip())


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    process, temporary = start_writer(path)
    with process:
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == [temporary] and temporary.read_bytes() == b"half"
    write(path)
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    process, temporary = start_writer(path)
    with process:
        write(path)
        assert path.read_bytes() == b"new"
        assert temporary.exists(), "the file of a writer at work was taken for a leftover"
        process.communicate("")
    assert process.returncode == 0
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_taken_for_a_leftover_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, calls = fcntl.flock, []

    def removed_meanwhile(descriptor: int, operation: int) -> None:
        if not calls:
            (found,) = tmp_path.glob(".file.*.partial")
            found.unlink()
        calls.append(operation)
        lock(descriptor, operation)

    monkeypatch.setattr(atomic.fcntl, "flock", removed_meanwhile)
    write(tmp_path / "file")
    assert len(calls) == 2
    assert (tmp_path / "file").read_bytes() == b"new"


def test_without_locks_files_are_written_and_leftovers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether somebody writes them cannot be known there."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(atomic.fcntl, "flock", refuse)
    leftover = tmp_path / ".file.abc.partial"
    leftover.write_bytes(b"half")
    write(tmp_path / "file")
    assert sorted(tmp_path.iterdir()) == [leftover, tmp_path / "file"]


LIMITED = """
import resource, sys
from pathlib import Path
from emergent.atomic import atomic_path
from emergent.errors import ResourceError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic_path(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(bytes(2000))
except ResourceError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """What every user can try: the system refuses in the middle of a write, as on a full disk."""
    path = tmp_path / "file"
    write(path, b"old")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert "file: larger than files may be here (File too large). Raise the limit" in done.stdout
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_may_not_be_written_are_found_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic.require_writable([tmp_path / "a", tmp_path / "new/folder"])
    (tmp_path / "b").mkdir()
    monkeypatch.setattr(atomic.os, "access", lambda path, mode: path != tmp_path / "b")
    with pytest.raises(ResourceError, match=r"b/c: this user may not write there \(read-only\)"):
        atomic.require_writable([tmp_path / "a", tmp_path / "b/c"])
