"""Rates from jobs that have finished on this machine: from the provenance of their files and Snakemake's benchmarks.

Of jobs on a processor the processor's own time is taken, which other programs beside do not lengthen; of jobs on a GPU
the time on the wall. Files of other settings than today's are left out.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import geometric_mean, median
from typing import NamedTuple

from emergent import storage
from emergent.config.throughput import Hardware, Rate
from emergent.errors import DataError
from emergent.estimates.jobs import Estimates
from emergent.estimates.totals import Job, all_jobs
from emergent.provenance import sidecar_path

# A job tells the start where its work takes less than this part of its time, and the rate where it has more than this
# part of the work of the largest, and takes so many times as long as the start.
LITTLE, MUCH, LONG = 1 / 3, 1 / 30, 1.5
WORK_SECONDS = 5
"""Seconds beside its start that a job must take to tell the rate: starts of one kind differ by a second or two."""
LONG_SECONDS = 30
"""What takes so long is not imports and compilation alone."""
BENCHMARKS = {
    "prepare": "results/datasets/{name}/benchmarks/prepare.tsv",
    "figure": "results/{scale}/benchmarks/figure_{paper}_{name}.tsv",
    "table": "results/{scale}/benchmarks/table_{paper}_{name}.tsv",
}


class Measured(NamedTuple):
    """A finished job.

    Attributes:
        job: which one.
        key: row of ``config/throughput.yaml``.
        amount: of its work.
        seconds: that it took.
        num_bytes: of its output.
        on_gpu: where it ran.
    """

    job: Job
    key: str
    amount: float
    seconds: float
    num_bytes: int
    on_gpu: bool = False


def measured_jobs(asked: Estimates, root: Path) -> list[Measured]:
    """Returns the finished jobs of a run, among all that it has.

    Args:
        asked: estimates for the run.
        root: folder in which ``results`` lies.
    """
    found = []
    for job in all_jobs(asked):
        taken = _seconds(asked, job, root)
        if taken is not None:
            seconds, on_gpu = taken
            amount = asked.work(job.rule, job.scale, job.name, job.arm).amount if job.has_work else 0.0
            key = asked.work(job.rule, job.scale, job.name, job.arm).key if job.has_work else job.rule
            path = root / job.output
            num_bytes = path.stat().st_size if path.exists() else 0
            found.append(Measured(job, key, amount, seconds, num_bytes, on_gpu))
    return found


def _seconds(asked: Estimates, job: Job, root: Path) -> tuple[float, bool] | None:
    """Returns how long a job took and whether on a GPU, or None where it has not been run with today's settings."""
    if job.rule in BENCHMARKS:
        paper = "" if job.rule == "prepare" else asked.plan.figures[job.name].paper
        path = root / BENCHMARKS[job.rule].format(scale=job.scale, name=job.name, paper=paper)
        if not path.exists():
            return None
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        return (_processor_seconds(rows[0]), False) if rows else None
    path = root / job.output
    if not job.has_work or not path.exists() or not sidecar_path(path).exists():
        return None
    stage = {"summarise": "summary"}.get(job.rule, job.rule)
    wanted = asked.plan.stage_json(job.scale, job.name, stage, job.arm or None)
    try:
        if storage.read_attributes(path)["config_json"] != wanted:
            return None
    except (DataError, KeyError):
        return None
    facts = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    on_gpu = (facts["jax"] or {}).get("backend", "cpu") != "cpu"
    return (facts["wall_seconds"] if on_gpu else facts["cpu_seconds"]), on_gpu


def _processor_seconds(row: Mapping[str, str]) -> float:
    """Returns the processor's time of a benchmark, or the time on the wall of jobs too short to be looked at often."""
    seconds, wall = float(row["cpu_time"]), float(row["s"])
    return seconds if seconds > 1 else wall


