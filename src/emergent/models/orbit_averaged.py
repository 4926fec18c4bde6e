"""Mean of a network's outputs over the transformed copies of its input, with the network's own parameters.

References:
    arXiv 2110.03336 (frame averaging; here the frame is the whole group).
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.models import OrbitAveragedModel
from emergent.groups.images import ImageAction, image_action
from emergent.point_groups import group_from_name


class OrbitAveraged(nn.Module):
    """Averages outputs, the logits of a classifier, over a group.

    Attributes:
        config: group, interpolation and fill.
        network: whose outputs are averaged; its parameters lie where they do without this module around it.
    """

    config: OrbitAveragedModel
    network: nn.Module

    def setup(self) -> None:
        """Lets the network's parameters be this module's own."""
        nn.share_scope(self, self.network)

    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the averaged outputs of a batch of images."""
        config = self.config
        group = group_from_name(config.group)
        action = image_action(group, inputs.shape[1], inputs.shape[2], config.interpolation, config.fill)

        def add(network: nn.Module, total: Array, tables: Any) -> tuple[Array, None]:
            (copy,) = ImageAction(*(table[None] for table in tables), frame=action.frame).orbit(inputs)
            return total + network(copy), None

        # Element after element, so that a batch needs no more memory than without copies.
        over = nn.scan(add, variable_broadcast="params", split_rngs={"params": False})
        total = jnp.zeros((inputs.shape[0], config.num_outputs), inputs.dtype)
        return over(self.network, total, (action.indices, action.weights, action.offset))[0] / group.order
