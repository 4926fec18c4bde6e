"""Typed configuration of networks on point clouds, and of how clouds are drawn from meshes."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.config.networks import Network

Initialisation = Literal["xavier", "released"]
"""``xavier``: all weights Gaussian with standard deviation 5/3 sqrt(2 / (fan_in + fan_out)), a law that every rotation
of the input leaves as it is. ``released``: the local and the global net start uniform in +-1 / sqrt(fan_in) instead, as
the released code leaves them; the law of the weights on coordinate differences is then a cube's, not a ball's. Biases
are uniform in +-1 / sqrt(fan_in) in both."""
Normalisation = Literal["per_point", "per_message", "consecutive_rows"]
"""What the layer normalisation inside the local net runs over: all messages and features of a point, the features of
one message, or, as released, blocks of as many consecutive rows of the batch's message list as a point has messages.
That list holds all messages between neighbours, then all messages of points to themselves, so the blocks straddle
points and clouds and the output of a cloud depends on its batch."""


class PointNetModel(Network):
    """Network on point clouds: an encoder of points, one message passing layer, the mean over points, a decoder.

    All nonlinearities are tanh; local and global net normalise after each of theirs (no affine part, epsilon 1e-5).

    Attributes:
        encoder: widths of the dense layers that act on the positions.
        local_net: widths of the layers that act on a message, which is the features of the sending point and its
            position relative to the receiving one; messages are averaged.
        global_net: widths of the layers after the average.
        decoder: widths of the hidden layers after the mean over points.
        num_outputs: logits.

    References:
        arXiv 2410.01452, point-cloud experiment.
    """

    family: Literal["point_net"]
    encoder: Many[PositiveInt] = Field(min_length=1)
    local_net: Many[PositiveInt] = Field(min_length=1)
    global_net: Many[PositiveInt] = Field(min_length=1)
    decoder: Many[PositiveInt] = ()
    num_outputs: PositiveInt
    initialisation: Initialisation
    normalisation: Normalisation

    @property
    def hidden_width(self) -> int:
        """Returns the features of the widest layer."""
        return max(*self.encoder, *self.local_net, *self.global_net, *self.decoder)


class Sampling(StrictModel):
    """How a cloud is drawn from a mesh, at every access anew.

    Attributes:
        num_points: points, independent and uniform on the surface.
        num_neighbours: nearest other points that send messages to a point.
    """

    num_points: PositiveInt
    num_neighbours: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "Sampling":
        if self.num_neighbours >= self.num_points:
            raise ValueError(f"num_neighbours: {self.num_neighbours} of {self.num_points} points have no other point")
        return self
