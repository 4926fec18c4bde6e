"""Memory that a block of members needs, derived from the computation of its networks, before anything is computed.

The estimate counts what grows: parameters, gradients and optimiser state of the members in flight, activations of one
step, stored checkpoints, and the resident data. It is meant to refuse what cannot fit, not to be exact; the factors
are stated at their place.
"""

from collections.abc import Sequence

import jax

from emergent.config.blocks import Members
from emergent.config.evaluation import BASE_BYTES
from emergent.config.stages import TrainStage
from emergent.config.training import STATE_COPIES, Training
from emergent.domains.protocols import TrainingData
from emergent.domains.registry import example
from emergent.errors import ConfigError, ResourceError
from emergent.models.size import FLOAT_BYTES, NetworkSize, bytes_in_flight, network_size

# Training inputs on the host, scaled from 8-bit pixels in place, and on the device; a CPU may share the two.
INPUT_COPIES = 2


def _state_copies(training: Training) -> int:
    # Momentum is one more array of the size of the parameters.
    return STATE_COPIES[training.optimiser] + (training.momentum > 0)


def members_in_flight(stage: TrainStage, data: TrainingData, num_members: int, limit_bytes: int | None) -> int:
    """Returns how many members may train at the same time within a memory limit: at least one, at most all.

    Args:
        stage: what to train.
        data: resident training set.
        num_members: all of them.
        limit_bytes: memory of one device that training may fill; None means no limit.
    """
    if limit_bytes is None:
        return num_members
    inputs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), data.example())
    samples = (stage.train.batch_size or data.num_samples) * data.copies
    need = bytes_in_flight(network_size(stage.model, inputs), samples, _state_copies(stage.train))
    resident = sum(leaf.nbytes for leaf in jax.tree.leaves(data))
    return min(max(1, (limit_bytes - resident) // need), num_members)


def size_of(stage: TrainStage) -> NetworkSize:
    """Returns the size of an arm's network.

    Raises:
        ConfigError: the network does not fit the inputs; the message says where.
    """
    try:
        return network_size(stage.model, example(stage.data))
    except ValueError as error:
        raise ConfigError(f"{stage.experiment}, arm {stage.arm}: model: {error}") from None


def block_bytes(stage: TrainStage, block: int, num_samples: int, members_in_flight: int) -> int:
    """Returns the estimated peak memory, in bytes, of training one block of an arm.

    Args:
        stage: of the arm.
        block: members.
        num_samples: of the training set.
        members_in_flight: that train at the same time.
    """
    size, training = size_of(stage), stage.train
    samples = training.batch_size or num_samples
    if stage.augmentation.mode == "full":
        samples *= stage.augmentation.order or 1
    step = members_in_flight * bytes_in_flight(size, samples, _state_copies(training))
    # They count twice below: as they come from the device, and stacked.
    checkpoints = len(training.checkpoint_epochs()) * block * size.num_parameters
    return BASE_BYTES + step + FLOAT_BYTES * (2 * checkpoints + INPUT_COPIES * num_samples * stage.data.sample_floats)


def require_memory(
    stages: Sequence[TrainStage], members: Members, num_samples: int, limit_bytes: int, vectorised: bool
) -> None:
    """Checks that one block of every arm of an experiment fits.

    Args:
        stages: training of its arms.
        members: of every arm, and of a block.
        num_samples: of the training set.
        limit_bytes: memory that one job may use.
        vectorised: all members of a block are in flight at once (accelerators), not one after another (CPU).

    Raises:
        ResourceError: naming arm, need, limit and the largest block that would fit.
    """
    block = members.block
    for stage in stages:
        need = block_bytes(stage, block, num_samples, block if vectorised else 1)
        if need <= limit_bytes:
            continue
        divisors = [b for b in range(1, block) if members.num % b == 0]
        fitting = [b for b in divisors if block_bytes(stage, b, num_samples, b if vectorised else 1) <= limit_bytes]
        advice = (
            f"set members.block to {fitting[-1]} or a smaller divisor of members.num"
            if fitting
            else "not even one member fits: use a smaller batch, a smaller network or a machine with more memory"
        )
        raise ResourceError(
            f"{stage.experiment}, arm {stage.arm}: a block of {block} members needs about {need / 2**30:.1f} GiB, "
            f"but {limit_bytes / 2**30:.1f} GiB may be used; {advice}."
        )
