"""A copy of the whole pipeline with experiments so small that it runs in seconds, and how tests drive it.

Code, rules, figures and claims are the real ones; only experiments and data sets are replaced, under the same names, so
that every figure of theirs is drawn.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

DATASETS = """
datasets:
  spins:
    title: spins
    module: ising
    options:
      {lattice_size: 4, boundary: periodic, beta: 0.0, coupling: 1.0, label_scale: 1.0, num_train: 8, num_test: 8,
       num_ood: 8, distinct: true, full_orbits: true, num_sweeps: 1, seed: 0}
    licence: none
    citation: none
    splits: {train: 8, test: 8, ood: 8}
    stand_in_for: null
    notes: null
  digits:
    title: handwritten digits
    module: digits
    options: {num_test: 360, seed: 0}
    licence: CC BY 4.0
    citation: none
    splits: {train: 1437, test: 360}
    stand_in_for: Fashion-MNIST
    notes: null
  fields:
    title: Gaussian fields
    module: gaussian_fields
    options: {height: 8, width: 8, channels: 1, num: 16, block: 5, scale: [0.0, 1.0], seed: 0}
    licence: none
    citation: none
    splits: {test: 16}
    stand_in_for: null
    notes: null
  remote:
    title: a set behind addresses that nobody answers
    module: mnist
    options: {}
    files:
      - name: images.gz
        bytes: 5
        sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  # of "hello"
        urls: ["https://127.0.0.1:9/images.gz"]
        mirror: remote-files/images.gz
      - name: labels.gz
        bytes: 5
        sha256: 486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7  # of "world"
        urls: ["https://127.0.0.1:9/labels.gz"]
        mirror: remote-files/labels.gz
    licence: none
    citation: none
    splits: {train: 1, test: 1}
    stand_in_for: null
    notes: null
"""

ISING = """
experiment: ising
kind: orbit_spread
paper: gerken_kessel
title: tiny Ising
seed: 1

data:
  domain: images
  shape: [4, 4, 1]
  scaling: none
  outputs: pixels
  train: {dataset: spins, split: train}
  evaluate:
    train: {dataset: spins, split: train, role: train, primary: true}
    test: {dataset: spins, split: test, role: in, primary: true}
    ood: {dataset: spins, split: ood, role: ood, primary: true}

arms:
  mlp_8:
    model: {family: mlp, width: 8, num_outputs: 16}
    augmentation: {group: C4, mode: full}
    infinite_width: {tile_size: 8, readings: [spins]}

train:
  loss: mse
  optimiser: sgd
  learning_rate: 0.5
  batch_size: null
  num_epochs: 3
  checkpoint_every: null

evaluate:
  member_metrics: [orbit_std, mean_output]
  energy_scale: mean_absolute
  ensemble_sizes: [2, 4]
  max_ensembles: 2
  batch_size: 32

members: {num: 4, block: 2}

scales: {smoke: {}, laptop: {}, paper: {}}

assumed:
  - key: train.learning_rate
    reason: The rate is not published.
"""

FASHION_MNIST = """
experiment: fashion_mnist
kind: orbit_same_prediction
paper: gerken_kessel
title: tiny orbit same prediction
seed: 2

data:
  domain: images
  shape: [8, 8, 1]
  scaling: standardise
  train: {dataset: digits, split: train, num: 32}
  evaluate:
    digits: {dataset: digits, split: test, num: 16, role: in, primary: true}
    fields: {dataset: fields, split: test, num: 16, role: ood, primary: true}
    digits_so2: {dataset: digits, split: test, num: 8, role: in, rotations: {group: SO2, num: 2}}

arms:
  cnn_c4:
    model:
      family: cnn
      layers: [{channels: 2, stride: 2}]
      readout: flatten
      num_outputs: 10
    augmentation: {group: C4, mode: random}

train:
  loss: cross_entropy
  optimiser: adam
  learning_rate: 0.001
  batch_size: 16
  num_epochs: 1
  checkpoint_every: 1

evaluate:
  member_metrics: [orbit_same_predictions, correct]
  ensemble_sizes: [2, 4]
  max_ensembles: 2
  reference_ensemble_size: 2

members: {num: 4, block: 4}

scales: {smoke: {}, laptop: {}, paper: {}}

assumed:
  - key: train.optimiser
    reason: The optimiser is not published.
"""


@dataclass(frozen=True)
class Job:
    """One job of a dry run."""

    rule: str
    outputs: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.outputs[0] if self.outputs else ''} ({self.reason})"


@dataclass(frozen=True)
class Project:
    """A folder with the pipeline in it."""

    folder: Path

    def snakemake(self, *arguments: str, cores: int = 2, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs Snakemake as a user does; stdout and stderr come back together in ``stdout``."""
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return self._run(command, environment)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Runs a line as in a terminal where the environment is active and the package installed."""
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return self._run(["bash", "-c", line], {"PATH": path, "PYTHONPATH": str(self.folder / "src")})

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=clean_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    def build(self, *arguments: str, cores: int = 2, **environment: str) -> str:
        """Runs Snakemake, which must succeed, and returns its output."""
        done = self.snakemake(*arguments, cores=cores, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def plan(self, *arguments: str) -> list[Job]:
        """Returns the jobs that a dry run lists, without the target rules."""
        return planned_jobs(self.build("--dry-run", *arguments, cores=1))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces text that must occur exactly once."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file}: expected once, found {text.count(old)} times: {old!r}"
        path.write_text(text.replace(old, new))

    def copy(self, folder: Path) -> "Project":
        """Returns a copy with all times of change kept, so that Snakemake sees the same finished results."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def log(self, block: str) -> str:
        """Returns the log of the job that made a block of members."""
        path = Path(block)
        name = f"{path.parts[-3]}_{path.parts[-2]}_{path.stem.removeprefix('members_')}.log"
        return (self.folder / path.parents[2] / "logs" / name).read_text()

    def content(self, file: str) -> bytes:
        """Returns the bytes of a file."""
        return (self.folder / file).read_bytes()


def make_project(folder: Path) -> Project:
    """Returns a new copy of the pipeline with the tiny experiments, nothing computed."""
    folder.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "experiments", "datasets.yaml")
    for name in ("workflow", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy2(ROOT / "Snakefile", folder)
    files = {"datasets": DATASETS, "experiments/ising": ISING, "experiments/fashion_mnist": FASHION_MNIST}
    (folder / "config/experiments").mkdir()
    for name, text in files.items():
        (folder / f"config/{name}.yaml").write_text(text)
    (folder / "config/config.yaml").write_text(
        "scale: smoke\nexperiments: [ising, fashion_mnist]\nfigures: null\nmirror: null\nmemory_gb: 8\n"
    )
    return Project(folder)


def clean_environment() -> dict[str, str]:
    """Returns this process's environment without what a test runner or user sets for the pipeline."""
    dropped = ("EMERGENT_", "XLA_", "OMP_", "PYTHONPATH", "SNAKEMAKE", "PYTEST_")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}


def planned_jobs(text: str) -> list[Job]:
    """Returns the jobs in the output of a dry run."""
    jobs = []
    # Jobs that a cluster would run together are indented.
    for block in re.split(r"^ *(?=(?:local)?rule \w+:$)", text, flags=re.MULTILINE)[1:]:
        found = re.match(r"(?:local)?rule (\w+):", block)
        assert found is not None
        fields = dict(re.findall(r"^ +(\w+): (.*)$", block, re.MULTILINE))
        if found[1] not in ("all", "default"):
            jobs.append(Job(found[1], tuple(fields.get("output", "").split(", ")), fields.get("reason", "")))
    return jobs
