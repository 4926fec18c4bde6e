"""What the jobs of a run ask a scheduler for: memory, time and GPUs, from the configuration and from measured rates."""

import math
from functools import cache
from pathlib import Path

from emergent import job_memory
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.stages import PredictStage
from emergent.config.throughput import SAME_UNITS, Device, Rate, Throughput
from emergent.estimates.sizes import ArmSize, Sizes, remembered
from emergent.estimates.work import (
    Work,
    evaluation_work,
    prediction_work,
    preparation_work,
    summary_work,
    training_work,
)
from emergent.plan import Plan

SIZES_MODULES = ("emergent.estimates.sizes", "emergent.training.memory", "emergent.evaluation.memory")
"""Code that the sizes of networks depend on."""
GPU_HOST_MB = 6000
"""Memory that a process with CUDA's libraries takes on the host, beside its arrays."""
LEAST_MINUTES = 10
"""Time that every job asks for: starting Python on a busy file system may take minutes."""
GPU_STAGES = ("train", "evaluate", "predict", "summarise")
"""Rules whose jobs use a GPU where the run has some: each one process on one GPU."""
FIXED_MB = {
    "download": 1000,
    "prepare": 6000,
    "summarise": 8000,
    **dict.fromkeys(("figure", "table", "animation"), 2000),
    **dict.fromkeys(("claims", "assumptions", "provenance"), 1000),
}
"""Memory of jobs that need about as much whatever their settings."""
OTHER = "other"
"""Row of jobs without one of their own."""


