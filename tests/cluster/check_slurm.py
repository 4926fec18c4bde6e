"""The profiles on a real scheduler: a Slurm cluster of two nodes on this machine. ``make test-slurm`` runs this.

Not part of ``make test``: it installs packages, needs root, and takes some minutes, most of them for Slurm to miss a
node. Named so that pytest collects it only when asked for.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from two_nodes import NODES, PARTITION, Cluster, ClusterError, cluster, install

ROOT = Path(__file__).parents[2]
SMALL = ("toy_cosine", "cross_product")
"""Experiments without downloads, of a minute each."""
MEMBERS = {"members": 20, "block": 10}
"""Two blocks of every arm: smoke scale would have one."""
# Nodes have two cores and no accounting here; the profile's own are those of a real cluster.
HERE = (
    *("--cores", "2", "--slurm-no-account", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "10"),
    *("--default-resources", f"slurm_partition={PARTITION}"),
)
SUMMARIES = [f"results/smoke/{name}/summary.h5" for name in SMALL]
PATIENCE = 900
"""Seconds that a run may take; Slurm waits for two minutes before it runs the jobs of a lost node again."""


class Project:
    """A copy of the pipeline, with nothing computed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("workflow", "config", "src"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy2(ROOT / "Snakefile", folder)

    def start(self, *arguments: str, **config: object) -> subprocess.Popen[str]:
        """Starts Snakemake as a user does; its output goes to a file."""
        settings = {"scale": "smoke", "experiments": list(SMALL), "memory_gb": 16} | MEMBERS | config
        command = [sys.executable, "-m", "snakemake", *arguments]
        command += ["--config", *(f"{key}={value}" for key, value in settings.items())]
        dropped = ("EMERGENT_", "XLA_", "OMP_", "PYTHONPATH", "SNAKEMAKE", "PYTEST_", "SLURM_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
        with open(self.folder / "output.txt", "w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
            )

    def finish(self, process: subprocess.Popen[str]) -> str:
        """Returns the output of a run, which must succeed."""
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output = (self.folder / "output.txt").read_text()
        assert code == 0, output
        return output

    def digest(self, file: str) -> str:
        """Returns the digest of a file."""
        return hashlib.sha256((self.folder / file).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster; ended, with all that runs there, also when tests fail or are interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        install()
        with cluster(tmp_path_factory.mktemp("slurm")) as running:
            yield running
    except ClusterError as error:
        pytest.fail(f"no cluster on this machine: {error}", pytrace=False)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same experiments on this machine, without Slurm."""
    project = Project(tmp_path_factory.mktemp("local"))
    project.finish(project.start("--profile", "workflow/profiles/local", "--cores", "2", *SUMMARIES))
    return {file: project.digest(file) for file in SUMMARIES}


def jobs() -> dict[str, dict[str, str]]:
    """Returns all jobs that Slurm knows, by number: what it was told and what became of it."""
    text = subprocess.run(["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, timeout=30).stdout
    found = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in text.splitlines() if line.startswith("JobId=")]
    return {job["JobId"]: job for job in found}


def wait_for(what: Callable[[], object], process: subprocess.Popen[str], seconds: int = 120) -> None:
    """Waits until something is true while a run goes on."""
    end = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, "the run ended before"
        assert time.monotonic() < end, f"waited for {seconds} s"
        time.sleep(0.5)


def test_results_are_those_of_a_local_run(slurm: Cluster, local: dict[str, str], tmp_path: Path) -> None:
    """To the bit; small experiments are one job each, and logs are where the documentation says."""
    project = Project(tmp_path / "project")
    before = jobs()
    output = project.finish(project.start("--workflow-profile", "workflow/profiles/slurm", *HERE))
    assert {file: project.digest(file) for file in SUMMARIES} == local
    comments = [job["Comment"] for number, job in jobs().items() if number not in before]
    # Data, one for each experiment, figures.
    assert len(comments) == 4, output
    assert (project.folder / "figures/smoke/gerken_kessel/toy_cosine.pdf").exists()
    assert (project.folder / "results/smoke/toy_cosine/logs/train_mlp_0010-0019.log").exists()


def test_a_failed_job_asks_for_more_memory_and_a_gpu_job_for_one_gpu(slurm: Cluster, tmp_path: Path) -> None:
    """Slurm itself is asked: the second attempt is a new job of twice the memory and time."""
    project = Project(tmp_path / "project")
    before = jobs()
    target = "results/smoke/toy_cosine/train/mlp/members_0000-0009.h5"
    process = project.start("--workflow-profile", "workflow/profiles/slurm", target, *HERE, accelerator=True)

    def training() -> list[dict[str, str]]:
        new = [job for number, job in jobs().items() if number not in before]
        return [job for job in new if "toy_cosine" in job["Comment"]]

    wait_for(lambda: training() and training()[0]["JobState"] == "RUNNING", process)
    first = training()[0]
    subprocess.run(["scancel", first["JobId"]], check=True, timeout=30)
    project.finish(process)
    _, second = training()
    assert (first["JobId"], second["JobState"]) != (second["JobId"], "CANCELLED")
    assert megabytes(second) == 2 * megabytes(first)
    assert minutes(second) == 2 * minutes(first)
    assert first["TresPerJob"] == second["TresPerJob"] == "gres:gpu:1"
    assert (project.folder / target).exists()


def test_the_generic_profile_gives_the_same(slurm: Cluster, local: dict[str, str], tmp_path: Path) -> None:
    """Through sbatch itself, without the plugin for Slurm."""
    project = Project(tmp_path / "project")
    target = "results/smoke/cross_product/summary.h5"
    arguments = ("--cores", "2", "--latency-wait", "10", target)
    project.finish(project.start("--workflow-profile", "workflow/profiles/generic", *arguments))
    assert project.digest(target) == local[target]
    assert list((project.folder / "results/cluster").glob("*.log"))


def test_a_node_vanishes(slurm: Cluster, local: dict[str, str], tmp_path: Path) -> None:
    """With the job that runs there: the run finishes on the other node, and nothing differs. Last: it stays down."""
    project = Project(tmp_path / "project")
    stays, lost = NODES
    slurm.keep_free(stays, True)
    target = "results/smoke/cross_product/summary.h5"
    process = project.start("--workflow-profile", "workflow/profiles/slurm", target, *HERE)
    wait_for(lambda: list(project.folder.glob("results/smoke/cross_product/logs/train_*.log")), process)
    (number,) = slurm.running(lost)
    slurm.kill(lost)
    slurm.keep_free(stays, False)
    project.finish(process)
    assert project.digest(target) == local[target]
    job = jobs()[number]
    assert (job["JobState"], job["NodeList"], job["Restarts"]) == ("COMPLETED", stays, "1")
    assert "down" in slurm.state(lost)


def megabytes(job: dict[str, str]) -> float:
    """Returns the memory that a job asked for."""
    amount, unit = re.fullmatch(r"([\d.]+)([MGT])", job["MinMemoryNode"]).groups()  # type: ignore[union-attr]
    return float(amount) * {"M": 1, "G": 1024, "T": 1024**2}[unit]


def minutes(job: dict[str, str]) -> int:
    """Returns the time that a job asked for."""
    days, _, clock = job["TimeLimit"].rpartition("-")
    hours, rest, _ = (int(part) for part in clock.split(":"))
    return 60 * (24 * int(days or 0) + hours) + rest
