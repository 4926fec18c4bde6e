"""What to doubt in a plan: jobs that take longer than a scheduler runs them, and times that rest on no measurement."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from emergent.config.throughput import Throughput
from emergent.estimates.jobs import GPU_STAGES, Estimates
from emergent.estimates.totals import Job, all_jobs, seconds_of_job
from emergent.runs.progress import duration


class LongJobs(NamedTuple):
    """The jobs of an experiment that take too long.

    Attributes:
        experiment: its name.
        num: of these jobs.
        rule: of the longest one.
        arm: likewise; empty where it belongs to all.
        seconds: that it takes.
        block: most members of a job that would be short enough, of which all are a multiple; 0 where one alone is not.
        alone: seconds of a job of one member.
        as_on_core: no job like it was measured on a GPU, and it is counted as on a core there.
    """

    experiment: str
    num: int
    rule: str
    arm: str
    seconds: float
    block: int
    alone: float
    as_on_core: bool


def long_jobs(asked: Estimates, jobs: Iterable[Job], limit: float, times: float = 1.0) -> list[LongJobs]:
    """Returns the experiments with jobs above a limit, the longest first.

    Args:
        asked: estimates for the run.
        jobs: to look at.
        limit: in seconds.
        times: the estimate is what counts; the throughput's ``safety`` for the time that a scheduler is asked for.
    """
    found: dict[str, list[tuple[float, Job]]] = {}
    for job in jobs:
        if job.has_work and job.rule != "prepare" and (seconds := times * seconds_of_job(asked, job)) > limit:
            found.setdefault(job.name, []).append((seconds, job))
    told = []
    for name, own in found.items():
        seconds, job = max(own, key=lambda pair: pair[0])
        block, alone = _shorter(asked, job, seconds, limit, times)
        as_on_core = asked.counted_as_on_a_core(asked.work(job.rule, job.scale, job.name, job.arm).key)
        told.append(LongJobs(name, len(own), job.rule, job.arm, seconds, block, alone, as_on_core))
    return sorted(told, key=lambda own: -own.seconds)


def _shorter(asked: Estimates, job: Job, seconds: float, limit: float, times: float) -> tuple[int, float]:
    """Returns how many members a job may have, and how long it takes with one; the work is in proportion to them."""
    if job.rule not in ("train", "evaluate"):
        return 0, seconds
    start = times * asked.rate(asked.work(job.rule, job.scale, job.name, job.arm).key).start
    members = asked.plan.experiment(job.scale, job.name).members_of_arm(job.arm)
    each = (seconds - start) / members.block
    short = [num for num in range(1, members.block) if members.num % num == 0 and start + num * each <= limit]
    return max(short, default=0), start + each


def long_jobs_lines(found: list[LongJobs], limit: float, device: str, what: str = "take") -> list[str]:
    """Returns a warning with what to do, nothing where no job is too long.

    Args:
        found: by ``long_jobs``.
        limit: in seconds.
        device: ``cpu`` or ``gpu``.
        what: jobs do: take so long, or ask for so much time.
    """
    if not found:
        return []
    unit = "one GPU" if device == "gpu" else "one core"
    lines = [
        f"warning: {_jobs(sum(own.num for own in found), what)} more than {limit / 3600:,.3g} hours of {unit}, which "
        "schedulers rarely give (longest_hours in config/throughput.yaml):"
    ]
    for own in found:
        where = ", arm ".join(filter(None, (own.rule, own.arm)))
        longest = f"{_jobs(own.num)}, the longest {duration(own.seconds)} ({where})"
        lines.append(f"  {own.experiment}: {longest}: {_advice(own, device)}")
    return lines


def _jobs(num: int, verb: str = "") -> str:
    first, *rest = verb.split() or [""]
    words = f"{num:,} job {first}s" if num == 1 and first else f"{num:,} job{'' if num == 1 else 's'} {first}"
    return " ".join([*words.split(), *rest])


def _advice(own: LongJobs, device: str) -> str:
    if own.as_on_core:
        return "counted as on a core, since no job like it was measured on a GPU; time a short one there first"
    if own.block:
        return f"set 'members: {{block: {own.block}}}' in config/experiments/{own.experiment}.yaml"
    elsewhere = "" if device == "gpu" else "; a GPU (CUDA=1) may do it"
    if own.rule in ("train", "evaluate"):
        reach = "out of reach of one GPU" if device == "gpu" else "out of reach of CPUs"
        return f"one member alone takes {duration(own.alone)}: {reach}{elsewhere}"
    return f"it cannot be split{elsewhere}"


def measured_keys(asked: Estimates, throughput: Throughput, own: Iterable[str] = ()) -> Callable[[Job], bool]:
    """Returns a function that tells whether a job's kind was measured on a device of the run's kind.

    Args:
        asked: estimates for the run.
        throughput: committed rates.
        own: kinds that were measured on this machine.
    """
    on_core = {key for key, rate in throughput.cpu.rates.items() if rate.jobs} | set(own)
    on_gpu = {key for key, rate in throughput.gpu.rates.items() if rate.jobs} | set(own)

    def is_measured(job: Job) -> bool:
        known = on_gpu if asked.gpus(job.rule) else on_core
        return not job.has_work or asked.work(job.rule, job.scale, job.name, job.arm).key in known

    return is_measured


def doubts(asked: Estimates, is_measured: Callable[[Job], bool]) -> list[str]:
    """Returns how much of a plan rests on rates that were never measured, and experiments of which nothing is known."""
    jobs = [job for job in all_jobs(asked) if job.rule in GPU_STAGES]
    seconds = {job: seconds_of_job(asked, job) for job in jobs}
    total = sum(seconds.values())
    guessed = sum(own for job, own in seconds.items() if not is_measured(job))
    unit = "GPU-hours" if asked.device == "gpu" else "core-hours"
    lines = []
    if guessed:
        on = "on a GPU" if asked.device == "gpu" else "on any machine"
        share = _share(guessed, total)
        lines.append(f"{share} of all {unit} ({guessed / 3600:,.2f}) rest on rates that were never measured {on}.")
    as_on_core = sum(
        own for job, own in seconds.items()
        if asked.counted_as_on_a_core(asked.work(job.rule, job.scale, job.name, job.arm).key)
    )  # fmt: skip
    if as_on_core:
        lines.append(f"{_share(as_on_core, total)} of them are hours of a core, of which a GPU may need a hundredth.")
    flat = {job.name for job in jobs if job.rule == "train" and not _grows(asked, job)}
    if flat:
        lines.append(
            "Perhaps far too low, since training is counted alike whatever its size (no job of its kind was measured, "
            f"or only small ones): {', '.join(sorted(flat))}."
        )
    return lines


def _grows(asked: Estimates, job: Job) -> bool:
    return asked.rate(asked.work(job.rule, job.scale, job.name, job.arm).key).per_second is not None


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if part > 0.01 * whole else "less than 1 %"
