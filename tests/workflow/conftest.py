"""Fixtures: the tiny pipeline before and after a complete run. All test processes share one complete run."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from disturbing import LEARNING_RATE, without_training
from tiny_project import ROOT, Project, make_project

CRATE = "results/smoke/emergent-smoke.crate.zip"


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of this run of the tests, the same for all of its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The pipeline with nothing computed."""
    return make_project(tmp_path / "project")


def shared_run(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    run: Callable[[Path], subprocess.CompletedProcess[str]],
) -> Project:
    """Returns a run that no test may change; made by the first process that asks, while others wait."""
    folder = shared_folder(tmp_path_factory) / name
    verdict = folder.with_suffix(".json")
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not verdict.exists():
            verdict.write_text(json.dumps({"returncode": None, "output": f"{name} was given up before its end"}))
            done = run(folder)
            verdict.write_text(json.dumps({"returncode": done.returncode, "output": done.stdout}))
    result = json.loads(verdict.read_text())
    assert result["returncode"] == 0, result["output"]
    return Project(folder)


@pytest.fixture(scope="session")
def complete_run(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A complete run that no test may change."""
    return shared_run(tmp_path_factory, "complete_run", lambda folder: make_project(folder).snakemake(cores=2))


@pytest.fixture(scope="session")
def edited_run(complete_run: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An undisturbed run of one experiment after ``LEARNING_RATE``, from prepared data on; no test may change it."""

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        project = without_training(complete_run.copy(folder))
        project.edit(*LEARNING_RATE)
        return project.snakemake("results/smoke/fashion_mnist/summary.h5")

    return shared_run(tmp_path_factory, "edited_run", run)


@pytest.fixture(scope="session")
def crate(complete_run: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a complete run."""
    project = complete_run.copy(tmp_path_factory.mktemp("crate") / "project")
    shutil.copy2(ROOT / "CITATION.cff", project.folder)
    done = project.shell(f"python -m emergent.cli.crate --scale smoke --output {CRATE}")
    assert done.returncode == 0, done.stdout
    return project.folder / CRATE


@pytest.fixture
def finished(complete_run: Project, tmp_path: Path) -> Project:
    """A copy of a complete run, to be edited."""
    return complete_run.copy(tmp_path / "finished")