def fitted(jobs: Iterable[Measured]) -> dict[str, Rate]:
    """Returns start and rate of every kind of job that was measured.

    The start is the median of jobs whose work is little at the pace of the largest one, the rate the geometric mean of
    those with much work: networks of one family are not equally fast, and it is as far from the slowest as from the
    fastest. Where all jobs are alike the two cannot be told apart: short jobs are all start, long ones all work.
    """
    by_key: dict[str, list[Measured]] = defaultdict(list)
    for job in jobs:
        by_key[job.key].append(job)
    rates = {}
    for key, own in sorted(by_key.items()):
        start, speed = _start_and_speed(own)
        size = None
        if key.startswith("prepare") and (amount := sum(job.amount for job in own)):
            size = _rounded(sum(job.num_bytes for job in own) / amount)
        rates[key] = Rate(start=_rounded(start), per_second=speed and _rounded(speed), num_bytes=size, jobs=len(own))
    return rates


def _start_and_speed(jobs: list[Measured]) -> tuple[float, float | None]:
    largest = max(jobs, key=lambda job: job.amount)
    if not largest.amount:
        return median(job.seconds for job in jobs), None
    pace = largest.seconds / largest.amount
    little = [left for job in jobs if (left := job.seconds - job.amount * pace) > (1 - LITTLE) * job.seconds]
    if little:
        start = median(little)
    elif largest.seconds > LONG_SECONDS:
        start = 0.0
    else:
        return median(job.seconds for job in jobs), None
    least = max(LONG * start, start + WORK_SECONDS)
    much = [job for job in jobs if job.amount > MUCH * largest.amount and job.seconds > least]
    return start, geometric_mean(job.amount / (job.seconds - start) for job in much) if much else None


def with_measured(committed: Mapping[str, Rate], own: Mapping[str, Rate]) -> dict[str, Rate]:
    """Returns committed rates with those of this machine in their place, and the others as much faster as these are.

    Args:
        committed: of ``config/throughput.yaml``.
        own: of this machine.
    """
    rates = [(own[k].per_second, r.per_second) for k, r in committed.items() if k in own]
    faster = [mine / theirs for mine, theirs in rates if mine and theirs]
    if not faster:
        faster = [r.start / own[k].start for k, r in committed.items() if k in own and own[k].start and r.start]
    ratio = median(faster) if faster else 1.0

    def scaled(key: str, rate: Rate) -> Rate:
        mine = own.get(key)
        start = mine.start if mine else rate.start / ratio
        speed = mine.per_second if mine and mine.per_second else rate.per_second and rate.per_second * ratio
        return Rate(start=start, per_second=speed, num_bytes=rate.num_bytes, jobs=mine.jobs if mine else 0)

    return {key: scaled(key, rate) for key, rate in committed.items()} | {
        key: rate for key, rate in own.items() if key not in committed
    }


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def as_yaml(name: str, rates: Mapping[str, Rate]) -> str:
    """Returns rates as they stand in ``config/throughput.yaml``."""
    lines = [f"  name: {name}", "  rates:"]
    for key, rate in Hardware(name=name, rates=dict(rates)).rates.items():
        # With a point, without which YAML takes a power of ten for a word.
        speed = f", per_second: {rate.per_second:.2e}" if rate.per_second else ""
        size = f", num_bytes: {rate.num_bytes:.2e}" if rate.num_bytes else ""
        jobs = f", jobs: {rate.jobs}" if rate.jobs else ""
        lines.append(f"    {key}: {{start: {rate.start:.3g}{speed}{size}{jobs}}}")
    return "\n".join(lines)


def beside_estimates(asked: Estimates, jobs: Iterable[Measured]) -> str:
    """Returns finished jobs as CSV, with the seconds that they took and those that rates would have told before."""
    lines = ["rule,experiment,arm,key,work,seconds,estimate,num_bytes,estimated_bytes"]
    for job, key, amount, seconds, num_bytes, _ in jobs:
        estimate = asked.seconds(job.rule, job.scale, job.name, job.arm)
        times = f"{amount:.4g},{seconds:.4g},{estimate:.4g}"
        lines.append(f"{job.rule},{job.name},{job.arm},{key},{times},{num_bytes},{job.num_bytes:.0f}")
    return "\n".join(lines)
