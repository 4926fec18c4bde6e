"""A killed run: what was finished stays, what was not is computed, and the result is that of an undisturbed run."""

import shutil

from disturbing import at_work, partials, running, wait_for
from tiny_project import Project, planned_jobs

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
    logs = [project.folder / log for log in LOGS]
    with running(project, *BLOCKS) as run:
        wait_for(lambda: all(log.exists() and "%|" in log.read_text() for log in logs))
        assert run.poll() is None, "the run ended before it could be killed"
    wait_for(lambda: not at_work(project))


def existing(project: Project) -> set[str]:
    return {block for block in BLOCKS if (project.folder / block).exists()}


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
    assert len(partials(finished)) == 2, "each writer was to leave half a file"

    jobs = planned_jobs(finished.build("--rerun-incomplete", SUMMARY))
    assert {job.outputs[0] for job in jobs if job.rule == "train"} == {lost}
    assert {job.rule for job in jobs} == {"train", "evaluate", "summarise"}
    assert (finished.folder / done).stat().st_mtime_ns == written
    assert not partials(finished)
    for file in [*BLOCKS, SUMMARY]:
        assert finished.content(file) == complete_run.content(file), file
