"""Sizes of the networks of a run: memory of its jobs, multiplications and parameters, before anything is computed.

They are derived from the networks' own code, which takes JAX and a few seconds. Snakemake reads its files in every job
of a cluster: so what was derived is remembered, under a digest of all that it depends on.
"""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from emergent import job_memory
from emergent.atomic import atomic_path
from emergent.config.kernel_convergence import ConvergenceStage
from emergent.config.stages import EvaluateStage, TrainStage
from emergent.config.study import StudyBase
from emergent.plan import Plan


class ArmSize(NamedTuple):
    """What one arm's network needs; zeros where there is none, or where it is of a small kind that always fits.

    Attributes:
        parameters: of one member.
        multiplications: of one forward pass, of the inputs of one sample.
        evaluated_multiplications: the same of the network that is evaluated, which may be the mean of several.
        train_bytes: memory of training one block.
        evaluate_bytes: memory of evaluating one block.
    """

    parameters: int = 0
    multiplications: int = 0
    evaluated_multiplications: int = 0
    train_bytes: int = 0
    evaluate_bytes: int = 0


Sizes = dict[str, dict[str, ArmSize]]
"""Experiment to arm to its size."""


def remembered(plan: Plan, scale: str, names: Iterable[str], folder: Path, code: str) -> Sizes:
    """Returns the sizes of some experiments at one scale, read where they have been derived before.

    Args:
        plan: of the run.
        scale: of the experiments.
        names: of the experiments.
        folder: where they are remembered.
        code: fingerprint of the code that derives them.

    Raises:
        ConfigError: a network does not fit its inputs; the message says where.
    """
    names = sorted(names)
    path = folder / f"{job_memory.sizes_digest(plan, scale, names, code)}.json"
    if not path.exists():
        found = {name: derived(plan, scale, name) for name in names}
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(found), encoding="utf-8")
    content: Mapping[str, Mapping[str, list[int]]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: {arm: ArmSize(*size) for arm, size in arms.items()} for name, arms in content.items()}


def derived(plan: Plan, scale: str, name: str) -> dict[str, ArmSize]:
    """Returns the sizes of all arms of an experiment."""
    study = plan.experiment(scale, name)
    return {arm: _arm_size(plan, study, arm) for arm in study.arm_names}


def _arm_size(plan: Plan, study: StudyBase, arm: str) -> ArmSize:
    # Only here: sizes are derived from the networks, which takes JAX.
    import jax

    from emergent.domains.registry import example
    from emergent.evaluation.memory import evaluation_bytes
    from emergent.models.registry import build
    from emergent.models.size import multiplications
    from emergent.training.memory import block_bytes, size_of

    def forward(model: Any, inputs: Any) -> int:
        network = build(model)
        parameters = jax.eval_shape(network.init, jax.random.key(0), inputs)
        return multiplications(network.apply, parameters, inputs)

    size = ArmSize()
    block = study.members_of_arm(arm).block
    stage = study.stage("train", arm) if arm in study.arms_of("train") else None
    if isinstance(stage, TrainStage):
        train = stage.data.train
        num_samples = plan.num_samples(train.dataset, train.split, train.num)
        size = size._replace(
            parameters=size_of(stage).num_parameters,
            multiplications=forward(stage.model, example(stage.data)),
            # One member after another; on a GPU its own memory holds the others.
            train_bytes=block_bytes(stage, block, num_samples, 1),
        )
    elif stage is not None:
        size = size._replace(train_bytes=job_memory.own_training_bytes(study, arm, partial(plan.num_samples, num=None)))
    if isinstance(stage, ConvergenceStage):
        inputs = jax.ShapeDtypeStruct((1, *stage.inputs.shape), jax.numpy.float32)
        size = size._replace(
            multiplications=sum(forward(stage.model.of_width(width), inputs) for width in stage.widths)
        )
    if study.test_sets():
        evaluated = study.stage("evaluate", arm)
        assert isinstance(evaluated, EvaluateStage)
        size = size._replace(
            evaluated_multiplications=forward(evaluated.model, example(evaluated.data)),
            evaluate_bytes=evaluation_bytes(study, arm, job_memory.set_sizes(plan, study), vectorised=False),
        )
    return size
