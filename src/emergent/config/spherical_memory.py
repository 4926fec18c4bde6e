"""Memory and work of training on images on the sphere, by arithmetic on settings: functions on SO(3) fill it quickly.

A grid of bandwidth b has 8 b^3 rotations. What a step keeps is counted in such functions; the factors are from the
compiled programs of small networks, and rather high than low.
"""

import itertools
from typing import NamedTuple

from emergent.config.evaluation import BASE_BYTES
from emergent.config.spherical_images_training import OUTPUTS, PlanarCnn, SphereNetwork, SphereStage, SphericalCnn, Task
from emergent.config.swin import SwinNetwork
from emergent.config.training import STATE_COPIES
from emergent.errors import ConfigError

FLOAT_BYTES = 4
KEPT, IN_WORK = 3, 6
"""Copies of a layer's values between the passes; of the largest one's, complex ones, within transforms."""
KERNEL_COPIES = 6
PLANAR_COPIES = 8
ATTENTION_COPIES = 4
RINGS, SPOKES = 3, 8


def num_points(band_limit: int) -> int:
    """Returns the rotations of the grid on SO(3) of a bandwidth."""
    return (2 * band_limit) ** 3


def map_sides(network: PlanarCnn, side: int) -> list[int]:
    """Returns the sides of the maps in front of each stage of the encoder, and behind the last.

    Raises:
        ConfigError: a kernel is larger than its map.
    """
    sides = [side]
    for kernel, stride in zip(network.kernels, network.strides, strict=True):
        if kernel > sides[-1]:
            raise ConfigError(
                f"kernels: a kernel of {kernel} x {kernel} meets maps of {sides[-1]} x {sides[-1]} points on a grid of "
                f"{side} x {side}; use smaller kernels, fewer strides or a larger data.bandwidth."
            )
        sides.append((sides[-1] - kernel) // stride + 1)
    return sides


def num_cells(network: SphereNetwork, bandwidth: int) -> int:
    """Returns the points of the sphere that a network sees."""
    nside = network.nside if isinstance(network, SwinNetwork) else None
    return (2 * bandwidth) ** 2 if nside is None else 12 * nside**2


class SwinSize(NamedTuple):
    """What transformers with shifted windows take for one image.

    Attributes:
        values: numbers that a step keeps.
        parameters: weights and biases.
        multiplications: of the outputs.
    """

    values: int
    parameters: int
    multiplications: int


def swin_size(network: SwinNetwork, cells: int) -> SwinSize:
    """Returns the size of a classifier with shifted windows on so many cells."""
    cells //= 4
    channels, outputs = network.channels, OUTPUTS["classify"]
    values, parameters, work = cells * channels, 7 * channels, 4 * channels * cells
    for stage, (depth, heads) in enumerate(zip(network.depths, network.heads, strict=True)):
        if stage:
            cells, channels = cells // 4, 2 * channels
            work += cells * 2 * channels**2
            parameters += 2 * channels**2 + 2 * channels
        window, hidden = min(network.window, cells), network.ratio * channels
        offsets = (2 * round(window**0.5) - 1) ** 2
        linear = 4 * channels**2 + 2 * channels * hidden
        parameters += depth * (linear + 8 * channels + hidden + heads * (1 + offsets))
        values += depth * cells * (10 * channels + 2 * hidden + ATTENTION_COPIES * heads * window)
        work += depth * cells * (linear + 2 * channels * window)
    return SwinSize(values, parameters + 2 * channels + (channels + 1) * outputs, work + channels * outputs)


def activations(network: SphereNetwork, task: Task, bandwidth: int) -> int:
    """Returns the numbers that one image takes in a step."""
    if isinstance(network, SphericalCnn):
        sizes = [num_points(limit) * own for limit, own in zip(network.band_limits, network.features, strict=True)]
        return KEPT * sum(sizes) + IN_WORK * max(sizes)
    if isinstance(network, SwinNetwork):
        return 2 * swin_size(network, num_cells(network, bandwidth)).values
    sides = map_sides(network, 2 * bandwidth)[1:]
    total = sum(side**2 * features for side, features in zip(sides, network.features, strict=True))
    # A decoder has maps of the same sides.
    return PLANAR_COPIES * total * (2 if task == "segment" else 1)


def num_parameters(network: SphereNetwork, task: Task, bandwidth: int = 0) -> int:
    """Returns the weights and biases of a network; those of one with shifted windows depend on its grid."""
    outputs = OUTPUTS[task]
    if isinstance(network, SwinNetwork):
        return swin_size(network, num_cells(network, bandwidth)).parameters
    widths = [1, *network.features]
    pairs = list(itertools.pairwise(widths))
    if isinstance(network, SphericalCnn):
        total = sum((RINGS * SPOKES * (SPOKES if index else 1) * c + 1) * d for index, (c, d) in enumerate(pairs))
        last = RINGS * SPOKES**2 if network.segments else 1
        return total + (last * widths[-1] + 1) * outputs
    total = 0
    for index, ((c, d), kernel) in enumerate(zip(pairs, network.kernels, strict=True)):
        shortcut = 1 if index else 0
        total += (kernel**2 * c + 1) * d + shortcut * (c + 1) * d
        if task == "segment":
            back = c if index else outputs
            total += (kernel**2 * d + 1) * back + shortcut * (d + 1) * back
    return total if task == "segment" else total + (widths[-1] + 1) * outputs


def kernel_numbers(network: SphereNetwork, task: Task, bandwidth: int) -> int:
    """Returns the real numbers in the coefficients of all kernels of a spherical CNN; 0 of a planar one."""
    if not isinstance(network, SphericalCnn):
        return 0
    limits = [*network.band_limits, bandwidth] if network.segments else list(network.band_limits)
    widths = [*network.features, *([OUTPUTS[task]] if network.segments else [])]
    total = 0
    for (before, limit), (c, d) in zip(itertools.pairwise(limits), itertools.pairwise(widths), strict=True):
        low = min(before, limit)
        total += 2 * low * (4 * low**2 - 1) // 3 * c * d
    return total


def step_bytes(stage: SphereStage) -> int:
    """Returns the memory of one network while a step runs."""
    own = activations(stage.network, stage.task, stage.bandwidth) * stage.train.batch_size
    weights = STATE_COPIES["adam"] * num_parameters(stage.network, stage.task, stage.bandwidth)
    return FLOAT_BYTES * (own + weights + KERNEL_COPIES * kernel_numbers(stage.network, stage.task, stage.bandwidth))


def training_bytes(stage: SphereStage, members: int) -> int:
    """Returns the estimated peak memory, in bytes, of training one block.

    Args:
        stage: of the arm.
        members: networks that train at the same time.
    """
    data, points = stage.data, num_cells(stage.network, stage.bandwidth)
    images = (stage.num_images + data.num_validation + 2 * data.num_test) * points
    # On the host and on the device; masks are as large.
    copies = 4 if stage.task == "segment" else 2
    return BASE_BYTES + members * step_bytes(stage) + copies * images


def multiplications(network: SphereNetwork, task: Task, bandwidth: int) -> int:
    """Returns about how many multiplications one image takes; of spherical networks those of transforms."""
    if isinstance(network, SphericalCnn):
        # There and back on every grid: a product with Wigner functions, complex in the two angles about the axis.
        return sum(4 * num_points(b) * b * own for b, own in zip(network.band_limits, network.features, strict=True))
    if isinstance(network, SwinNetwork):
        return swin_size(network, num_cells(network, bandwidth)).multiplications
    sides, widths = map_sides(network, 2 * bandwidth), [1, *network.features]
    pairs = zip(sides[1:], network.kernels, itertools.pairwise(widths), strict=True)
    encoder = sum(side**2 * kernel**2 * c * d for side, kernel, (c, d) in pairs)
    return encoder * (2 if task == "segment" else 1)
