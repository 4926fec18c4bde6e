"""Networks on the joints of a body whose layers commute with a group of permutations of the joints.

A layer has one matrix W_o for every orbit o of pairs of joints and one bias for every orbit of joints:
``y_i = sum_j W_o(i, j) x_j + b_o(i)``. The whole symmetric group has two matrices, the trivial one as many as pairs.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on human pose.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

from emergent.config.poses import JointNetwork
from emergent.groups.joints import joint_generators
from emergent.groups.permutations import orbits

AXES = 3
"""Coordinates of a position."""


class OrbitLayer(nn.Module):
    """Linear layer from channels to channels of all joints, with weights by orbits.

    Attributes:
        generators: of the group, permutations of joints as tuples.
        channels: of every joint, behind the layer.
    """

    generators: tuple[tuple[int, ...], ...]
    channels: int

    @nn.compact
    def __call__(self, inputs: Float[Array, "N J C"]) -> Float[Array, "N J D"]:
        """Returns the outputs of a batch."""
        num, joints, channels = inputs.shape
        moves = np.asarray(self.generators)
        pairs, points = orbits(moves, 2), orbits(moves, 1)
        sizes = start_sizes(pairs) / math.sqrt(channels)

        def start(key: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
            return jax.random.normal(key, shape, dtype) * jnp.asarray(sizes, dtype)[:, None, None]

        weights = self.param("weights", start, (len(sizes), channels, self.channels), inputs.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (int(points.max()) + 1, self.channels), inputs.dtype)
        # By a matrix of zeros and ones, because the gradient of a gather is a scatter, which is slow on a CPU.
        matrix = _indicator(pairs, inputs.dtype) @ weights.reshape(len(weights), -1)
        matrix = matrix.reshape(joints, joints, channels, self.channels).transpose(1, 2, 0, 3)
        outputs = inputs.reshape(num, -1) @ matrix.reshape(joints * channels, -1)
        shift = _indicator(points, inputs.dtype) @ bias
        return outputs.reshape(num, joints, -1) + shift[None]


class JointNet(nn.Module):
    """Positions in an image to positions in space: a layer, hidden layers that are added, and a last layer."""

    config: JointNetwork

    @nn.compact
    def __call__(self, inputs: Float[Array, "N J 2"]) -> Float[Array, "N J 3"]:
        """Returns the outputs of a batch."""
        moves = tuple(map(tuple, joint_generators(self.config.group).tolist()))
        hidden = OrbitLayer(moves, self.config.channels)(inputs)
        for _ in range(self.config.depth):
            hidden = hidden + OrbitLayer(moves, self.config.channels)(nn.relu(hidden))
        return OrbitLayer(moves, AXES)(nn.relu(hidden))


def start_sizes(pairs: Int[np.ndarray, " JJ"]) -> Float[np.ndarray, " O"]:
    """Returns the standard deviation of weights by orbit of pairs at the start, for one channel.

    A joint i sees n_o joints with one matrix W_o. Their channels behind a ReLU hardly differ in sign, so that they add
    up and do not cancel: with n_o sqrt(R) in the denominator, for the R orbits that i sees, outputs are as large under
    all groups.

    Args:
        pairs: orbit of each pair of joints, row by row.
    """
    rows = pairs.reshape(math.isqrt(len(pairs)), -1)
    found = np.zeros(int(pairs.max()) + 1)
    for row in rows:
        seen, counts = np.unique(row, return_counts=True)
        found[seen] = 1 / (counts * math.sqrt(len(seen)))
    return found


def _indicator(numbers: Int[np.ndarray, " P"], dtype: jnp.dtype) -> Float[Array, "P O"]:
    return jnp.asarray(np.eye(int(numbers.max()) + 1)[numbers], dtype)
