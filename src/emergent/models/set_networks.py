"""Networks on sets of features of point clouds, and distances of what they find.

Layers as in the released code's library: weights and biases uniform in +-1 / sqrt(fan_in), hidden layers with batch
normalisation and ReLU, the last one linear. The affine map alone starts as the identity.

References:
    arXiv 2405.08097, experiment on distances of point clouds.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.cloud_distance import CloudNetwork
from emergent.models.cloud_features import CentroidFeatures, ProductFeatures
from emergent.models.relaxed import RelaxedNetwork

EMBEDDING, STATISTICS = "embedding", "batch_stats"
TINY = 1e-12


def uniform_by_inputs(fan_in: int) -> nn.initializers.Initializer:
    """Returns what draws numbers uniform in +-1 / sqrt(fan_in)."""

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


def dense(inputs: int, outputs: int, use_bias: bool = True) -> nn.Dense:
    """Returns a linear layer."""
    draw = uniform_by_inputs(inputs)
    return nn.Dense(outputs, use_bias=use_bias, kernel_init=draw, bias_init=draw)


class Layers(nn.Module):
    """Linear layers, those in between normalised over all axes but the last.

    Attributes:
        widths: of the hidden layers and of the outputs.
        known: statistics are those that are given; otherwise those of the inputs, which are kept.
    """

    widths: tuple[int, ...]
    known: bool

    @nn.compact
    def __call__(self, inputs: Float[Array, "... size"]) -> Float[Array, "... K"]:
        """Returns the outputs."""
        values = inputs
        for width in self.widths[:-1]:
            values = dense(values.shape[-1], width)(values)
            # Nothing of former statistics is kept: those of one look at the inputs are what is asked for.
            values = nn.relu(nn.BatchNorm(use_running_average=self.known, momentum=0.0)(values))
        return dense(values.shape[-1], self.widths[-1])(values)


class SetNetwork(nn.Module):
    """Sum over the elements of a set, between networks of elements and of sums.

    Attributes:
        hidden: width h: elements through h and 2h, sums through h.
        known: see ``Layers``.
    """

    hidden: int
    known: bool

    @nn.compact
    def __call__(self, elements: Float[Array, "N E size"]) -> Float[Array, "N h"]:
        """Returns what is found of each set."""
        found = Layers((self.hidden, 2 * self.hidden), self.known)(elements)
        return Layers((self.hidden,), self.known)(found.sum(1))


class CloudEmbedding(nn.Module):
    """Features of clouds to points of a space where distances are taken.

    Attributes:
        network: settings.
        known: see ``Layers``.
    """

    network: CloudNetwork
    known: bool

    @nn.compact
    def __call__(self, features: Any) -> Float[Array, "N K"]:
        """Returns the embedding of each cloud; ``features`` are as ``emergent.models.cloud_features`` makes them."""
        hidden, known = self.network.hidden, self.known
        match features:
            case ProductFeatures():
                parts = [SetNetwork(hidden, known)(features.diagonal), SetNetwork(hidden, known)(features.upper),
                         Layers((hidden, hidden), known)(features.mixed)]  # fmt: skip
            case CentroidFeatures():
                size = features.centroids.shape[-1]
                parts = [Layers((2 * size, hidden), known)(features.centroids),
                         SetNetwork(hidden, known)(features.products)]  # fmt: skip
            case _:
                parts = [SetNetwork(hidden, known)(features)]
        return Layers((hidden, self.network.outputs), known)(jnp.concatenate(parts, -1))


class CloudDistance(nn.Module):
    """Affine functions of Euclidean distances between linear maps of embeddings.

    Attributes:
        network: settings of the embedding.
        known: see ``Layers``.
    """

    network: CloudNetwork
    known: bool = False

    def setup(self) -> None:
        """Makes the three parts."""
        if self.network.relaxed:
            # Without a parent here: they are parts of the module that they are given to.
            parts = (CloudEmbedding(self.network, self.known, parent=None) for _ in range(2))
            self.embedding = RelaxedNetwork(*parts)
        else:
            self.embedding = CloudEmbedding(self.network, self.known)
        self.metric = dense(self.network.outputs, self.network.outputs, use_bias=False)
        # Drawn at random it is as often negative: distances then shrink to nothing before it has turned.
        self.affine = nn.Dense(1, kernel_init=nn.initializers.ones)

    def __call__(self, first: Any, second: Any) -> Float[Array, "A B"]:
        """Returns the distances of all pairs; statistics of both are taken apart, and the last ones are kept."""
        return self.distances(self.embed(first), self.embed(second))

    def embed(self, features: Any) -> Float[Array, "N K"]:
        """Returns the embedding of each cloud; ``features`` are those of ``emergent.domains.cloud_pairs.resident``."""
        return self.embedding(*features) if self.network.relaxed else self.embedding(features)

    def distances(self, first: Float[Array, "A K"], second: Float[Array, "B K"]) -> Float[Array, "A B"]:
        """Returns the distances of all pairs of embeddings."""
        apart = self.metric(first)[:, None] - self.metric(second)[None]
        return self.affine(jnp.sqrt(jnp.square(apart).sum(-1) + TINY)[..., None])[..., 0]
