"""Typed configuration of networks: fully connected, (group) convolutional, on a filter support, on point clouds."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.pointnet import PointNetModel
from emergent.config.supports import support_mask

Activation = Literal["relu", "erf", "tanh"]
Parametrisation = Literal["ntk", "pytorch", "pytorch_unbiased"]
"""``ntk``: weights N(0, 1) scaled by weight_std / sqrt(fan_in) in the forward pass. ``pytorch``: weights and biases
uniform in +-1 / sqrt(fan_in), no scaling; ``pytorch_unbiased``: the same without biases."""


class MlpModel(StrictModel):
    """Fully connected network with ``depth`` hidden layers of equal width.

    Attributes:
        width: units per hidden layer.
        depth: number of hidden layers.
        num_outputs: output units; for site energies the number of lattice sites.
        weight_std: gain of the weights; enters kernels as its square.
        bias_std: standard deviation of the biases; 0 means no biases.
    """

    family: Literal["mlp"]
    width: PositiveInt
    depth: PositiveInt = 1
    num_outputs: PositiveInt
    activation: Activation = "relu"
    parametrisation: Parametrisation = "ntk"
    weight_std: Annotated[float, Field(gt=0)] = 1.0
    bias_std: Annotated[float, Field(ge=0)] = 0.0

    @property
    def hidden_width(self) -> int:
        """Returns the units of a hidden layer."""
        return self.width


class ConvLayer(StrictModel):
    """One convolution, its nonlinearity, and average pooling after it.

    Attributes:
        channels: output channels (per group element in a group convolutional network).
        stride: step of the filter in pixels.
        average_pool: side of the square, non-overlapping pooling window; 1 means none.
    """

    channels: PositiveInt
    stride: PositiveInt = 1
    average_pool: PositiveInt = 1


class CnnModel(StrictModel):
    """Convolutional network: odd square filters, zero padding, then flatten or mean pool, then dense layers.

    Attributes:
        layers: the convolutions in order.
        filter_size: side of the square filter; odd, so that it maps to itself under quarter turns.
        readout: ``flatten`` keeps positions, ``mean`` pools over them.
        dense: widths of hidden dense layers after the readout.
        num_outputs: logits.
    """

    family: Literal["cnn"]
    layers: Many[ConvLayer]
    filter_size: PositiveInt = 3
    readout: Literal["flatten", "mean"]
    dense: Many[PositiveInt] = ()
    num_outputs: PositiveInt
    activation: Activation = "relu"
    parametrisation: Parametrisation = "ntk"
    # sqrt(2): a ReLU halves the second moment, and this gain keeps it from layer to layer.
    weight_std: Annotated[float, Field(gt=0)] = 1.4142135623730951
    bias_std: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _check(self) -> "CnnModel":
        if not self.layers:
            raise ValueError("layers: expected at least one convolution, found none")
        if self.filter_size % 2 == 0:
            raise ValueError(f"filter_size: expected an odd number, found {self.filter_size}")
        return self

    @property
    def hidden_width(self) -> int:
        """Returns the channels of the last convolution."""
        return self.layers[-1].channels


class GcnnModel(CnnModel):
    """Group convolutional network: lifting layer, group convolutions, mean over group and positions, linear head.

    Attributes:
        group: finite group that maps the pixel lattice to itself exactly: C1, C2, C4 or D4.
    """

    family: Literal["gcnn"]  # type: ignore[assignment]
    group: Literal["C1", "C2", "C4", "D4"]

    @model_validator(mode="after")
    def _check_group(self) -> "GcnnModel":
        if self.readout != "mean":
            raise ValueError("readout: a group convolutional network pools over group and positions; write 'mean'")
        if any(layer.stride != 1 for layer in self.layers):
            raise ValueError("layers.stride: a stride breaks exact equivariance; use average_pool instead")
        return self


class SupportCnnModel(StrictModel):
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
    def _check(self) -> "SupportCnnModel":
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


NetworkModel = MlpModel | CnnModel | GcnnModel | SupportCnnModel | PointNetModel
Model = Annotated[NetworkModel, Field(discriminator="family")]
