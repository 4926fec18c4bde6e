"""How tests disturb a run: jobs that stop at a chosen moment, runs in the background, disks small or read-only."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tiny_project import Project, clean_environment

# Put where Python looks for it at its start: one verb stops when it has written a file under a temporary name and is
# about to give it its own. Then it waits for as long as a file exists, or dies as at `kill -9`.
STOPPING = """
import os, signal, sys, time
rename = os.replace
def replace(source, target, **options):
    if "emergent.cli.{verb}" in sys.orig_argv and str(target).endswith("{ending}"):
        {act}
    return rename(source, target, **options)
os.replace = replace
"""
WAIT = 'while os.path.exists("gate"): time.sleep(0.01)'
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
# At the fourth file: there are finished ones then.
DIE_AT_THE_FOURTH = "replace.num = getattr(replace, 'num', 0) + 1; replace.num == 4 and os.kill(os.getpid(), 9)"
DEADLINE = 120.0
LEARNING_RATE = ("config/experiments/fashion_mnist.yaml", "learning_rate: 0.001\n", "learning_rate: 0.25\n")
"""An edit that makes an experiment another one, from its training on."""


@contextlib.contextmanager
def stopping(project: Project, verb: str, ending: str, act: str) -> Iterator[Path]:
    """Jobs of a verb wait or die, inside the block, before a file of theirs gets its name; yields the gate."""
    customise, gate = project.folder / "src/sitecustomize.py", project.folder / "gate"
    customise.write_text(STOPPING.format(verb=verb, ending=ending, act=act))
    gate.touch()
    try:
        yield gate
    finally:
        gate.unlink(missing_ok=True)
        customise.unlink(missing_ok=True)


@contextlib.contextmanager
def running(project: Project, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run in the background, with the profile of users; what is left of it at the end is killed."""
    command = [sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/local", "--cores", "1", *arguments]
    with open(project.folder / "background.log", "wb") as log:
        run = subprocess.Popen(
            command, cwd=project.folder, env=clean_environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield run
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def wait_for(what: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(0.02)


def partials(project: Project) -> list[Path]:
    return sorted(path for top in ("results", "figures") for path in project.folder.glob(f"{top}/**/*.partial"))


def at_work(project: Project) -> list[psutil.Process]:
    """The processes that work in the folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == project.folder.resolve() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def remove(project: Project, *patterns: str) -> None:
    """Removes files as if they had not been made yet."""
    for pattern in patterns:
        found = list(project.folder.glob(pattern))
        assert found, pattern
        for path in found:
            path.unlink()


def without_training(project: Project) -> Project:
    """Returns a complete run as if one experiment had not been trained; its data and configuration are there."""
    for stage in ("train", "evaluate"):
        shutil.rmtree(project.folder / f"results/smoke/fashion_mnist/{stage}")
    remove(project, "results/smoke/fashion_mnist/summary.h5*")
    return project


def with_mounts(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script that may mount file systems, which nobody else sees and which end with it."""
    inside = ["unshare", "--map-root-user", "--mount", "bash", "-euc"]
    try:
        subprocess.run([*inside, "mount -t tmpfs tmpfs /mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not let a user mount a disk")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [*inside, script, "bash", *arguments],
        env=clean_environment() | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
