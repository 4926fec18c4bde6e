"""Typed configuration of networks that are steerable under rotations C_n, and of the image sizes that they allow."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, StringConstraints

from emergent.config.base import Many, StrictModel
from emergent.config.networks import Network

# How far from the size found others are proposed.
NEARBY = 8


class SteerableLayer(StrictModel):
    """One steerable convolution, its nonlinearity, and average pooling after it.

    Attributes:
        fields: regular fields, each of as many channels as the group has elements.
        filter_size: side of the square filter; an even one needs an even stride.
        stride: step of the filter in pixels.
        average_pool: side of the square, non-overlapping pooling window; 1 means none.
    """

    fields: PositiveInt
    filter_size: Annotated[int, Field(ge=2)] = 5
    stride: PositiveInt = 1
    average_pool: PositiveInt = 1

    def padding(self, side: int) -> int | None:
        """Returns the zeros on either side of an image, or None where both sides cannot get as many.

        The filter's positions then lie symmetrically about the centre of the image, which quarter turns need.
        """
        reach = self.stride * (math.ceil(side / self.stride) - 1) + self.filter_size - side
        return None if reach % 2 or reach < 0 else reach // 2


class SteerableCnnModel(Network):
    """Convolutional network of regular fields of C_n, whose logits are invariant.

    Filters are circular harmonics times Gaussian rings (``emergent.groups.harmonics``). A lifting layer is followed by
    group convolutions, ReLUs and average pools; at the end each field is pooled over the group (its largest value),
    then come dense layers. Quarter turns are exact where n is a multiple of 4; other angles up to sampling.

    Attributes:
        group: rotations by multiples of 360 / n degrees, C4, C8, C16 ...
        layers: the convolutions in order, of which the first one lifts the image.
        whole_map_fields: regular fields of a last filter that is as large as what the layers leave of the image, and
            has one position; null takes the mean over positions in its place.
        disc: sets the image to zero outside the disc in its frame, where turned images have lost their corners.
        dense: widths of hidden dense layers on the invariant features.
        num_outputs: logits.
        parametrisation: as in ``emergent.config.models``, and ``he``: weights start as N(0, 2 / fan_in), biases as 0.
            Weights are the coefficients of basis functions, which have norm one over the taps.
        weight_std: gain of the weights of ``he`` and ``ntk``.
        bias_std: of the biases of ``ntk``; 0 means no biases there.

    References:
        arXiv 1911.08251.
    """

    family: Literal["steerable_cnn"]
    group: Annotated[str, StringConstraints(pattern=r"^C[1-9][0-9]{0,2}$")]
    layers: Many[SteerableLayer] = Field(min_length=1)
    whole_map_fields: PositiveInt | None = None
    disc: bool = False
    dense: Many[PositiveInt] = ()
    num_outputs: PositiveInt
    parametrisation: Literal["he", "ntk", "pytorch"] = "he"
    # sqrt(2): a ReLU halves the second moment, and this gain keeps it from layer to layer.
    weight_std: Annotated[float, Field(gt=0)] = 1.4142135623730951
    bias_std: Annotated[float, Field(ge=0)] = 0.0

    @property
    def hidden_width(self) -> int:
        """Returns the fields of the last convolution."""
        return self.whole_map_fields or self.layers[-1].fields

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Returns which layer would break the symmetry of images [H, W, C], with the sizes that work, or None."""
        if len(set(shape[:2])) > 1 and (self.disc or self.whole_map_fields):
            return f"disc, whole_map_fields: expected square images, found {shape[0]} x {shape[1]}"
        found = next((text for side in shape[:2] for text in self._faults(side)), None)
        if found is None:
            return None
        near = range(max(2, max(shape[:2]) - NEARBY), max(shape[:2]) + NEARBY + 1)
        working = [str(side) for side in near if not list(self._faults(side))]
        return f"{found}; sides near {max(shape[:2])} that work: {', '.join(working) or 'none'}"

    def _faults(self, side: int) -> Iterator[str]:
        """Yields the first layer that does not fit an image of this side."""
        for index, layer in enumerate(self.layers):
            if layer.padding(side) is None:
                filters = f"a filter of side {layer.filter_size} with stride {layer.stride}"
                yield (
                    f"layers[{index}]: {filters} has no positions on {side} x {side} that quarter turns map onto each "
                    f"other (stride 2 takes odd filters on odd sides, even ones on even sides)"
                )
                return
            side = math.ceil(side / layer.stride)
            if side % layer.average_pool:
                yield f"layers[{index}].average_pool: {layer.average_pool} does not divide {side} x {side}"
                return
            side //= layer.average_pool
        if self.whole_map_fields and side < 2:
            yield f"whole_map_fields: the layers leave {side} x {side} of the image, too little for a filter"
