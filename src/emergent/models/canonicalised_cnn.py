"""Convolutional network behind a canonicaliser, which turns every image into a pose of its own choice.

References:
    arXiv 2211.06489 (learned canonicalisation by minimising an energy over the group).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.models import CanonicalisedCnnModel
from emergent.groups.images import image_action
from emergent.models.cnn import Cnn
from emergent.models.layers import ACTIVATIONS, Conv, Dense, average_pool
from emergent.point_groups import group_from_name


class Scores(nn.Module):
    """Small convolutional network from images to one number each."""

    config: CanonicalisedCnnModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, " N"]:
        """Returns the numbers, minus the energies."""
        config = self.config
        gains = (config.parametrisation, config.weight_std, config.bias_std)
        activation, hidden = ACTIVATIONS[config.activation], inputs
        for layer in config.energy:
            hidden = activation(Conv(*gains, layer.channels, config.filter_size, layer.stride)(hidden))
            hidden = average_pool(hidden, layer.average_pool)
        return Dense(*gains, 1)(hidden.reshape(hidden.shape[0], -1))[:, 0]


def best(copies: Float[Array, "G N P"], scores: Float[Array, "G N"]) -> Float[Array, "N P"]:
    """Returns the copy with the largest score; the scores have the gradient of the mean weighted by their softmax."""
    picked = jnp.take_along_axis(copies, scores.argmax(0)[None, :, None], axis=0)[0]
    soft = jax.nn.softmax(scores, 0)
    # Zero forwards, exactly: what is classified is a copy, in training and afterwards.
    nothing = soft - jax.lax.stop_gradient(soft)
    return picked + jnp.einsum("gn,gnp->np", nothing, copies)


def _of_each(scores: Scores, copies: Float[Array, "G N H W C"]) -> Float[Array, "G N"]:
    """Returns the scores of all copies, on a CPU element after element: few images at a time stay in its caches."""
    shared: Any = {"split_rngs": {"params": False}}
    if jax.default_backend() != "cpu":
        return nn.vmap(lambda module, part: module(part), variable_axes={"params": None}, **shared)(scores, copies)
    step = nn.scan(lambda module, carry, part: (carry, module(part)), variable_broadcast="params", **shared)
    return step(scores, (), copies)[1]


class CanonicalisedCnn(nn.Module):
    """Scores all copies of an image with one network, and classifies the best one with another."""

    config: CanonicalisedCnnModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the logits of a batch of images."""
        config = self.config
        group = group_from_name(config.group)
        action = image_action(group, inputs.shape[1], inputs.shape[2], config.interpolation, config.fill)
        copies = action.orbit(inputs)
        # Copies of a copy are the same ones in another order, up to interpolation, and so are their scores.
        scores = _of_each(Scores(config, name="scores"), copies)
        canonical = best(copies.reshape(*copies.shape[:2], -1), scores)
        return Cnn(config, name="classifier")(canonical.reshape(inputs.shape))
