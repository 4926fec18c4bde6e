"""What happens to a run, one fault at a time: docs/faults.md lists them all, those of single parts too.

After each: a clear line, nothing half-written, nothing finished lost, and results that are to the bit those of an
undisturbed run.
"""

import os
import re
import time
from pathlib import Path

import pytest
from disturbing import (
    DIE,
    DIE_AT_THE_FOURTH,
    LEARNING_RATE,
    WAIT,
    at_work,
    partials,
    remove,
    running,
    stopping,
    wait_for,
    with_mounts,
    without_training,
)
from tiny_project import Project, planned_jobs

PROFILE = ("--profile", "workflow/profiles/local")
SUMMARY = "results/smoke/fashion_mnist/summary.h5"
BLOCK = "results/smoke/fashion_mnist/train/cnn_c4/members_0000-0003.h5"
EVALUATED = BLOCK.replace("/train/", "/evaluate/")
FIGURE = "figures/smoke/gerken_kessel/fashion_mnist_osp"
TILED = "train/cnn/members_0000-0000.h5"
YEAR = 365 * 24 * 3600
FORMATS = ("pdf", "svg", "png", "csv", "txt")


def same(project: Project, undisturbed: Project, *files: str) -> bool:
    return all(project.content(file) == undisturbed.content(file) for file in files)


@pytest.fixture
def untrained(finished: Project) -> Project:
    """A complete run but for one experiment, whose data and configuration are there."""
    return without_training(finished)


def test_two_runs_in_one_folder(untrained: Project, complete_run: Project) -> None:
    """The second one says who is at work and changes nothing; the first one goes on."""
    with stopping(untrained, "train", ".h5", WAIT) as gate, running(untrained, BLOCK) as first:
        wait_for(lambda: partials(untrained))
        second = untrained.snakemake(*PROFILE, BLOCK)
        assert second.returncode == 1
        assert f"error: another run (process {first.pid}) makes files of this one in this folder." in second.stdout
        assert "unlock" not in second.stdout and "Traceback" not in second.stdout
        # Looking is allowed.
        assert {job.rule for job in untrained.plan(SUMMARY)} == {"train", "evaluate", "summarise"}
        assert len(partials(untrained)) == 1
        gate.unlink()
        assert first.wait(120) == 0, (untrained.folder / "background.log").read_text()
    untrained.build(*PROFILE, SUMMARY)
    assert same(untrained, complete_run, BLOCK, SUMMARY)
    assert not partials(untrained)


def test_snakemake_is_killed_and_its_job_lives_on(untrained: Project, complete_run: Project) -> None:
    """The next run unlocks the folder, says so in a line, and the job of the killed one does no harm."""
    with stopping(untrained, "train", ".h5", WAIT) as gate, running(untrained, SUMMARY) as run:
        wait_for(lambda: partials(untrained))
        run.kill()
        run.wait()
        jobs = {process.pid for process in at_work(untrained) if "emergent.cli.train" in process.cmdline()}
        assert len(jobs) == 1
        with running(untrained, SUMMARY) as again:
            log = untrained.folder / "background.log"
            wait_for(lambda: len(partials(untrained)) == 2)
            gate.unlink()
            assert again.wait(120) == 0, log.read_text()
        wait_for(lambda: not jobs & {process.pid for process in at_work(untrained)})
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("The last run")]
    assert line == (
        "The last run in this folder was killed and no run is at work there now: it is unlocked. "
        f"Jobs of that run still work (process {jobs.pop()}); what they finish is good."
    )
    assert same(untrained, complete_run, BLOCK, EVALUATED, SUMMARY)
    assert not partials(untrained)


def test_a_figure_job_is_killed(finished: Project, complete_run: Project) -> None:
    """In the middle of its five files: none is half-written, and the next run makes them all."""
    remove(finished, f"{FIGURE}.*")
    with stopping(finished, "figure", ".png", DIE):
        died = finished.snakemake(*PROFILE, f"{FIGURE}.pdf")
    assert died.returncode != 0
    assert f"failed: figure {FIGURE}.pdf: was killed (SIGKILL, by hand or because memory ran out). Run" in died.stdout
    for suffix in FORMATS:
        path = finished.folder / f"{FIGURE}.{suffix}"
        assert not path.exists() or path.read_bytes() == complete_run.content(f"{FIGURE}.{suffix}")
    finished.build(*PROFILE, f"{FIGURE}.pdf")
    assert same(finished, complete_run, *(f"{FIGURE}.{suffix}" for suffix in FORMATS))
    assert not partials(finished)


