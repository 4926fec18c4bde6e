"""What a kernel function is: both kernels of pairs of inputs, and of symmetric sets of pairs at half the cost."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float


class Kernels(NamedTuple):
    """Both kernels of the same pairs of inputs.

    Attributes:
        nngp: covariance of the outputs at initialisation, K.
        ntk: neural tangent kernel, Theta.
    """

    nngp: Float[Array | np.ndarray, "*pairs"]
    ntk: Float[Array | np.ndarray, "*pairs"]


KernelFunction = Callable[[Float[Array | np.ndarray, "N ..."], Float[Array | np.ndarray, "T ..."]], Kernels]
"""Maps inputs [N, ...] and [T, ...] to kernels [N, T]."""


def halves_symmetric_pairs(kernel_function: KernelFunction) -> bool:
    """Returns whether ``symmetric_kernels`` computes little more than one half: that of kernels by offsets."""
    return getattr(kernel_function, "by_offsets", None) is not None and hasattr(kernel_function, "symmetric")


def symmetric_kernels(
    kernel_function: KernelFunction,
    first: Float[Array | np.ndarray, "N ..."],
    second: Float[Array | np.ndarray, "N ..."],
) -> Kernels:
    """Returns kernels [N, N] that are known to be symmetric, such as those of inputs with themselves.

    Kernel functions that can leave one half out have a method ``symmetric``; others compute both.
    """
    symmetric: KernelFunction = getattr(kernel_function, "symmetric", kernel_function)
    return symmetric(first, second)
