"""Typed configuration of networks: fully connected, (group) convolutional, on a filter support, on point clouds."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.groups import Interpolation, PlaneGroup
from emergent.config.networks import Network, missing_closed_form
from emergent.config.pointnet import PointNetModel
from emergent.config.spherical import SphericalGcnnModel
from emergent.config.steerable import SteerableCnnModel
from emergent.config.supports import SupportCnnModel
from emergent.point_groups import group_from_name

Activation = Literal["relu", "leaky_relu", "gelu", "erf", "tanh"]
"""``leaky_relu`` has the slope 0.01 below 0, ``gelu`` is x times the normal distribution function (no tanh)."""
Parametrisation = Literal["ntk", "pytorch", "pytorch_unbiased"]
"""``ntk``: weights N(0, 1) scaled by weight_std / sqrt(fan_in) in the forward pass. ``pytorch``: weights and biases
uniform in +-1 / sqrt(fan_in), no scaling; ``pytorch_unbiased``: the same without biases."""

PixelGroup = Literal["C1", "C2", "C4", "D4"]
"""Groups of quarter turns and mirror images, which map pixels to pixels."""


class MlpModel(Network):
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

    def infinitely_wide(self) -> Self:
        """Returns the settings of width 1."""
        return self.model_copy(update={"width": 1})

    def missing_kernel(self, shape: Sequence[int]) -> str | None:
        """Returns why there is no kernel of this network, or None."""
        del shape
        return missing_closed_form(self.parametrisation, self.activation)


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


class CnnModel(Network):
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

    def infinitely_wide(self) -> Self:
        """Returns the settings with one channel per convolution and one unit per dense layer."""
        return self.of_width(1)

    def of_width(self, width: int) -> Self:
        """Returns the settings with so many channels in every convolution, and units in every dense layer."""
        layers = tuple(layer.model_copy(update={"channels": width}) for layer in self.layers)
        return self.model_copy(update={"layers": layers, "dense": (width,) * len(self.dense)})

    def missing_kernel(self, shape: Sequence[int]) -> str | None:
        """Returns why there is no kernel of this network on images [H, W, C], or None."""
        missing = missing_closed_form(self.parametrisation, self.activation)
        if missing is not None:
            return missing
        sides = tuple(shape[:2])
        for index, layer in enumerate(self.layers):
            if any((side - 1) % layer.stride for side in sides):
                # It has a kernel, but not one that turning both images leaves alone, from which the ensemble follows.
                return (
                    f"layers[{index}].stride: an image and its turned copy are read at the same positions only where "
                    f"the stride divides side - 1, found stride {layer.stride} on {sides[0]} x {sides[1]}; use "
                    "stride 1 with average_pool"
                )
            sides = tuple((side - 1) // layer.stride + 1 for side in sides)
            if any(side % layer.average_pool for side in sides):
                return f"layers[{index}].average_pool: {layer.average_pool} does not divide {sides[0]} x {sides[1]}"
            sides = tuple(side // layer.average_pool for side in sides)
        return None

    def kernel_positions(self, shape: Sequence[int]) -> int:
        """Returns the pairs of pixels whose covariance the kernel keeps for a pair of images [H, W, C]."""
        num_pixels = math.prod(shape[:2])
        # Pooling, inside or at the end, needs the covariance of every pixel of the one with every pixel of the other; a
        # stride is computed as one. With one pool, at the end, they pass offset by offset (emergent.kernels.offsets).
        inner = any(layer.average_pool > 1 or layer.stride > 1 for layer in self.layers)
        at_once = inner or (self.readout == "mean" and self.dense)
        return num_pixels**2 if at_once else num_pixels


class GcnnModel(CnnModel):
    """Group convolutional network: lifting layer, group convolutions, mean over group and positions, linear head.

    Attributes:
        group: finite group that maps the pixel lattice to itself exactly: C1, C2, C4 or D4.
    """

    family: Literal["gcnn"]  # type: ignore[assignment]
    group: PixelGroup

    @model_validator(mode="after")
    def _check_group(self) -> "GcnnModel":
        if self.readout != "mean":
            raise ValueError("readout: a group convolutional network pools over group and positions; write 'mean'")
        if any(layer.stride != 1 for layer in self.layers):
            raise ValueError("layers.stride: a stride breaks exact equivariance; use average_pool instead")
        return self

    def missing_kernel(self, shape: Sequence[int]) -> str | None:
        """Returns why there is no kernel of this network on images [H, W, C], or None."""
        if self.dense:
            # The group mean of kernels commutes with linear layers only.
            return "dense: the kernel of a group convolutional network has no hidden dense layers after group pooling"
        return super().missing_kernel(shape)


class CanonicalisedCnnModel(CnnModel):
    """Convolutional network behind a canonicaliser (arXiv 2211.06489): a small network turns its inputs.

    It gives each transformed copy of an image a number, and the copy with the largest one is what the convolutional
    network, with the settings of its base, sees. Exactly invariant where the group maps pixels to pixels.

    Attributes:
        group: of the plane; the arm must be evaluated on the same.
        energy: convolutions of the small network, which keeps positions and ends in one number.
        interpolation: of the copies.
        fill: what enters the copies from outside the frame, as a value of inputs.
    """

    family: Literal["canonicalised_cnn"]  # type: ignore[assignment]
    group: PlaneGroup
    energy: Many[ConvLayer] = Field(min_length=1)
    interpolation: Interpolation = "bilinear"
    fill: float = 0.0

    @property
    def symmetrised(self) -> str:
        """Returns the group."""
        return self.group

    # One that picks one of several images has none, unlike the network of its base.
    missing_kernel = Network.missing_kernel


class OrbitAveragedModel(Network):
    """Mean of a network's outputs over the copies of an input under a group: test-time augmentation, frame averaging.

    Its parameters are those of the network. Exactly invariant where the group maps pixels to pixels. Infinitely wide it
    is a group convolutional network, if the network pools over positions and is linear from there on.

    Attributes:
        network: whose outputs are averaged.
        group: of the plane; the arm must be evaluated on the same.
        interpolation: of the copies.
        fill: what enters the copies from outside the frame, as a value of inputs.
    """

    family: Literal["orbit_averaged"]
    network: Annotated[MlpModel | CnnModel, Field(discriminator="family")]
    group: PlaneGroup
    interpolation: Interpolation = "bilinear"
    fill: float = 0.0

    @property
    def num_outputs(self) -> int:
        """Returns the outputs of the network."""
        return self.network.num_outputs

    @property
    def hidden_width(self) -> int | None:
        """Returns that of the network."""
        return self.network.hidden_width

    @property
    def symmetrised(self) -> str:
        """Returns the group."""
        return self.group

    def trained(self) -> MlpModel | CnnModel:
        """Returns the settings of the network."""
        return self.network

    def infinitely_wide(self) -> Self:
        """Returns the settings with the network's widths 1."""
        return self.model_copy(update={"network": self.network.infinitely_wide()})

    def missing_kernel(self, shape: Sequence[int]) -> str | None:
        """Returns why there is no kernel of this network on images [H, W, C], or None."""
        if self.interpolation == "nearest" and not group_from_name(self.group).on_grid.all():
            # Of two pixels equally near it takes the one of the even row, which is another one in turned images.
            return (
                f"interpolation: the nearest pixels of an image and of its turned copy differ under {self.group}, and "
                "with them the kernel; use 'bilinear'"
            )
        missing = self.network.missing_kernel(shape)
        return None if missing is None else f"network: {missing}"

    def kernel_positions(self, shape: Sequence[int]) -> int:
        """Returns the pairs of pixels whose covariance the network's kernel keeps for a pair of images [H, W, C]."""
        return self.network.kernel_positions(shape)


SymmetricModel = SteerableCnnModel | CanonicalisedCnnModel | OrbitAveragedModel
NetworkModel = MlpModel | CnnModel | GcnnModel | SupportCnnModel | PointNetModel | SphericalGcnnModel | SymmetricModel
Model = Annotated[NetworkModel, Field(discriminator="family")]