class Estimates:
    """Estimates for the jobs of one run.

    Attributes:
        plan: of the run.
        device: that computes.
        rates: of that device, by verb.
    """

    def __init__(self, plan: Plan, throughput: Throughput, folder: Path, code: str) -> None:
        """Takes what estimates are made of.

        Args:
            plan: of the run.
            throughput: measured rates.
            folder: where sizes of networks are remembered.
            code: fingerprint of the code that derives them.
        """
        self.plan = plan
        self.device: Device = "gpu" if plan.run.accelerator else "cpu"
        self.rates = throughput.rates(self.device)
        self._throughput, self._folder, self._code = throughput, folder, code

    @cache  # noqa: B019 - one object lives as long as the process
    def sizes(self, scale: str, name: str) -> dict[str, ArmSize]:
        """Returns the sizes of the networks of an experiment by arm."""
        if scale == self.plan.run.scale and name in self.plan.run.experiments:
            return self._sizes_of_run()[name]
        return remembered(self.plan, scale, [name], self._folder, self._code)[name]

    @cache  # noqa: B019
    def _sizes_of_run(self) -> Sizes:
        run = self.plan.run
        return remembered(self.plan, run.scale, run.experiments, self._folder, self._code)

    @cache  # noqa: B019
    def work(self, rule: str, scale: str, name: str, arm: str = "") -> Work:
        """Returns the work of one job.

        Args:
            rule: ``train``, ``evaluate``, ``predict``, ``summarise``; of ``prepare`` the name is a data set's.
            scale: of the experiment.
            name: of the experiment.
            arm: of the job.
        """
        if rule == "prepare":
            return preparation_work(self.plan.registry.entry(name))
        study = self.plan.experiment(scale, name)
        if rule == "summarise":
            return summary_work(self.plan, study)
        if rule == "predict":
            stage = study.stage("predict", arm)
            assert isinstance(stage, PredictStage)
            return prediction_work(self.plan, stage)
        size = self.sizes(scale, name)[arm]
        if rule == "evaluate":
            assert isinstance(study, EnsembleExperiment)
            return evaluation_work(self.plan, study, arm, size)
        return training_work(self.plan, study, arm, size)

    def rate(self, key: str) -> Rate:
        """Returns how fast work is done; that of the slowest like it, where it has not been measured itself."""
        return rate_of(self.rates, key)

    def counted_as_on_a_core(self, key: str) -> bool:
        """Returns whether work of a key is to run on a GPU, and has a core's rate since none was measured there."""
        return self.device == "gpu" and self._throughput.is_of_a_core(key)

    def seconds(self, rule: str, scale: str = "", name: str = "", arm: str = "") -> float:
        """Returns how long one job takes, of one core or one GPU; see ``work``."""
        if rule in (*GPU_STAGES, "prepare"):
            work = self.work(rule, scale, name, arm)
            return seconds_of(work, self.rate(work.key))
        return self.rate(rule).start

    def minutes(self, rule: str, scale: str = "", name: str = "", arm: str = "") -> int:
        """Returns the time limit, in minutes, that one job asks a scheduler for."""
        return LEAST_MINUTES + math.ceil(self._throughput.safety * self.seconds(rule, scale, name, arm) / 60)

    def memory_mb(self, rule: str, scale: str = "", name: str = "", arm: str = "") -> int:
        """Returns the memory, in MB, that one job asks a scheduler for; see ``work``."""
        match rule:
            case "train":
                need = math.ceil(self.sizes(scale, name)[arm].train_bytes / 1e6)
            case "evaluate":
                need = math.ceil(self.sizes(scale, name)[arm].evaluate_bytes / 1e6)
            case "predict":
                need = job_memory.prediction_mb(self.plan, scale, name, arm)
            case _:
                need = FIXED_MB[rule]
        least = job_memory.LEAST_MB if rule in GPU_STAGES else 0
        return max(least, need) + (GPU_HOST_MB if self.gpus(rule) else 0)

    def gpus(self, rule: str) -> int:
        """Returns the GPUs that a job of a rule uses."""
        return int(self.device == "gpu" and rule in GPU_STAGES)

    @cache  # noqa: B019
    def experiment_seconds(self, scale: str, name: str) -> float:
        """Returns how long all jobs of one experiment take, one after another."""
        plan = self.plan
        study, verbs = plan.experiment(scale, name), plan.kind(scale, name).verbs
        blocks = {
            rule: [block.partition("/")[0] for block in plan.blocks(scale, name, rule)]
            for rule in ("train", "evaluate")
            if rule in verbs
        }
        arms = blocks | {"predict": list(plan.predictions(scale, name))}
        total = sum(self.seconds(rule, scale, name, arm) for rule, own in arms.items() for arm in own)
        return total + self.seconds("summarise", scale, study.experiment)

    @cache  # noqa: B019
    def group(self, scale: str, name: str) -> str | None:
        """Returns the group that makes the jobs of a small experiment one job of a cluster; None for others.

        Experiments whose members others evaluate are of one group with these, which would else wait for each other. On
        GPUs there are no groups: inside of one nothing would keep processes from sharing a GPU.
        """
        if self.device == "gpu":
            return None
        together = self._linked(scale, name)
        limit = 60 * self._throughput.grouped_minutes
        if sum(self.experiment_seconds(scale, other) for other in together) > limit:
            return None
        return f"{scale}_{min(together)}"

    def _linked(self, scale: str, name: str) -> set[str]:
        """Returns the experiments of the run that share members with one, itself included."""
        plan = self.plan
        names = {*plan.run.experiments, name}
        pairs = [
            (own, plan.experiment(scale, own).trained_by(arm)[0])
            for own in sorted(names)
            for arm in plan.experiment(scale, own).arm_names
        ]
        found, grown = set[str](), {name}
        while grown - found:
            found |= grown
            grown = {end for pair in pairs if found & set(pair) for end in pair}
        return found


def rate_of(rates: dict[str, Rate], key: str) -> Rate:
    """Returns the row of a key; what it lacks is that of the slowest of its verb, else that of other jobs."""
    verb = key.partition(" ")[0]
    alike = [rate for name, rate in rates.items() if name.partition(" ")[0] == verb]
    if not alike:
        return rates[OTHER]
    own = rates.get(key)
    # Small jobs alone do not say how fast large ones are.
    if own is not None and (own.per_second or verb not in SAME_UNITS):
        return own
    slowest = min((rate.per_second for rate in alike if rate.per_second), default=None)
    return Rate(start=own.start if own else max(rate.start for rate in alike), per_second=slowest)


def seconds_of(work: Work, rate: Rate) -> float:
    """Returns how long work takes."""
    return rate.start + (work.amount / rate.per_second if rate.per_second else 0.0)
