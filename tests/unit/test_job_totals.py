"""Rates from finished jobs, and what the jobs of a run add up to."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.cli.plan import run_settings
from emergent.config.throughput import Rate, read_throughput
from emergent.errors import ConfigError
from emergent.estimates.jobs import Estimates
from emergent.estimates.measured import Measured, as_yaml, fitted, measured_jobs, with_measured
from emergent.estimates.totals import (
    Job,
    RuleTotals,
    all_jobs,
    by_experiment,
    seconds_of_job,
    table,
    totals,
    wall_seconds,
)
from emergent.pages.committed import read_runs
from emergent.pages.job_times import read_job_times, settings_digest
from emergent.plan import Plan
from emergent.provenance import sidecar_path
from emergent.runs.progress import duration
from emergent.storage import Array

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
TRAIN = Job("train", "results/smoke/toy_cosine/train/mlp/members_0000-0019.h5", "smoke", "toy_cosine", "mlp")


def estimates(folder: Path, *names: str, **run: object) -> Estimates:
    config = {"scale": "smoke", "experiments": list(names)} | run
    return Estimates(Plan(config, CONFIG), read_throughput(CONFIG / "throughput.yaml"), folder, "code")


def measured(amount: float, seconds: float, key: str = "train mlp") -> Measured:
    return Measured(TRAIN, key, amount, seconds, 0)


def test_start_and_rate_are_told_apart() -> None:
    """Jobs of 3 s and of 2e9 a second; small ones differ by what others had compiled before."""
    jobs = [measured(amount, 3 + noise + amount / 2e9) for amount, noise in ((1e6, 0), (1e7, 1), (2e7, -1), (2e11, 0))]
    rate = fitted(jobs)["train mlp"]
    assert rate.start == pytest.approx(3, abs=0.2)
    assert rate.per_second == pytest.approx(2e9, rel=0.02)
    assert rate.jobs == 4


def test_small_jobs_tell_no_rate() -> None:
    """Compilation differs from job to job by as much as the work of these takes, which seems ten times too slow."""
    jobs = [measured(amount, seconds) for amount, seconds in ((1e6, 1.5), (2e6, 1.8), (4e9, 4.3))]
    assert fitted(jobs)["train mlp"].per_second is None
    assert fitted([*jobs, measured(4e11, 42.0)])["train mlp"].per_second == pytest.approx(1e10, rel=0.05)


def test_jobs_that_are_all_alike() -> None:
    """Short ones are taken for their start, long ones for their work."""
    short, long = (fitted([measured(1e9, seconds), measured(1e9, seconds)])["train mlp"] for seconds in (4, 400))
    assert (short.start, short.per_second) == (4, None)
    assert (long.start, long.per_second) == (0, pytest.approx(1e9 / 400))


def test_other_verbs_are_as_much_faster_as_those_measured() -> None:
    committed = {"train mlp": Rate(start=4, per_second=1e9), "train cnn": Rate(start=8, per_second=3e9)}
    found = with_measured(committed, {"train mlp": Rate(start=1, per_second=2e9, jobs=7)})
    assert found["train mlp"] == Rate(start=1, per_second=2e9, jobs=7)
    assert found["train cnn"] == Rate(start=4, per_second=6e9)
    # Small jobs alone tell how fast a machine starts, and so roughly how fast it is.
    found = with_measured(committed, {"train mlp": Rate(start=2, jobs=7)})
    assert found["train mlp"] == Rate(start=2, per_second=2e9, jobs=7)
    assert found["train cnn"] == Rate(start=4, per_second=6e9)
    assert with_measured(committed, {}) == committed


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder with one trained block that took 12 s of a processor, and a picture that took 5 s."""
    asked = estimates(tmp_path / "memory", "toy_cosine")
    path = tmp_path / TRAIN.output
    attributes = {"config_json": asked.plan.stage_json("smoke", "toy_cosine", "train", "mlp")}
    attributes |= {"experiment": "toy_cosine", "arm": "mlp", "seed": "1", "code_fingerprint": "", "versions_json": ""}
    storage.write(path, stage="train", attributes=attributes, arrays={"x": Array(np.zeros(1), ("x",))})
    facts = {"cpu_seconds": 12.0, "wall_seconds": 40.0, "jax": {"backend": "cpu"}}
    sidecar_path(path).write_text(json.dumps(facts))
    benchmark = tmp_path / "results/smoke/benchmarks/figure_gerken_kessel_toy_cosine.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tcpu_time\n7.0\t5.0\n")
    return tmp_path


