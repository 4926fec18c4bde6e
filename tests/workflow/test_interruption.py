"""A killed run: what was finished stays, what was not is computed, and the result is that of an undisturbed run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from tiny_project import Project, clean_environment, planned_jobs

SUMMARY = "results/smoke/ising/summary.h5"
BLOCKS = [f"results/smoke/ising/train/mlp_8/members_{block}.h5" for block in ("0000-0001", "0002-0003")]
LOGS = [f"results/smoke/ising/logs/train_mlp_8_{block}.log" for block in ("0000-0001", "0002-0003")]

# Put where Python looks for it at its start: kills a job at the worst moment, when its output is written under a
# temporary name but not yet renamed. Training dies so at its block, evaluation at the file beside its block.
DYING_WRITER = """
import os, signal, sys
rename = os.replace
def replace(source, target, **options):
    ending = {"emergent.cli.train": ".h5", "emergent.cli.evaluate": ".provenance.json"}
    verb = next((word for word in sys.orig_argv if word in ending), None)
    if verb and str(target).endswith(ending[verb]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(source, target, **options)
os.replace = replace
"""


def kill_while_training(project: Project) -> None:
    """Starts a run and kills all of it when one block is there and the other one is being trained."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *BLOCKS]
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        logs = [project.folder / log for log in LOGS]
        deadline = time.monotonic() + 300
        while not all(log.exists() and "%|" in log.read_text() for log in logs):
            assert run.poll() is None and time.monotonic() < deadline, "the run ended before it could be killed"
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
    while any(_works_in(process, project.folder) for process in psutil.process_iter()):
        assert time.monotonic() < deadline, "a job outlived the run"
        time.sleep(0.05)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder.resolve() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def existing(project: Project) -> set[str]:
    return {block for block in BLOCKS if (project.folder / block).exists()}


def leftovers(project: Project) -> list[Path]:
    return sorted(project.folder.glob("results/**/*.partial"))


def test_killed_runs_lose_only_what_was_unfinished(finished: Project, complete_run: Project) -> None:
    experiment = finished.folder / "results/smoke/ising"
    for name in ("train", "evaluate", "logs"):
        shutil.rmtree(experiment / name)
    for path in experiment.glob("summary.h5*"):
        path.unlink()

    kill_while_training(finished)
    assert len(existing(finished)) == 1, "killed too late or too early"
    (done,) = existing(finished)
    (lost,) = {*BLOCKS} - {done}
    written = (finished.folder / done).stat().st_mtime_ns
    assert finished.content(done) == complete_run.content(done)

    # A second disaster: the jobs die while they write, the run itself survives.
    writer = finished.folder / "src/sitecustomize.py"
    writer.write_text(DYING_WRITER)
    died = finished.snakemake("--rerun-incomplete", "--keep-going", SUMMARY)
    writer.unlink()
    assert died.returncode != 0
    # Snakemake keeps a folder locked when it had no chance to unlock it.
    assert died.stdout.count("The last run in this folder was killed and no run is at work there now") == 1
    assert existing(finished) == {done}
    assert len(leftovers(finished)) == 2, "each writer was to leave half a file"

    jobs = planned_jobs(finished.build("--rerun-incomplete", SUMMARY))
    assert {job.outputs[0] for job in jobs if job.rule == "train"} == {lost}
    assert {job.rule for job in jobs} == {"train", "evaluate", "summarise"}
    assert (finished.folder / done).stat().st_mtime_ns == written
    assert not leftovers(finished)
    for file in [*BLOCKS, SUMMARY]:
        assert finished.content(file) == complete_run.content(file), file
