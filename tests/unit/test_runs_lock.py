"""Locks that a killed run has left are removed; those of a run that lives, or that cannot be seen, are not."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emergent.runs import lock

JOIN = "from emergent.runs.lock import join; print(join().message, flush=True); import sys; sys.stdin.read()"
WAIT = "print(flush=True); import sys; sys.stdin.read()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Snakemake's folder, as a killed run leaves it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.output.lock").write_text("results/summary.h5\n")
    return tmp_path / ".snakemake"


@contextmanager
def process(code: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process of another run in this folder, killed at the end."""
    command = [sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        run.stdout.readline()
        yield run
        run.kill()


def is_locked(place: Path) -> bool:
    return (place / "locks/0.output.lock").exists()


def sign(place: Path, machine: str, boot: str) -> None:
    (place / "run.lock").write_text(json.dumps({"machine": machine, "boot": boot}))


def test_a_new_folder_has_nothing_to_say(tmp_path: Path) -> None:
    assert lock.join(tmp_path / ".snakemake") == lock.RunLock()
    assert json.loads((tmp_path / ".snakemake/run.lock").read_text()).keys() == {"machine", "boot"}


def test_a_lock_that_nobody_holds_is_removed(place: Path) -> None:
    joined = lock.join()
    assert not is_locked(place)
    assert joined.message.startswith("The last run in this folder was killed")
    assert "\n" not in joined.message


def test_a_run_that_lives_keeps_its_lock(place: Path) -> None:
    (place / "locks/0.output.lock").unlink()
    with process(JOIN, "snakemake") as run:
        (place / "locks/0.output.lock").write_text("results/summary.h5\n")
        joined = lock.join()
        assert is_locked(place) and not joined.message
        assert joined.conflict() == (
            f"another run (process {run.pid}) makes files of this one in this folder. Wait until it ends, or stop it: "
            f"kill {run.pid}"
        )


def test_a_killed_run_has_no_share_any_more(place: Path) -> None:
    (place / "locks/0.output.lock").unlink()
    with process(JOIN, "snakemake"):
        (place / "locks/0.output.lock").write_text("results/summary.h5\n")
    assert is_locked(place)
    assert lock.join().message
    assert not is_locked(place)


def test_a_run_without_a_share_is_seen_by_its_folder(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One of another version of this workflow, or of another one."""
    with process(WAIT, "/usr/bin/snakemake") as run:
        joined = lock.join()
        assert is_locked(place) and not joined.message
        assert f"kill {run.pid}" in joined.conflict()


def test_a_run_in_another_folder_does_not_matter(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("other"))
        other = process(WAIT, "snakemake")
        other.__enter__()
    lock.join()
    assert not is_locked(place)
    other.__exit__(None, None, None)


def test_jobs_that_outlived_their_run_are_named(place: Path) -> None:
    with process(WAIT, "emergent.cli.train") as job:
        message = lock.join().message
        assert f"Jobs of that run still work (process {job.pid}); what they finish is good." in message
    assert not is_locked(place)


@pytest.mark.parametrize(
    ("machine", "boot", "removed"),
    [("this", "this", True), ("this", "an earlier one", True), ("container", "this", True), ("other", "other", False)],
    ids=["this start", "started anew", "another container", "another machine"],
)
def test_only_runs_that_would_be_seen_are_known_to_be_over(
    place: Path, monkeypatch: pytest.MonkeyPatch, machine: str, boot: str, removed: bool
) -> None:
    monkeypatch.setattr(lock.socket, "gethostname", lambda: "this")
    monkeypatch.setattr(lock, "_boot", lambda: "this")
    sign(place, machine, boot)
    joined = lock.join()
    assert is_locked(place) != removed
    if not removed:
        assert joined.elsewhere == "other"
        assert joined.conflict() == (
            "this folder is locked by a run on the machine other. If that run is over: snakemake --unlock"
        )
        # Still known the next time.
        assert "other" in (place / "run.lock").read_text()


def test_without_locks_of_the_system_nothing_is_removed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    joined = lock.join()
    assert is_locked(place)
    assert joined.conflict() == (
        "this folder is locked by a run that cannot be seen from here. If that run is over: snakemake --unlock"
    )


def test_a_folder_that_may_not_be_written_is_left_to_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(lock.os, "open", refuse)
    assert lock.join() == lock.RunLock()
    assert is_locked(place)


def test_a_damaged_signature_is_none(place: Path) -> None:
    (place / "run.lock").write_text('{"machine": "ot')
    lock.join()
    assert not is_locked(place)