def test_finished_jobs_are_found(finished: Path) -> None:
    found = {job.job.rule: job for job in measured_jobs(estimates(finished / "memory", "toy_cosine"), finished)}
    assert set(found) == {"train", "figure"}
    assert (found["train"].key, found["train"].seconds) == ("train mlp", 12.0)
    assert found["train"].amount > 0
    assert (found["figure"].key, found["figure"].seconds) == ("figure", 5.0)


def test_a_gpu_is_timed_on_the_wall(finished: Path) -> None:
    path = sidecar_path(finished / TRAIN.output)
    path.write_text(path.read_text().replace('"cpu"}', '"gpu"}'))
    found = measured_jobs(estimates(finished / "memory", "toy_cosine"), finished)
    assert [(job.seconds, job.on_gpu) for job in found if job.job.rule == "train"] == [(40.0, True)]


def test_files_of_other_settings_tell_nothing(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = estimates(finished / "memory", "toy_cosine")
    settings = asked.plan.stage_json("smoke", "toy_cosine", "train", "mlp")
    monkeypatch.setattr(asked.plan, "stage_json", lambda *_: settings.replace("mlp", "pml"))
    assert [job.job.rule for job in measured_jobs(asked, finished)] == ["figure"]


def test_rates_are_written_as_they_are_read(tmp_path: Path) -> None:
    rates = {"train mlp": Rate(start=2.5, per_second=8e4, jobs=3), "prepare mnist": Rate(start=1, num_bytes=300)}
    path = tmp_path / "throughput.yaml"
    path.write_text(f"safety: 3\ngrouped_minutes: 30\ncpu:\n{as_yaml('one', rates)}\ngpu:\n{as_yaml('two', rates)}\n")
    found = read_throughput(path)
    assert (found.cpu.name, found.cpu.rates, found.gpu.rates) == ("one", rates, rates)


def test_totals_are_those_of_the_jobs(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "toy_cosine", "fashion_mnist_symmetrised", scale="laptop")
    jobs = list(all_jobs(asked))
    # Members of fashion_mnist, which is no part of this run, are evaluated and so trained.
    assert {job.name for job in jobs if job.rule == "train"} >= {"fashion_mnist", "toy_cosine"}
    rows = {row.rule: row for row in totals(asked)}
    assert sum(row.jobs for row in rows.values()) == len(jobs)
    train = [job for job in jobs if job.rule == "train"]
    assert rows["train"].core_seconds == pytest.approx(sum(seconds_of_job(asked, job) for job in train))
    assert rows["train"].longest == max(seconds_of_job(asked, job) for job in train)
    # Two float32 copies of nothing: the checkpoints of four epochs and the start, of three members a block.
    block = next(job for job in train if job.arm.startswith("canonicalised"))
    parameters = asked.sizes("laptop", block.name)[block.arm].parameters
    study = asked.plan.experiment("laptop", block.name)
    assert block.num_bytes == 4 * parameters * study.members_of_arm(block.arm).block * len(
        study.stage("train", block.arm).train.checkpoint_epochs()  # type: ignore[attr-defined]
    )
    assert {"digits", "mnist", "fashion_mnist"} & {job.name for job in jobs if job.rule == "prepare"}
    text = table(list(rows.values()))
    assert all(rule in text for rule in rows) and text.splitlines()[-1].startswith("all")
    assert "fashion_mnist_symmetrised" in by_experiment(asked, lambda _: True)


TABLES = [ROOT / "tests/golden/laptop_jobs.csv", *sorted(ROOT.glob("docs/data/*/jobs.csv"))]
LONG_SECONDS = 20
"""Jobs of one kind that take less are mostly imports and compilation."""


def compared(path: Path, scale: str, settings: Sequence[str], folder: Path) -> pd.DataFrame:
    """Returns measured and estimated sums by rule and experiment, of jobs of processors with today's settings."""
    table = read_job_times(path)
    asked = estimates(folder, *sorted(set(table["experiment"])), scale=scale, **run_settings(settings))
    num_bytes = {(job.rule, job.name, job.arm): job.num_bytes for job in all_jobs(asked)}
    rows = []
    for row in table[table["device"] == "cpu"].to_dict("records"):
        job = str(row["rule"]), scale, str(row["experiment"]), str(row["arm"])
        stage = {"summarise": "summary"}.get(job[0], job[0])
        try:
            today = settings_digest(asked.plan.stage_json(*job[1:3], stage, job[3] or None))
            # Experiments that train for others need not be part of the run.
            wanted = row["settings"] == today and job[0::2] + job[3:] in num_bytes
        except (ConfigError, KeyError):
            # An arm that there is no longer.
            wanted = False
        if wanted:
            mine = {"estimate": asked.seconds(*job), "estimated_bytes": num_bytes[job[0], job[2], job[3]]}
            rows.append(row | mine)
    columns = ["cpu_seconds", "estimate", "num_bytes", "estimated_bytes"]
    if not rows:
        return pd.DataFrame(columns=columns)
    return pd.DataFrame(rows).groupby(["rule", "experiment"])[columns].sum()


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_estimates_are_within_a_factor_of_two_of_a_run(path: Path, tmp_path: Path) -> None:
    """In all, and of what takes a while; of jobs whose settings are today's, or else of none.

    The first table is of jobs at laptop scale on two cores of an AMD EPYC server (fifth generation), with other
    programs beside; no committed rate was measured on cross_product and nordenfors_c4_5x5, which are in it. The others
    lie beside summaries that ``python -m emergent.cli.docs --collect`` has taken. Times are the processor's.
    """
    run = read_runs(ROOT / "docs").get(path.parent.name)
    parts = compared(path, run.scale if run else "laptop", run.settings if run else (), tmp_path)
    for part in [*parts[parts["cpu_seconds"] > LONG_SECONDS].itertuples(), parts.sum()]:
        if part.cpu_seconds > LONG_SECONDS:
            assert 0.5 < part.estimate / part.cpu_seconds < 2, part
        # Of kinds that store curves and no parameters the files are small.
        if part.estimated_bytes > 1e6:
            assert 0.5 < part.estimated_bytes / part.num_bytes < 2, part
    if run is None:
        assert parts["cpu_seconds"].sum() > 100


def test_jobs_of_other_settings_are_not_compared(tmp_path: Path) -> None:
    table = read_job_times(TABLES[0])
    table["settings"] = table["settings"].where(table["experiment"] != "cross_product", "of another time")
    table.to_csv(tmp_path / "jobs.csv", index=False)
    parts = compared(tmp_path / "jobs.csv", "laptop", (), tmp_path)
    assert "cross_product" not in set(parts.index.get_level_values("experiment"))
    table["device"] = "NVIDIA H200"
    table.to_csv(tmp_path / "jobs.csv", index=False)
    assert compared(tmp_path / "jobs.csv", "laptop", (), tmp_path).empty


def test_hours_are_those_of_gpus_where_there_are_some(tmp_path: Path) -> None:
    rows = {row.rule: row for row in totals(estimates(tmp_path, "toy_cosine", accelerator=True))}
    assert rows["train"].gpu_seconds > 0 == rows["train"].core_seconds
    assert rows["figure"].core_seconds > 0 == rows["figure"].gpu_seconds


def test_a_run_takes_its_work_or_its_longest_chain() -> None:
    rows = [RuleTotals("train", 100, 1000.0, 0.0, 10.0, 1, 0.0), RuleTotals("summarise", 1, 50.0, 0.0, 50.0, 1, 0.0)]
    assert wall_seconds(rows, 10) == pytest.approx(105)
    assert wall_seconds(rows, 1000) == 60


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h"), (200_000, "2.3 d")]
)
def test_times_are_said_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
