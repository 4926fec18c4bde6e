"""Filter supports written as rows of 0 and 1, e.g. ``["010", "111", "010"]`` for the cross, and networks on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many
from emergent.config.networks import Network

if TYPE_CHECKING:
    # Only for type checkers: every job and the Snakefile import this module, and jaxtyping takes a fifth of a second.
    from jaxtyping import Bool


def support_mask(rows: Sequence[str]) -> Bool[np.ndarray, "k k"]:
    """Returns a support as a mask, row by row from the top.

    Raises:
        ValueError: not a square of odd side made of 0 and 1, or no 1 at all.
    """
    side = len(rows)
    if side == 0 or any(len(row) != side for row in rows):
        raise ValueError(f"a support must be a square: expected {side} rows of {side} digits, found {list(rows)}")
    if any(set(row) - {"0", "1"} for row in rows):
        raise ValueError(f"a support is written with 0 and 1 only, found {list(rows)}")
    if side % 2 == 0:
        raise ValueError(f"a support needs a central pixel: expected an odd side, found {side}")
    mask = np.array([[digit == "1" for digit in row] for row in rows])
    if not mask.any():
        raise ValueError("a support must contain at least one 1; an empty filter passes nothing on")
    return mask


class SupportCnnModel(Network):
    """Convolutional network whose filters live on a support, with unscaled N(0, 1) weights and no biases.

    Each layer convolves with zero padding, averages over 2 x 2 pixels (the first ``num_pooled`` layers), applies tanh
    and normalises each channel of each image over its pixels (no affine part, epsilon 1e-5); a linear layer reads out.

    Attributes:
        channels: output channels, layer by layer.
        num_pooled: so many of the first layers are followed by 2 x 2 average pooling, before the nonlinearity.
        support: rows of 0 and 1; weights exist, and are trained, where it is 1.
        initial_support: weights outside it start at 0 instead of N(0, 1); null takes the whole support.
        num_outputs: logits.

    References:
        arXiv 2410.01452, image experiment.
    """

    family: Literal["support_cnn"]
    channels: Many[PositiveInt] = Field(min_length=1)
    num_pooled: Annotated[int, Field(ge=0)] = 2
    support: Many[str]
    initial_support: Many[str] | None = None
    num_outputs: PositiveInt

    @property
    def hidden_width(self) -> int:
        """Returns the channels of the last convolution."""
        return self.channels[-1]

    @model_validator(mode="after")
    def _check(self) -> SupportCnnModel:
        mask = support_mask(self.support)
        if self.num_pooled > len(self.channels):
            raise ValueError(f"num_pooled: {self.num_pooled} exceeds the {len(self.channels)} layers")
        if self.initial_support is not None:
            initial = support_mask(self.initial_support)
            if initial.shape != mask.shape or (initial & ~mask).any():
                raise ValueError(
                    f"initial_support: expected a part of the support {list(self.support)}, "
                    f"found {list(self.initial_support)}"
                )
        return self
