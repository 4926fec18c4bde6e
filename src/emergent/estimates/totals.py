"""The jobs of a run and what they add up to, rule by rule: what to know before asking for an allocation."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from emergent.config.ensembles import EnsembleExperiment
from emergent.config.stages import TrainStage
from emergent.estimates.jobs import GPU_STAGES, Estimates
from emergent.estimates.work import evaluated_numbers
from emergent.runs.progress import duration

FLOAT_BYTES = 4
HEADINGS = ("rule", "jobs", "core-hours", "GPU-hours", "longest job", "memory a job", "disk")
LIGHT = ("claims", "assumptions", "provenance")
"""One job each."""


class Job(NamedTuple):
    """One job of a run.

    Attributes:
        rule: that makes it.
        output: main file, below the working folder.
        scale: of the experiment.
        name: of the experiment, data set or figure.
        arm: of the experiment.
        num_bytes: of its output, about; 0 where that is little.
    """

    rule: str
    output: str
    scale: str = ""
    name: str = ""
    arm: str = ""
    num_bytes: float = 0.0

    @property
    def has_work(self) -> bool:
        """Returns whether its time depends on what it has to do, and not on the rule alone."""
        return self.rule in (*GPU_STAGES, "prepare")


class RuleTotals(NamedTuple):
    """What the jobs of one rule add up to.

    Attributes:
        rule: its name.
        jobs: their number.
        core_seconds: of processors, one job after another.
        gpu_seconds: of GPUs.
        longest: seconds of the longest job.
        memory_mb: of the job that asks for most.
        num_bytes: of all files.
    """

    rule: str
    jobs: int
    core_seconds: float
    gpu_seconds: float
    longest: float
    memory_mb: int
    num_bytes: float


def all_jobs(asked: Estimates) -> Iterator[Job]:
    """Yields the jobs of a run from nothing, but those that only write settings, in the order of the pipeline."""
    plan = asked.plan
    scale, experiments = plan.run.scale, plan.run.experiments
    yield from _data_jobs(asked)
    trained = {
        # Members that a run evaluates may be those of an experiment that is not part of it.
        (block, *plan.experiment(scale, name).trained_by(arm))
        for name in experiments
        for stage in ("train", "evaluate")
        if stage in plan.kind(scale, name).verbs
        for arm, _, file in (path.partition("/") for path in plan.blocks(scale, name, stage))
        for block in [plan.trained_block(scale, name, arm, file.removeprefix("members_").removesuffix(".h5"))]
    }
    for block, name, arm in sorted(trained):
        yield Job("train", block, scale, name, arm, _trained_bytes(asked, scale, name, arm))
    for name in experiments:
        for arm, path in plan.predictions(scale, name).items():
            yield Job("predict", path, scale, name, arm)
    for name in experiments:
        study = plan.experiment(scale, name)
        if not isinstance(study, EnsembleExperiment):
            continue
        for path in plan.blocks(scale, name):
            arm = path.partition("/")[0]
            num_bytes = FLOAT_BYTES * evaluated_numbers(plan, study, arm)
            yield Job("evaluate", f"results/{scale}/{name}/evaluate/{path}", scale, name, arm, num_bytes)
    for name in experiments:
        yield Job("summarise", f"results/{scale}/{name}/summary.h5", scale, name)
    for kind in ("figure", "table"):
        for name in plan.selected_figures(kind):
            yield Job(kind, f"figures/{scale}/{plan.figures[name].paper}/{name}.csv", scale, name)
    for rule in LIGHT:
        yield Job(rule, f"figures/{scale}/{rule}.html", scale)


def _data_jobs(asked: Estimates) -> Iterator[Job]:
    """Yields downloads and preparations of the data sets that a run reads."""
    plan = asked.plan
    scale = plan.run.scale
    trainers = {
        source
        for name in plan.run.experiments
        for arm in plan.experiment(scale, name).arm_names
        for source in [plan.experiment(scale, name).trained_by(arm)[0]]
    }
    used = {
        dataset
        for name in plan.run.experiments
        for stage in plan.kind(scale, name).verbs
        for dataset in plan.datasets(scale, name, stage)
    }
    used |= {dataset for name in trainers for dataset in plan.datasets(scale, name, "train")}
    used |= {data for name in plan.run.experiments for data, _ in plan.experiment(scale, name).shown_samples()}
    for owner in sorted({plan.registry.raw_owner(dataset) for dataset in used}):
        for file in plan.registry.entry(owner).files:
            yield Job("download", f"results/datasets/{owner}/raw/{file.name}", name=owner, num_bytes=file.bytes)
    for dataset in sorted(used):
        work = asked.work("prepare", "", dataset)
        num_bytes = work.amount * (asked.rate(work.key).num_bytes or 0.0)
        yield Job("prepare", f"results/datasets/{dataset}/prepared.h5", name=dataset, num_bytes=num_bytes)


def _trained_bytes(asked: Estimates, scale: str, name: str, arm: str) -> float:
    """Returns the size of a trained block; of the kinds that store curves and no parameters it is small."""
    study = asked.plan.experiment(scale, name)
    stage = study.stage("train", arm)
    if not isinstance(stage, TrainStage):
        return 0.0
    checkpoints = len(stage.train.checkpoint_epochs())
    return FLOAT_BYTES * checkpoints * study.members_of_arm(arm).block * asked.sizes(scale, name)[arm].parameters


def totals(asked: Estimates) -> list[RuleTotals]:
    """Returns what the jobs of a run add up to, rule by rule, in the order of the pipeline."""
    by_rule: dict[str, list[Job]] = {}
    for job in all_jobs(asked):
        by_rule.setdefault(job.rule, []).append(job)
    found = []
    for rule, jobs in by_rule.items():
        seconds = [seconds_of_job(asked, job) for job in jobs]
        on_gpu = bool(asked.gpus(rule))
        found.append(
            RuleTotals(
                rule,
                len(jobs),
                0.0 if on_gpu else sum(seconds),
                sum(seconds) if on_gpu else 0.0,
                max(seconds),
                max(asked.memory_mb(rule, job.scale, job.name, job.arm) for job in jobs),
                sum(job.num_bytes for job in jobs),
            )
        )
    return found


def unmeasured(asked: Estimates) -> list[str]:
    """Returns the kinds of jobs of a run without a rate of their own, sorted."""
    with_work = (asked.work(job.rule, job.scale, job.name, job.arm) for job in all_jobs(asked) if job.has_work)
    return sorted({work.key for work in with_work} - set(asked.rates))


def seconds_of_job(asked: Estimates, job: Job) -> float:
    """Returns how long a job takes; downloads are said in bytes alone, since no one knows the network."""
    return 0.0 if job.rule == "download" else asked.seconds(job.rule, job.scale, job.name, job.arm)


def table(rows: list[RuleTotals]) -> str:
    """Returns totals as text, with a line for all."""
    whole = RuleTotals(
        "all",
        sum(row.jobs for row in rows),
        sum(row.core_seconds for row in rows),
        sum(row.gpu_seconds for row in rows),
        max(row.longest for row in rows),
        max(row.memory_mb for row in rows),
        sum(row.num_bytes for row in rows),
    )
    return _columns([HEADINGS, *(_cells(row) for row in [*rows, whole])], ends=True)


def _columns(cells: list[tuple[str, ...]], ends: bool = False) -> str:
    """Returns a heading and rows under each other, the first column to the left; the last one may be set apart."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    ]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]] if ends else [lines[0], rule, *lines[1:]])


