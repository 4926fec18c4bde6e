"""Kernels of networks of finite width, from their outputs and parameter gradients."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float, PyTree

from emergent.kernels.functions import Kernels
from emergent.kernels.neural_tangents import empirical_kernel_fn


def empirical_kernels(
    apply: Callable[[Any, Float[Array, "N ..."]], Float[Array, "N K"]],
    parameters: PyTree,
    first: Float[Array, "N ..."],
    second: Float[Array, "T ..."],
) -> Kernels:
    """Returns both kernels [N, T] of one network, averaged over its K output channels.

    For wide networks in NTK parametrisation both approach the infinite-width kernels.

    Args:
        apply: ``apply(parameters, inputs)``, for a Flax module ``module.apply``.
        parameters: any pytree; gradients with respect to all its leaves enter the NTK.
        first: inputs.
        second: inputs.
    """
    kernels = empirical_kernel_fn(apply)(first, second, ("nngp", "ntk"), parameters)
    return Kernels(kernels.nngp, kernels.ntk)
