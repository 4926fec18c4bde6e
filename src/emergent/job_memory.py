"""Memory of the jobs of a run: what they ask a scheduler for, and what is refused before the first one starts.

Estimates belong to what they estimate (``training.memory``, ``evaluation.memory``, ``config.prediction_memory``); here
the run's experiments are put to them.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from emergent.config.base import digest
from emergent.config.prediction_memory import prediction_bytes
from emergent.config.stages import PredictStage, TrainStage
from emergent.config.study import StudyBase
from emergent.config.traffic import TrafficStage
from emergent.config.traffic_memory import training_bytes as traffic_bytes
from emergent.errors import ResourceError
from emergent.plan import Plan
from emergent.provenance import physical_memory_bytes

Size = Callable[[str, str], int]
LEAST_MB = 2000
"""What every job asks for: an interpreter with JAX, and room for estimates that leave out what does not grow."""


def require_memory(plan: Plan) -> None:
    """Checks that one block of every arm of a run fits into the memory that the run may use.

    Raises:
        ResourceError: naming arm, need, limit and the largest block that would fit, or what else would help.
    """
    # Only here: sizes are derived from the networks, which takes JAX.
    from emergent.evaluation.memory import require_evaluation_memory
    from emergent.training.memory import require_memory as require_training_memory

    limit, accelerator = memory_limit(plan), plan.run.accelerator
    for name in plan.run.experiments:
        study = plan.experiment(plan.run.scale, name)
        require_own_memory(study, limit, partial(plan.num_samples, num=None))
        networks = [s for arm in study.arms_of("train") if isinstance(s := study.stage("train", arm), TrainStage)]
        if networks:
            train = networks[0].data.train
            num_samples = plan.num_samples(train.dataset, train.split, train.num)
            require_training_memory(networks, study.members, num_samples, limit, accelerator)
        if sizes := set_sizes(plan, study):
            require_evaluation_memory(study, sizes, limit, accelerator)


def own_training_bytes(study: StudyBase, arm: str, size: Size) -> int:
    """Returns the estimated peak memory, in bytes, of a block of an arm that trains in a way of its own.

    Args:
        study: the experiment.
        arm: of it.
        size: from data set and split to the number of samples; of a series, of steps and of sensors.
    """
    stage = study.stage("train", arm)
    if isinstance(stage, TrafficStage):
        steps, sensors = (size(stage.data.dataset, split) for split in ("series", "graph"))
        return traffic_bytes(stage, steps, sensors, study.members_of_arm(arm).block)
    return study.training_bytes(arm)


def require_own_memory(study: StudyBase, limit: int, size: Size) -> None:
    """Checks arms that train in a way of their own; of these, small kinds always fit.

    Args:
        study: the experiment.
        limit: memory in bytes that a job may use.
        size: see ``own_training_bytes``.

    Raises:
        ResourceError: naming arm, need and limit.
    """
    for arm in study.arms_of("train"):
        need = own_training_bytes(study, arm, size)
        if need > limit:
            raise ResourceError(
                f"{study.experiment}, arm {arm}: training one network needs about {need / 2**30:.1f} GiB, but "
                f"{limit / 2**30:.1f} GiB may be used; use a smaller batch_size, smaller bandwidths or fewer features "
                "or units, or a machine with more memory (memory_gb)."
            )


def memory_limit(plan: Plan) -> int:
    """Returns the memory in bytes that one training job may use."""
    return int(plan.run.memory_gb * 2**30) if plan.run.memory_gb else physical_memory_bytes()


def memory_digest(plan: Plan, code: str) -> str:
    """Returns a digest of all that the memory of jobs depends on, ``code`` that estimates it included."""
    run = plan.run
    return sizes_digest(plan, run.scale, run.experiments, code, memory_limit(plan), run.accelerator)


def sizes_digest(plan: Plan, scale: str, names: Iterable[str], *more: Any) -> str:
    """Returns a digest of all that the sizes of the jobs of some experiments depend on.

    Args:
        plan: of the run.
        scale: of the experiments.
        names: of the experiments.
        more: what else the answer depends on, such as the code that estimates it.
    """
    parts: list[Any] = list(more)
    for name in names:
        study = plan.experiment(scale, name)
        parts += [study.members.num, study.members.block]
        parts += [plan.num_samples(*split, None) for split in study.splits_used()]
        jobs = [("train", arm) for arm in study.arms_of("train")]
        jobs += [("evaluate", arm) for arm in study.arm_names] if study.test_sets() else []
        parts += [plan.stage_json(scale, name, *job) for job in jobs]
    return digest({"parts": parts})


def set_sizes(plan: Plan, study: StudyBase) -> dict[str, int]:
    """Returns the number of samples of every evaluation set."""
    return {key: plan.num_samples(s.dataset, s.split, s.num) for key, s in study.test_sets().items()}


def prediction_mb(plan: Plan, scale: str, name: str, arm: str) -> int:
    """Returns the memory, in MB, that a prediction, or a reading on another data set, asks for; at least 2 GB."""
    stage = plan.experiment(scale, name).stage("predict", arm)
    assert isinstance(stage, PredictStage)
    sets = [stage.data.train, *stage.data.evaluate.values()]
    sizes = [[plan.num_samples(s.dataset, s.split, s.num) for s in sets]]
    sizes += [[own["train"], *own.values()] for own in (plan.registry.entry(n).splits for n in stage.readings)]
    need = max(prediction_bytes(stage, num_train, max(num_test)) for num_train, *num_test in sizes)
    return max(LEAST_MB, math.ceil(need / 1e6))
