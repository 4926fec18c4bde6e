"""Memory that a block of members needs, by arithmetic on the configuration, before anything is computed.

The estimate counts what grows: parameters, gradients and optimiser state of the members in flight, activations of one
step, stored checkpoints, and the resident data. It is meant to refuse what cannot fit, not to be exact; the factors
are stated at their place.
"""

import math
import os
from collections.abc import Mapping

from emergent.config.experiment import Experiment
from emergent.config.network_size import FLOAT_BYTES, bytes_in_flight, network_size
from emergent.config.training import STATE_COPIES
from emergent.errors import ResourceError

# Training samples where the configuration takes all of a data set whose size the caller has not filled in.
UNKNOWN_NUM_SAMPLES = 60000
# Runtime, compiled programs and Python itself.
BASE_BYTES = 600 * 2**20
# Arrays exist again, and once more in the file's image, while they are written.
WRITING_COPIES = 3.2


def _order(group: str) -> int:
    """Returns the number of elements of C_n or D_n."""
    return int(group[1:]) * (2 if group[0] == "D" else 1)


def block_bytes(experiment: Experiment, arm: str, block: int, members_in_flight: int) -> int:
    """Returns the estimated peak memory, in bytes, of training one block of an arm."""
    config = experiment.arms[arm]
    size = network_size(config.model, experiment.data.shape)
    copies = STATE_COPIES[experiment.train.optimiser]
    samples = experiment.train.batch_size or experiment.data.train.num or UNKNOWN_NUM_SAMPLES
    if config.augmentation.mode == "full":
        samples *= _order(config.augmentation.group)
    step = members_in_flight * bytes_in_flight(size, samples, copies)
    checkpoints = len(experiment.train.checkpoint_epochs()) * block * size.num_parameters
    data = (experiment.data.train.num or UNKNOWN_NUM_SAMPLES) * math.prod(experiment.data.shape)
    return BASE_BYTES + step + FLOAT_BYTES * (2 * checkpoints + data)


def evaluation_bytes(experiment: Experiment, arm: str, num_samples: Mapping[str, int]) -> int:
    """Returns the estimated peak memory, in bytes, of evaluating one block of an arm.

    Args:
        experiment: the experiment.
        arm: name of the arm.
        num_samples: size of each evaluation set.
    """
    config, evaluate, block = experiment.arms[arm], experiment.evaluate, experiment.members.block
    # Sums over the members of each ensemble in the block, cut at its borders, and over the whole block.
    runs = 1 + sum(min(evaluate.max_ensembles, math.ceil(block / size) + 1) for size in evaluate.ensemble_sizes)
    epochs = len(experiment.train.checkpoint_epochs())
    kept = block * len(evaluate.bootstrap.epochs) if evaluate.bootstrap else 0
    inputs = sum(num_samples.values()) * _order(config.orbit_group or config.augmentation.group)
    outputs = (runs * epochs + kept) * inputs * config.model.num_outputs
    data = 2 * inputs * math.prod(experiment.data.shape)
    return BASE_BYTES + round(FLOAT_BYTES * (WRITING_COPIES * outputs + data))


def physical_memory_bytes() -> int:
    """Returns the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_memory(experiment: Experiment, limit_bytes: int, vectorised: bool) -> None:
    """Checks that one block of every arm fits.

    Args:
        experiment: the experiment at one scale.
        limit_bytes: memory that one job may use.
        vectorised: all members of a block are in flight at once (accelerators), not one after another (CPU).

    Raises:
        ResourceError: naming arm, need, limit and the largest block that would fit.
    """
    for arm in experiment.arms:
        block = experiment.members.block
        need = block_bytes(experiment, arm, block, block if vectorised else 1)
        if need <= limit_bytes:
            continue
        divisors = [b for b in range(1, block) if experiment.members.num % b == 0]
        fitting = [b for b in divisors if block_bytes(experiment, arm, b, b if vectorised else 1) <= limit_bytes]
        advice = (
            f"set members.block to {fitting[-1]} or a smaller divisor of members.num"
            if fitting
            else "not even one member fits: use a smaller batch, a smaller network or a machine with more memory"
        )
        raise ResourceError(
            f"{experiment.experiment}, arm {arm}: a block of {block} members needs about {need / 2**30:.1f} GiB, "
            f"but {limit_bytes / 2**30:.1f} GiB may be used; {advice}."
        )
