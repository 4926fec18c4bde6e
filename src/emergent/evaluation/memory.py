"""Memory that the evaluation of a block of members needs, before anything is computed.

The estimate counts what grows: evaluation sets on their orbits, which stay in memory, activations of the networks in
flight, and on a host the outputs that are kept. On an accelerator the latter are not on the device. The training
pixels, which define the scaling, are read and forgotten before, and take less.
"""

from collections.abc import Mapping

from emergent.config.evaluation import BASE_BYTES, FLOAT_BYTES, orbit_bytes
from emergent.config.stages import EvaluateStage
from emergent.config.study import StudyBase
from emergent.domains.arrays import ACCELERATOR_BATCH, CPU_BATCH
from emergent.domains.registry import example
from emergent.errors import ResourceError
from emergent.evaluation.vectorised import group_size
from emergent.models.size import forward_floats


def evaluation_bytes(study: StudyBase, arm: str, num_samples: Mapping[str, int], vectorised: bool) -> int:
    """Returns the estimated peak memory, in bytes, of evaluating one block of an arm: of the device that computes.

    Args:
        study: with a stage ``evaluate``.
        arm: name of the arm.
        num_samples: size of each evaluation set.
        vectorised: many members at a time (accelerators), not one after another (CPU).
    """
    stage, inputs = study.stage("evaluate", arm), study.evaluation_inputs(arm, num_samples)
    assert isinstance(stage, EvaluateStage)
    batch = min(stage.evaluate.batch_size or (ACCELERATOR_BATCH if vectorised else CPU_BATCH), max(inputs))
    members = group_size(study.members.block, batch) if vectorised else 1
    forward = FLOAT_BYTES * members * batch * forward_floats(stage.model, example(stage.data))
    if vectorised:
        return BASE_BYTES + forward + orbit_bytes([num * stage.data.sample_floats for num in inputs])
    return forward + study.evaluation_bytes(arm, num_samples)


def require_evaluation_memory(
    study: StudyBase, num_samples: Mapping[str, int], limit_bytes: int, vectorised: bool
) -> None:
    """Checks that the evaluation of one block of every arm of an experiment fits.

    Args:
        study: with a stage ``evaluate``.
        num_samples: size of each evaluation set.
        limit_bytes: memory that one job may use.
        vectorised: see ``evaluation_bytes``.

    Raises:
        ResourceError: naming arm, need, limit and what would help.
    """
    for arm in study.arm_names:
        need = evaluation_bytes(study, arm, num_samples, vectorised)
        if need > limit_bytes:
            raise ResourceError(
                f"{study.experiment}, arm {arm}: evaluating a block of {study.members.block} members on the orbits of "
                f"{sum(num_samples.values())} samples needs about {need / 2**30:.1f} GiB, but "
                f"{limit_bytes / 2**30:.1f} GiB may be used; evaluate fewer samples (data.evaluate.*.num), in smaller "
                "batches (evaluate.batch_size) or in smaller blocks (members.block)."
            )