def by_experiment(asked: Estimates, is_measured: Callable[[Job], bool]) -> str:
    """Returns the jobs of each experiment, their hours and the longest of them, as text, most hours first.

    Args:
        asked: estimates for the run.
        is_measured: whether the time of a job rests on a measurement.
    """
    seconds: dict[str, list[float]] = {}
    guessed: dict[str, float] = {}
    for job in all_jobs(asked):
        if job.rule in GPU_STAGES:
            own = seconds_of_job(asked, job)
            seconds.setdefault(job.name, []).append(own)
            guessed[job.name] = guessed.get(job.name, 0.0) + (0.0 if is_measured(job) else own)
    unit = "GPU-hours" if asked.device == "gpu" else "core-hours"
    rows = [
        (name, f"{len(own):,}", f"{sum(own) / 3600:,.2f}", duration(max(own)), _share(guessed[name], sum(own)))
        for name, own in sorted(seconds.items(), key=lambda pair: -sum(pair[1]))
    ]
    return _columns([("experiment", "jobs", unit, "longest job", "never measured"), *rows])


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if part >= 0.005 * whole > 0 else ""


def _cells(row: RuleTotals) -> tuple[str, ...]:
    return (
        row.rule,
        f"{row.jobs:,}",
        f"{row.core_seconds / 3600:,.2f}" if row.core_seconds else "",
        f"{row.gpu_seconds / 3600:,.2f}" if row.gpu_seconds else "",
        duration(row.longest) if row.longest else "",
        f"{row.memory_mb / 1000:.0f} GB",
        f"{row.num_bytes / 1e9:,.2f} GB" if row.num_bytes else "",
    )


def wall_seconds(rows: list[RuleTotals], cores: int) -> float:
    """Returns how long a run takes at least: its work on so many cores and one GPU, or its longest jobs in a row."""
    chain = sum(row.longest for row in rows)
    work = math.fsum(row.core_seconds for row in rows) / cores + math.fsum(row.gpu_seconds for row in rows)
    return max(chain, work)
