"""Infinite-width kernel functions of fully connected, convolutional and group convolutional networks.

All layers are in NTK parametrisation: weights N(0, 1) times weight_std / sqrt(fan_in), biases bias_std times N(0, 1).
The kernels are scalars per pair of inputs: at infinite width every output channel has the same kernel and different
channels are independent. Precision follows the inputs; use float64.

References:
    arXiv:2406.06504, kernel recursions, and the identity between group convolutional and augmented networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from emergent.errors import ConfigError
from emergent.groups.lattices import lattice_action
from emergent.kernels.activations import activation_layer
from emergent.kernels.functions import KernelFunction, Kernels
from emergent.kernels.group_means import GroupMeanKernel
from emergent.kernels.neural_tangents import stax
from emergent.kernels.offsets import OffsetKernel
from emergent.point_groups import FiniteGroup

Padding = Literal["SAME", "VALID", "CIRCULAR"]


def _kernel_function(layers: Sequence[Any]) -> KernelFunction:
    kernel_of_network = stax.serial(*layers)[2]

    @jax.jit
    def kernel_function(
        first: Float[Array | np.ndarray, "N ..."], second: Float[Array | np.ndarray, "T ..."]
    ) -> Kernels:
        kernels = kernel_of_network(first, second, ("nngp", "ntk"))
        return Kernels(kernels.nngp, kernels.ntk)

    return kernel_function


def mlp_kernel(depth: int, activation: str = "relu", weight_std: float = 1.0, bias_std: float = 0.0) -> KernelFunction:
    """Returns the kernel function of a fully connected network; inputs [N, ...] are flattened.

    Args:
        depth: number of hidden layers; 0 is a linear model.
        activation: ``relu``, ``leaky_relu``, ``gelu`` or ``erf``.
        weight_std: standard deviation W_std of the weights.
        bias_std: standard deviation b_std of the biases; 0 means none.
    """
    layers = [stax.Flatten()]
    for _ in range(depth):
        layers += [_dense(weight_std, bias_std), activation_layer(activation)]
    return _kernel_function([*layers, _dense(weight_std, bias_std)])


def cnn_kernel(
    pools: Sequence[int],
    readout: Literal["flatten", "mean"],
    activation: str = "relu",
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    *,
    strides: Sequence[int] | None = None,
    filter_size: int = 3,
    padding: Padding = "SAME",
    num_hidden_dense: int = 0,
    last_activation: bool = True,
) -> "CnnKernel":
    """Returns the kernel function of a convolutional network for inputs [N, H, W, C].

    Each convolution is followed by the activation and average pooling; then come the readout, hidden dense layers
    with activations, and a linear head.

    Args:
        pools: for each convolution the side of the average-pooling window after it; 1 means none.
        readout: ``flatten`` keeps positions; ``mean`` pools over them, which needs the covariance of all pairs of
            pixels.
        activation: ``relu``, ``leaky_relu``, ``gelu`` or ``erf``.
        weight_std: standard deviation W_std of all weights.
        bias_std: standard deviation b_std of all biases.
        strides: for each convolution its stride; all 1 by default.
        filter_size: side of the square filters.
        padding: ``SAME`` (zeros), ``VALID`` or ``CIRCULAR``.
        num_hidden_dense: hidden dense layers after the readout.
        last_activation: whether the activation follows the last convolution too.
    """
    if readout not in ("flatten", "mean"):
        raise ConfigError(f"readout {readout!r}: expected 'flatten' or 'mean'.")
    if padding == "SAME" and filter_size % 2 == 0:
        raise ConfigError(
            f"filter_size {filter_size}: zeros can surround an image alike on both sides of odd filters only."
        )
    strides = [1] * len(pools) if strides is None else list(strides)
    layers: list[Any] = []
    for i, (pool, stride) in enumerate(zip(pools, strides, strict=True)):
        # With a stride "SAME" pads the far side of even images more, which our networks do not (they would lose the
        # symmetry of turns): all positions are computed and every stride-th is kept.
        inner = 1 if padding == "SAME" else stride
        layers.append(
            # One channel stands for all: the kernel is that of infinitely many, whatever number is passed.
            stax.Conv(
                1,
                (filter_size, filter_size),
                (inner, inner),
                padding=padding,
                W_std=weight_std,
                b_std=bias_std if bias_std > 0 else None,
            )
        )
        if stride > inner:
            layers.append(stax.AvgPool((1, 1), (stride, stride)))
        if last_activation or i < len(pools) - 1:
            layers.append(activation_layer(activation))
        if pool > 1:
            layers.append(stax.AvgPool((pool, pool), (pool, pool)))
    layers.append(stax.GlobalAvgPool() if readout == "mean" else stax.Flatten())
    for _ in range(num_hidden_dense):
        layers += [_dense(weight_std, bias_std), activation_layer(activation)]
    shape = _Positions(tuple(pools), tuple(strides), filter_size, padding)
    fast = None
    if readout == "mean" and set(pools) == {1} == set(strides) and filter_size % 2 and not num_hidden_dense:
        fast = OffsetKernel(len(pools), activation, weight_std, bias_std, filter_size, padding, last_activation)
    return CnnKernel(_kernel_function([*layers, _dense(weight_std, bias_std)]), shape, fast)


@dataclass(frozen=True)
class _Positions:
    """How the positions of feature maps follow from those of an image."""

    pools: tuple[int, ...]
    strides: tuple[int, ...]
    filter_size: int
    padding: Padding

    def require(self, side: int, symmetric: bool = False) -> None:
        """Checks that no pixel is dropped by a pool, nor, where asked, a turned image read at other positions.

        Raises:
            ConfigError: naming the layer.
        """
        for i, (pool, stride) in enumerate(zip(self.pools, self.strides, strict=True)):
            side = side - self.filter_size + 1 if self.padding == "VALID" else side
            if symmetric and stride > 1 and (side - 1) % stride:
                raise ConfigError(
                    f"convolution {i + 1}: stride {stride} on {side} positions reads an image and its turned copy at "
                    "different places, so that no group convolutional network is an average of such kernels; use "
                    f"stride 1, or a size of one more than a multiple of {stride}."
                )
            side = -(-side // stride)
            if side < 1 or side % pool:
                raise ConfigError(
                    f"average pool {i + 1}: expected a divisor of the {side} positions that it sees, found {pool}; the "
                    "networks do not drop pixels."
                )
            side //= pool


class CnnKernel:
    """Kernel function of a convolutional network, which knows on which images its network works.

    Attributes:
        by_offsets: the same kernel in its fast formulation, of networks that have one.
    """

    def __init__(self, layered: KernelFunction, positions: _Positions, by_offsets: OffsetKernel | None = None) -> None:
        """Wraps the compiled kernel function."""
        self.by_offsets = by_offsets
        self._layered = layered
        self._positions = positions

    def require(self, inputs: Float[Array | np.ndarray, "N H W C"], symmetric: bool = False) -> None:
        """Checks images against the network's pools and strides.

        Args:
            inputs: images.
            symmetric: whether turned images must be read at the same positions.

        Raises:
            ConfigError: a pool does not divide what it sees, or a stride breaks the symmetry.
        """
        for side in inputs.shape[1:3]:
            self._positions.require(side, symmetric)

    def layered(
        self, first: Float[Array | np.ndarray, "N H W C"], second: Float[Array | np.ndarray, "T H W C"]
    ) -> Kernels:
        """Returns both kernels [N, T] layer by layer, with all pairs of pixels in memory; may be differentiated.

        Raises:
            ConfigError: the network does not work on images of this size.
        """
        self.require(first)
        return self._layered(first, second)

    def __call__(
        self, first: Float[Array | np.ndarray, "N H W C"], second: Float[Array | np.ndarray, "T H W C"]
    ) -> Kernels:
        """Returns both kernels [N, T], by offsets where that is possible.

        Raises:
            ConfigError: the network does not work on images of this size.
        """
        if self.by_offsets is None or isinstance(first, Tracer) or isinstance(second, Tracer):
            return self.layered(first, second)
        self.require(first)
        return Kernels(*self.by_offsets(np.asarray(first), np.asarray(second)))

    def symmetric(
        self, first: Float[Array | np.ndarray, "N H W C"], second: Float[Array | np.ndarray, "N H W C"]
    ) -> Kernels:
        """Returns both kernels [N, N], known to be symmetric: by offsets little more than one half is computed.

        Raises:
            ConfigError: the network does not work on images of this size.
        """
        if self.by_offsets is None or isinstance(first, Tracer) or isinstance(second, Tracer):
            return self.layered(first, second)
        self.require(first)
        return Kernels(*self.by_offsets(np.asarray(first), np.asarray(second), symmetric=True))


def _dense(weight_std: float, bias_std: float) -> Any:
    return stax.Dense(1, W_std=weight_std, b_std=bias_std if bias_std > 0 else None)


def gcnn_kernel(group: FiniteGroup, cnn: KernelFunction) -> GroupMeanKernel:
    """Returns the kernel function of a group convolutional network (lifting, group convolutions, group mean pool).

    It is the mean over the group of the kernel of the convolutional network with the same filters,
    ``Theta_GCNN(f, f') = 1/|G| sum_g Theta_CNN(f, rho(g) f')``, and likewise for the NNGP kernel. This holds for
    filters and padding that the group maps onto themselves, stride 1, a mean readout over all positions and
    only linear layers after it: build ``cnn`` with ``readout="mean"``, ``num_hidden_dense=0``.

    Args:
        group: a group that acts exactly on the pixels: C1, C2, C4, D1, D2 or D4.
        cnn: kernel function from ``cnn_kernel``.

    Raises:
        ConfigError: the group does not act exactly on a pixel grid (at once) or not on the images given, or these are
            of a size that strides and pools read unlike their turned copies (at call).

    References:
        arXiv:2406.06504, theorem on CNNs and C_n x R^2 group convolutional networks.
    """
    # Called for its error: whether a group maps pixels to pixels does not depend on their number.
    lattice_action(group, 1)
    return GroupMeanKernel(group, cnn)
