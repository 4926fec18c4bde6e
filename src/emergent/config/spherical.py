"""Typed configuration of group convolutional networks on the sphere."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many
from emergent.config.networks import Network

LARGEST_BAND_LIMIT = 12
"""Degrees are below it: those that exact Wigner matrices are at hand of (``emergent.groups.rotation_harmonics``)."""
BandLimit = Annotated[int, Field(ge=1, le=LARGEST_BAND_LIMIT)]


class SphericalGcnnModel(Network):
    """Convolutions from the sphere to SO(3) and on SO(3), an activation behind each, mean over SO(3), linear head.

    Inputs are functions on the sphere as coefficients of real harmonics, [C, L^2]; outputs are invariant under
    rotations up to what the resolution leaves. Filters cover all of the sphere and of SO(3).

    Attributes:
        channels: of the feature maps behind each convolution, of which the first one lifts.
        band_limit: filters have degrees below it; null for filters of all degrees, at infinite width only.
        resolution: of the quadrature on SO(3) where activations are applied.
        num_outputs: output units.
        parametrisation: weights N(0, 1) times gains in the forward pass, as kernels ask for.
        weight_std: gain of the weights; enters kernels as its square.
        bias_std: standard deviation of the biases; 0 means no biases.

    References:
        arXiv 2406.06504, networks on the sphere.
    """

    family: Literal["spherical_gcnn"]
    channels: Many[PositiveInt] = Field(min_length=1)
    band_limit: BandLimit | None = None
    resolution: PositiveInt = 8
    num_outputs: PositiveInt
    activation: Literal["relu", "leaky_relu", "gelu", "erf"] = "erf"
    parametrisation: Literal["ntk"] = "ntk"
    weight_std: Annotated[float, Field(gt=0)] = 1.0
    bias_std: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _check(self) -> "SphericalGcnnModel":
        if self.band_limit is not None and self.band_limit > self.resolution:
            raise ValueError(
                f"resolution: a quadrature on SO(3) of resolution {self.resolution} integrates squares of lower "
                f"degrees only, found band_limit {self.band_limit}; use a resolution of at least as much"
            )
        return self

    @property
    def hidden_width(self) -> int:
        """Returns the channels of the last convolution."""
        return self.channels[-1]

    def infinitely_wide(self) -> Self:
        """Returns the settings with one channel per convolution."""
        return self.of_width(1)

    def of_width(self, width: int) -> Self:
        """Returns the settings with so many channels in every convolution."""
        return self.model_copy(update={"channels": (width,) * len(self.channels)})

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Returns why functions on the sphere cannot have coefficients of this shape, or None."""
        if len(shape) != 2 or math.isqrt(shape[1]) ** 2 != shape[1]:
            return f"expected coefficients [channels, L^2] of functions on the sphere, found inputs of {tuple(shape)}"
        limit = math.isqrt(shape[1])
        if self.band_limit is None and limit > min(self.resolution, LARGEST_BAND_LIMIT):
            return (
                f"inputs have degrees below {limit}, more than resolution {self.resolution} integrates or than "
                f"the largest band limit {LARGEST_BAND_LIMIT}; name a band_limit or a higher resolution"
            )
        return None

    def missing_kernel(self, shape: Sequence[int]) -> str | None:
        """Returns why there is no kernel of this network on coefficients [C, L^2], or None."""
        return self.misfit(shape)

    def kernel_positions(self, shape: Sequence[int]) -> int:
        """Returns the rotations at which the kernel of a pair of inputs is kept; whatever the inputs, few at a time."""
        del shape
        return 1
