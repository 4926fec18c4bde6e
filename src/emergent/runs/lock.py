"""Which runs are at work in a folder: a lock that the system takes back when a process ends, however it ends.

Snakemake locks a folder with files, which a killed run leaves behind, so that the next one stops with a page of advice.
Every run of this workflow therefore also holds a lock of the system on a file beside them. When nobody else holds that,
and no Snakemake is seen to work in the folder, what is left of Snakemake's lock is removed.
"""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

PLACE = Path(".snakemake")
"""Where Snakemake keeps its own files, below the working folder."""


@dataclass(frozen=True)
class RunLock:
    """The share of this process in the lock of a folder, which it has until it ends.

    Attributes:
        message: one line for the user where a lock was removed, else empty.
        elsewhere: machine of a run that may be at work and cannot be seen from this one; else empty.
    """

    message: str = ""
    elsewhere: str = ""

    def conflict(self) -> str:
        """Returns one line for when Snakemake refuses to make locked files: who makes them, and what to do."""
        if others := runs_in(Path.cwd()):
            return (
                f"another run ({_processes(others)}) makes files of this one in this folder. Wait until it ends, or "
                f"stop it: kill {' '.join(map(str, others))}"
            )
        where = f"on the machine {self.elsewhere}" if self.elsewhere else "that cannot be seen from here"
        return f"this folder is locked by a run {where}. If that run is over: snakemake --unlock"


def join(place: Path = PLACE) -> RunLock:
    """Takes a share in the lock of a folder; if no other run has one, removes what is left of Snakemake's.

    Args:
        place: Snakemake's folder, inside the one that runs work in.
    """
    try:
        place.mkdir(exist_ok=True)
        # Never closed: the lock ends with the process.
        descriptor = os.open(place / "run.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        # A folder that may not be written: whoever has to write there says so.
        return RunLock()
    joined = _examine(place, descriptor)
    if not joined.elsewhere:
        content = json.dumps({"machine": socket.gethostname(), "boot": _boot()}).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
    return joined


def _examine(place: Path, descriptor: int) -> RunLock:
    folder, locks = place.absolute().parent, place / "locks"
    is_locked = any(locks.glob("*.lock"))
    signature = _signature(descriptor)
    machine = signature.get("machine", "")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        alone = False
    except OSError:
        # A file system without locks. Nothing follows from that nobody holds one.
        return RunLock(elsewhere=machine) if is_locked else RunLock()
    else:
        alone = not runs_in(folder) if is_locked else True
    message = ""
    if is_locked and alone:
        # On network file systems locks may reach no other machine. One that was started anew has no old processes.
        if machine and signature.get("boot") != _boot() and machine != socket.gethostname():
            return RunLock(elsewhere=machine)
        shutil.rmtree(locks, ignore_errors=True)
        message = "The last run in this folder was killed and no run is at work there now: it is unlocked."
        if jobs := _at_work(folder, _is_job):
            message += f" Jobs of that run still work ({_processes(jobs)}); what they finish is good."
    # Shared: runs that make different files may work side by side.
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return RunLock(message)


def runs_in(folder: Path) -> list[int]:
    """Returns the other processes of Snakemake that are seen to work in a folder."""
    return _at_work(folder, _is_run)


def _is_run(words: list[str]) -> bool:
    return any(Path(word).name == "snakemake" for word in words[:4])


def _is_job(words: list[str]) -> bool:
    return any(word.startswith("emergent.cli.") for word in words[:4])


def _at_work(folder: Path, chosen: Callable[[list[str]], bool]) -> list[int]:
    folder = folder.resolve()
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and chosen(process.cmdline()) and Path(process.cwd()) == folder:
                found.append(process.pid)
        except (psutil.Error, OSError):
            # Gone meanwhile, or another user's, whose lock is seen all the same.
            continue
    return sorted(found)


def _processes(numbers: list[int]) -> str:
    return ("process " if len(numbers) == 1 else "processes ") + ", ".join(map(str, numbers))


def _boot() -> str:
    """Returns what names this start of the machine's system, also in containers; empty where that is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _signature(descriptor: int) -> dict[str, str]:
    """Returns which machine the last run was on, and its start; empty where there was none."""
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
