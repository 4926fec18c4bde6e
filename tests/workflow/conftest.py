"""Fixtures: the tiny pipeline before and after a complete run. All test processes share one complete run."""

import fcntl
import json
import os
from pathlib import Path

import pytest
from tiny_project import Project, make_project


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of this run of the tests, the same for all of its processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The pipeline with nothing computed."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def complete_run(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A complete run that no test may change; made by the first process that asks, while others wait."""
    folder = shared_folder(tmp_path_factory) / "complete_run"
    verdict = folder.with_suffix(".json")
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not verdict.exists():
            verdict.write_text(
                json.dumps({"returncode": None, "output": "the complete run was given up before its end"})
            )
            done = make_project(folder).snakemake(cores=2)
            verdict.write_text(json.dumps({"returncode": done.returncode, "output": done.stdout}))
    result = json.loads(verdict.read_text())
    assert result["returncode"] == 0, result["output"]
    return Project(folder)


@pytest.fixture
def finished(complete_run: Project, tmp_path: Path) -> Project:
    """A copy of a complete run, to be edited."""
    return complete_run.copy(tmp_path / "finished")
