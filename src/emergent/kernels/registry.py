"""The kernel of a network: settings class to kernel function, one line per architecture.

Kernels have the semantics of the modules in ``emergent.models`` at infinite width: same activation, gains, pooling and
readout. ``missing_kernel`` of the settings refuses networks without a kernel, and those whose kernel changes when both
images are turned. A new architecture is one line in
``KERNELS``, and what its settings say of its kernel (``emergent.config.networks``).
"""

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, cast

from emergent.config.models import CnnModel, GcnnModel, MlpModel, NetworkModel, OrbitAveragedModel
from emergent.config.spherical import SphericalGcnnModel
from emergent.errors import ConfigError
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel, mlp_kernel
from emergent.kernels.functions import KernelFunction
from emergent.kernels.group_means import GroupMeanKernel
from emergent.kernels.spherical import SphericalKernel
from emergent.point_groups import group_from_name


def _mlp(model: MlpModel) -> KernelFunction:
    return mlp_kernel(model.depth, model.activation, model.weight_std, model.bias_std)


def _cnn(model: CnnModel) -> KernelFunction:
    return cnn_kernel(
        [layer.average_pool for layer in model.layers],
        model.readout,
        model.activation,
        model.weight_std,
        model.bias_std,
        strides=[layer.stride for layer in model.layers],
        filter_size=model.filter_size,
        num_hidden_dense=len(model.dense),
    )


def _gcnn(model: GcnnModel) -> KernelFunction:
    return gcnn_kernel(group_from_name(model.group), _cnn(model))


def spherical_kernel(model: SphericalGcnnModel, head: bool = True) -> SphericalKernel:
    """Returns the kernel function of a network on the sphere, with its linear head or without.

    Args:
        model: settings of the network; its widths do not matter.
        head: whether the linear head follows the mean over rotations.
    """
    gains = model.weight_std, model.bias_std
    return SphericalKernel(len(model.channels), model.activation, *gains, model.band_limit, model.resolution, head)


def _orbit_averaged(model: OrbitAveragedModel) -> KernelFunction:
    network = KERNELS[type(model.network)](model.network)
    return GroupMeanKernel(group_from_name(model.group), network, model.interpolation, model.fill)


KERNELS: dict[type[NetworkModel], Callable[[Any], KernelFunction]] = {
    MlpModel: _mlp,
    CnnModel: _cnn,
    GcnnModel: _gcnn,
    OrbitAveragedModel: _orbit_averaged,
    SphericalGcnnModel: spherical_kernel,
}


def kernel_function(model: NetworkModel, shape: tuple[int, ...]) -> KernelFunction:
    """Returns the kernel function of a network at infinite width.

    Args:
        model: settings of the network; its widths do not matter.
        shape: of one input, [H, W, C] for images.

    Raises:
        ConfigError: the network has no kernel here, or one that would mean another network on inputs of this shape.
    """
    missing = model.missing_kernel(shape)
    if missing is not None:
        raise ConfigError(f"no infinite-width kernel: {missing}.")
    # With the widths taken out, arms that differ in nothing else share one compiled kernel.
    return _made(type(model), cast(Hashable, model.infinitely_wide()))


@cache
def _made(family: type[NetworkModel], model: Hashable) -> KernelFunction:
    # Kept, because every kernel function brings its own compiled programs.
    return KERNELS[family](model)
