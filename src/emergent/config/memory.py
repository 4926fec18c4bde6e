"""Memory that a block of members needs, by arithmetic on the configuration, before anything is computed.

The estimate counts what grows: parameters, gradients and optimiser state of the members in flight, activations of one
step, stored checkpoints, and the resident data. It is meant to refuse what cannot fit, not to be exact; the factors
are stated at their place.
"""

import math
import os
from dataclasses import dataclass
from itertools import pairwise

from emergent.config.experiment import Experiment
from emergent.config.models import CnnModel, GcnnModel, MlpModel
from emergent.errors import ConfigError, ResourceError

FLOAT_BYTES = 4
# Forward activations are kept for the backward pass, which makes as many again, and convolutions unfold patches.
ACTIVATION_COPIES = 3
# Training samples where the configuration takes all of a data set whose size the caller has not filled in.
UNKNOWN_NUM_SAMPLES = 60000
# Runtime, compiled programs and Python itself.
BASE_BYTES = 600 * 2**20


@dataclass(frozen=True)
class NetworkSize:
    """Parameters of one member and floats of activations for one sample."""

    num_parameters: int
    num_activations: int


def network_size(model: MlpModel | CnnModel | GcnnModel, shape: tuple[int, int, int]) -> NetworkSize:
    """Returns the size of a network on inputs of shape (H, W, C).

    Raises:
        ConfigError: average pooling does not divide the image.
    """
    height, width, channels = shape
    biases = 1 if model.parametrisation == "pytorch" or model.bias_std > 0 else 0
    if isinstance(model, MlpModel):
        sizes = [height * width * channels, *[model.width] * model.depth, model.num_outputs]
        return _dense(sizes, biases, 0, 0)
    order = {"C1": 1, "C2": 2, "C4": 4, "D4": 8}[model.group] if isinstance(model, GcnnModel) else 1
    parameters = activations = 0
    for index, layer in enumerate(model.layers):
        fan_in = model.filter_size**2 * channels * (order if index else 1)
        parameters += (fan_in + biases) * layer.channels
        height, width, channels = -(-height // layer.stride), -(-width // layer.stride), layer.channels
        activations += height * width * channels * order
        if height % layer.average_pool or width % layer.average_pool:
            raise ConfigError(
                f"layers.{index}.average_pool: expected a divisor of the feature map {height} x {width}, "
                f"found {layer.average_pool}."
            )
        height, width = height // layer.average_pool, width // layer.average_pool
    features = channels * (height * width if model.readout == "flatten" else 1)
    return _dense([features, *model.dense, model.num_outputs], biases, parameters, activations)


def _dense(sizes: list[int], biases: int, parameters: int, activations: int) -> NetworkSize:
    parameters += sum((a + biases) * b for a, b in pairwise(sizes))
    return NetworkSize(parameters, activations + sum(sizes))


def block_bytes(experiment: Experiment, arm: str, block: int, members_in_flight: int) -> int:
    """Returns the estimated peak memory, in bytes, of training one block of an arm."""
    config = experiment.arms[arm]
    size = network_size(config.model, experiment.data.shape)
    copies = {"sgd": 2, "adam": 4}[experiment.train.optimiser]
    samples = experiment.train.batch_size or experiment.data.train.num or UNKNOWN_NUM_SAMPLES
    if config.augmentation.mode == "full":
        samples *= int(config.augmentation.group[1:]) * (2 if config.augmentation.group[0] == "D" else 1)
    step = members_in_flight * (copies * size.num_parameters + ACTIVATION_COPIES * samples * size.num_activations)
    checkpoints = len(experiment.train.checkpoint_epochs()) * block * size.num_parameters
    data = (experiment.data.train.num or UNKNOWN_NUM_SAMPLES) * math.prod(experiment.data.shape)
    return BASE_BYTES + FLOAT_BYTES * (step + 2 * checkpoints + data)


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