KERNELS = """
experiment: kernel_fashion_mnist
kind: kernel_regression
paper: misof
title: tiny kernel regression
seed: 3
data: {domain: images, shape: [8, 8, 1], scaling: standardise, train: {dataset: digits, split: train, num: 40}}
arms:
  cnn:
    model: {family: cnn, layers: [{channels: 2}], readout: mean, num_outputs: 10, parametrisation: ntk}
splits: {train: [12], validation: 4, test: 8}
tile_size: 6
regularisers: [0.1]
members: {num: 1, block: 1}
scales: {smoke: {}, laptop: {}, paper: {}}
assumed: []
"""


def test_a_job_is_killed_as_it_writes_a_tile(finished: Project) -> None:
    """Of a Gram matrix: what goes on reads the finished ones, and gives what one gives that was never killed."""
    (finished.folder / "config/experiments/kernel_fashion_mnist.yaml").write_text(KERNELS)
    summary, block = (f"results/smoke/kernel_fashion_mnist/{name}" for name in ("summary.h5", TILED))
    with stopping(finished, "train_kernel_regression", ".h5", DIE_AT_THE_FOURTH):
        died = finished.snakemake(*PROFILE, summary)
    assert died.returncode != 0
    assert f"failed: train {block}: was killed (SIGKILL, by hand or because memory ran out). Run" in died.stdout
    tiles = (finished.folder / block).with_suffix(".tiles")
    assert len(list(tiles.glob("*.h5"))) == 3 and len(partials(finished)) == 1
    finished.build(*PROFILE, summary)
    assert "; 3 tiles of an earlier run are there" in finished.log(block)
    assert not tiles.exists() and not partials(finished)
    resumed = {file: finished.content(file) for file in (block, summary)}
    remove(finished, f"{block}*", f"{summary}*", block.replace("members_", "resume_"))
    finished.build(*PROFILE, summary)
    assert "tiles of an earlier run" not in finished.log(block)
    assert resumed == {file: finished.content(file) for file in (block, summary)}


