"""What the settings of every network tell about it, beside how it is built: its width, its limit, its kernel."""

from collections.abc import Sequence
from typing import Any, Self

from emergent.config.base import StrictModel

CLOSED_FORMS = ("relu", "leaky_relu", "gelu", "erf")
"""Activations whose Gaussian expectations are known in closed form."""
LEAKY_SLOPE = 0.01
"""Slope of ``leaky_relu`` below 0, the default of Flax and of PyTorch."""


class Network(StrictModel):
    """Settings of a network; what is said here holds for one without hidden layers and without a kernel."""

    @property
    def hidden_width(self) -> int | None:
        """Returns the units of a hidden layer, or channels of the last convolution; None without hidden layers."""
        return None

    @property
    def symmetrised(self) -> str | None:
        """Returns the group whose copies of an input the network compares or averages; its arm is evaluated on it."""
        return None

    def trained(self) -> Any:
        """Returns the settings of the network whose parameters these are: another one if it is used differently."""
        return self

    def infinitely_wide(self) -> Self:
        """Returns the settings with all hidden widths 1: equal for networks that share an infinitely wide one."""
        return self

    def missing_kernel(self, shape: Sequence[int]) -> str | None:
        """Returns why ``emergent.kernels.registry`` has no kernel that means the same network, or None if it has one.

        Args:
            shape: of one input, [H, W, C] for images.
        """
        del shape
        return f"family {getattr(self, 'family', '')!r} has no kernel in emergent.kernels.registry"

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Returns why the network cannot have inputs of a shape, in a way that sizes alone do not tell, or None.

        Args:
            shape: of one input, [H, W, C] for images.
        """
        del shape
        return None

    def kernel_positions(self, shape: Sequence[int]) -> int:
        """Returns the pairs of positions whose covariance its kernel keeps, layer by layer, for a pair of inputs.

        Args:
            shape: of one input, [H, W, C] for images.
        """
        del shape
        return 1


def missing_closed_form(parametrisation: str, activation: str) -> str | None:
    """Returns why no layer with these settings has a kernel in closed form, or None if it has one."""
    if parametrisation != "ntk":
        return f"kernels are those of parametrisation 'ntk', found {parametrisation!r}"
    if activation not in CLOSED_FORMS:
        return f"activation {activation!r} has no closed-form kernel; use one of {', '.join(CLOSED_FORMS)}"
    return None
