"""Recurrent networks on graphs, whose candidate states are convolutions with weights shared by clusters of nodes.

References:
    Li, Yu, Shahabi and Liu, ICLR 2018 (gated recurrent units with diffusion on graphs); Huang, Levie and Villar,
    NeurIPS 2023 (weights by clusters).
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int


def random_walks(weights: Float[np.ndarray, "N N"]) -> Float[np.ndarray, "2 N N"]:
    """Returns what takes values a step along the ways of a graph, and a step against them.

    A step along spreads what a node has over the nodes that its ways lead to, in proportion to their weights, so that
    the columns of either matrix sum to one.
    """
    along, against = (matrix / matrix.sum(1, keepdims=True) for matrix in (weights, weights.T))
    return np.stack([along.T, against.T])


class DiffusionCell(nn.Module):
    """Gated recurrent unit: gates see a node alone, the candidate also what a step of both random walks brings to it.

    Attributes:
        units: U of the state.
        clusters: each has weights and biases of its own in the candidate; all start alike.
    """

    units: int
    clusters: int

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "B N F"],
        state: Float[Array, "B N U"],
        walks: Float[Array, "2 N N"],
        cluster: Int[Array, " N"],
    ) -> Float[Array, "B N U"]:
        """Returns the state after one step; ``cluster`` is that of each node."""
        draw = nn.initializers.glorot_normal()
        gates = nn.Dense(2 * self.units, kernel_init=draw, bias_init=nn.initializers.ones)(
            jnp.concatenate([inputs, state], -1)
        )
        reset, update = jnp.split(nn.sigmoid(gates), 2, -1)
        mixed = jnp.concatenate([inputs, reset * state], -1)
        seen = jnp.concatenate([mixed, *(jnp.einsum("nm,bmf->bnf", walk, mixed) for walk in walks)], -1)

        def copies(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            return jnp.broadcast_to(draw(key, shape[1:]), shape)

        weights = self.param("weights", copies, (self.clusters, seen.shape[-1], self.units))
        biases = self.param("biases", nn.initializers.zeros, (self.clusters, self.units))
        if self.clusters == 1:
            found = seen @ weights[0] + biases[0][None, None]
        else:
            found = jnp.einsum("bnf,nfu->bnu", seen, weights[cluster]) + biases[cluster][None]
        return update * state + (1 - update) * jnp.tanh(found)


class TrafficNet(nn.Module):
    """Encoder of past steps, decoder of future ones.

    Attributes:
        units: of the state of a node.
        clusters: of nodes.
    """

    units: int
    clusters: int

    def setup(self) -> None:
        """Makes both cells, and what reads speeds off states."""
        self.encoder = DiffusionCell(self.units, self.clusters)
        self.decoder = DiffusionCell(self.units, self.clusters)
        self.project = nn.Dense(1)

    def __call__(
        self,
        past: Float[Array, "B P N F"],
        walks: Float[Array, "2 N N"],
        cluster: Int[Array, " N"],
        true: Float[Array, "B H N"],
        told: Bool[Array, " H"],
    ) -> Float[Array, "B H N"]:
        """Returns predictions of H steps.

        Args:
            past: inputs.
            walks: see ``random_walks``.
            cluster: of each node.
            true: what is to be predicted, in the units of predictions.
            told: whether the decoder goes on from the true value of a step and not from its own.
        """
        start = jnp.zeros((past.shape[0], past.shape[2], self.units), past.dtype)
        nothing = jnp.zeros(start.shape[:2], past.dtype)

        def see(net: "TrafficNet", state: Array, inputs: Array) -> tuple[Array, None]:
            return net.encoder(inputs, state, walks, cluster), None

        def go_on(
            net: "TrafficNet", carry: tuple[Array, Array], known: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array], Array]:
            state = net.decoder(carry[1][..., None], carry[0], walks, cluster)
            own = net.project(state)[..., 0]
            return (state, jnp.where(known[1], known[0], own)), own

        shared = {"variable_broadcast": "params", "split_rngs": {"params": False}}
        state, _ = nn.scan(see, **shared)(self, start, past.swapaxes(0, 1))
        _, found = nn.scan(go_on, **shared)(self, (state, nothing), (true.swapaxes(0, 1), told))
        return found.swapaxes(0, 1)


def departure(weights: Float[np.ndarray, "C F U"]) -> float:
    """Returns how far the weights of clusters are from their mean, root mean square, relative to its norm."""
    mean = weights.mean(0, keepdims=True)
    return float(np.sqrt(np.square(weights - mean).sum((1, 2)).mean() / np.square(mean).sum()))