def test_config_is_edited_while_running(untrained: Project, complete_run: Project, edited_run: Project) -> None:
    """A run keeps the configuration that it began with; the next one makes anew what the edit concerns."""
    with stopping(untrained, "train", ".h5", WAIT) as gate, running(untrained, BLOCK) as run:
        wait_for(lambda: partials(untrained))
        untrained.edit(*LEARNING_RATE)
        registry = untrained.folder / "config/datasets.yaml"
        whole = registry.read_text()
        registry.write_text(whole[: len(whole) // 2])  # an editor in the middle of saving
        gate.unlink()
        assert run.wait(120) == 0, (untrained.folder / "background.log").read_text()
    registry.write_text(whole)
    assert same(untrained, complete_run, BLOCK)
    assert {job.rule for job in untrained.plan(SUMMARY)} == {"arm_config", "train", "evaluate", "summarise"}
    untrained.build(*PROFILE, SUMMARY)
    assert same(untrained, edited_run, BLOCK, SUMMARY)


FULL_DISK = """
mount -t tmpfs -o size=24m tmpfs "$1"
cp -a "$2" "$1/project" && cd "$1/project"
find src -name '*.pyc' -delete
free=$(df --output=avail -B1 . | tail -1)
head -c $((free - 40960)) /dev/zero > filler
for attempt in full free; do
  echo "== $attempt"
  python -m snakemake --profile workflow/profiles/local --cores 1 "$3" 2>&1 || true
  find results \\( -name '*.partial' -o -path '*fashion_mnist/[te]*.h5' \\)
  rm -f filler
done
cp "$3" "$2/from_full_disk.h5"
"""


def test_full_disk(untrained: Project, complete_run: Project, tmp_path: Path) -> None:
    """One line says so. When there is space again the run goes on, also where Python could not keep its bytecode."""
    (tmp_path / "disk").mkdir()
    done = with_mounts(FULL_DISK, str(tmp_path / "disk"), str(untrained.folder), SUMMARY)
    full, _, free = done.stdout.partition("== free")
    assert done.returncode == 0, done.stdout
    assert f"failed: train {BLOCK}: the disk is full. Free some space and run again; nothing was lost.\n" in full
    assert "Traceback" not in done.stdout
    # Nothing under a final name, no leftovers.
    assert not re.findall(r"^results/.*", full, flags=re.MULTILINE)
    assert f"\n{BLOCK}\n" in free and ".partial" not in free
    assert same(untrained, complete_run, "results/datasets/digits/prepared.h5")
    assert untrained.content("from_full_disk.h5") == complete_run.content(SUMMARY)


READ_ONLY = """
cd "$1"
mount --bind results results
mount -o remount,bind,ro results
for target in "$2" "$3" "$4"; do
  echo "== $target"
  python -m snakemake --profile workflow/profiles/local --cores 1 "$target" 2>&1 || echo "status $?"
done
"""


def test_read_only_results(finished: Project, complete_run: Project) -> None:
    """What is finished can be looked at; what has to be made or replaced is refused in one line before any job."""
    remove(finished, SUMMARY, f"{EVALUATED}*")
    new = "results/laptop/fashion_mnist/config/summary.json"
    done = with_mounts(READ_ONLY, str(finished.folder), "results/smoke/ising/summary.h5", SUMMARY, new)
    there, replaced, made = done.stdout.split("== ")[1:]
    assert "Nothing to be done" in there
    for output, path in ((replaced, SUMMARY), (made, new)):
        (message,) = re.findall(r"^error: (.*)$", output, flags=re.MULTILINE)
        assert message.startswith((path, str(Path(path).parent), str(Path(EVALUATED).parent))), message
        assert "this user may not write there (read-only). Change the permissions of " in message
        assert "status 1" in output and "Traceback" not in output and "rule summarise:" not in output
    # Outside, they may be written.
    finished.build(*PROFILE, SUMMARY)
    assert same(finished, complete_run, EVALUATED, SUMMARY)


def test_a_clock_that_was_ahead(finished: Project, edited_run: Project) -> None:
    """All results are dated in the next year; then training runs again and is killed before the evaluation follows."""
    future = time.time() + YEAR
    for path in finished.folder.glob("results/**/*.*"):
        os.utime(path, (future, future))
    assert "were dated in the future: a clock was wrong" in (said := finished.build("--dry-run"))
    assert "Nothing to be done" in said
    finished.edit(*LEARNING_RATE)
    finished.build(*PROFILE, BLOCK)
    # By its time alone: nothing else tells Snakemake, after the end of that run, that the block is another one.
    assert {job.rule for job in finished.plan(SUMMARY)} >= {"evaluate", "summarise"}
    finished.build(*PROFILE, SUMMARY)
    assert same(finished, edited_run, BLOCK, EVALUATED, SUMMARY)


def test_a_clock_that_was_set_back(finished: Project, edited_run: Project) -> None:
    """While a run goes on: what it trains is dated in the last year, and it is killed before the evaluation follows."""
    finished.edit(*LEARNING_RATE)
    finished.build(*PROFILE, BLOCK)
    past = time.time() - YEAR
    for path in (finished.folder / BLOCK).parent.iterdir():
        os.utime(path, (past, past))
    said = finished.build("--dry-run", SUMMARY)
    assert f"\n{EVALUATED}: made of files that have another content today, though an older time: a clock" in f"\n{said}"
    assert {job.rule for job in planned_jobs(said)} == {"evaluate", "summarise"}
    finished.build(*PROFILE, SUMMARY)
    assert same(finished, edited_run, BLOCK, EVALUATED, SUMMARY)
    assert "another content today" not in finished.build("--dry-run", SUMMARY)


@pytest.mark.parametrize("shift", [-YEAR, YEAR], ids=["last year", "next year"])
def test_times_of_sources_and_data_changed(finished: Project, shift: int) -> None:
    """By a pull, a copy or a clock: content counts."""
    when = time.time() + shift
    for top in ("src", "workflow", "config", "results/datasets"):
        for path in (finished.folder / top).rglob("*"):
            os.utime(path, (when, when))
    jobs = finished.plan()
    assert not jobs, [str(job) for job in jobs]
