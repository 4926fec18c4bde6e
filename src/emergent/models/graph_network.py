"""A network on adjacency matrices whose weights may or may not commute with relabelling the nodes.

Layers: matrices to C matrices, these to D numbers, dense, dense; no biases. Relabelling acts on the weights of the
first two; the subspace E of equivariant weights has 15 dimensions per channel in the first layer and 2 in the second,
one per pattern of equal indices.

References:
    arXiv 2303.13458, first version: permutations.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from emergent.config.permutation_training import GraphNetworkSettings
from emergent.models.draws import normal

EPSILON = 1e-5


class GraphWeights(NamedTuple):
    """Weights for graphs of n nodes; P = n * n entries of a matrix, row by row.

    Attributes:
        lift: from entry q of the adjacency matrix to entry p of matrix c.
        pool: from entry p of matrix c to number d.
        hidden: dense.
        output: dense.
    """

    lift: Float[Array, "P Q C"]
    pool: Float[Array, "P C D"]
    hidden: Float[Array, "D H"]
    output: Float[Array, "H 1"]


def index_patterns(num_nodes: int, num_indices: int) -> Int[np.ndarray, " N"]:
    """Returns for every tuple of node indices the number of its pattern of equal indices.

    Tuples of one pattern are one orbit under relabelling; there are 2 for pairs and 15 for four indices.
    """
    tuples = np.indices((num_nodes,) * num_indices).reshape(num_indices, -1).T
    # Two tuples share a pattern when the same positions hold equal indices.
    equal = (tuples[:, :, None] == tuples[:, None, :]).reshape(len(tuples), -1)
    return np.unique(equal, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)


def project(weights: GraphWeights, num_nodes: int) -> GraphWeights:
    """Returns the orthogonal projection onto E: the mean over every orbit of entries."""
    lift = _average(weights.lift.reshape(-1, weights.lift.shape[-1]), index_patterns(num_nodes, 4))
    pool = _average(weights.pool.reshape(num_nodes**2, -1), index_patterns(num_nodes, 2))
    return weights._replace(lift=lift.reshape(weights.lift.shape), pool=pool.reshape(weights.pool.shape))


def _average(values: Float[Array, "N C"], patterns: Int[np.ndarray, " N"]) -> Float[Array, "N C"]:
    num = int(patterns.max()) + 1
    counts = jnp.asarray(np.bincount(patterns, minlength=num)[:, None], values.dtype)

    def mean(parts: Array) -> Array:
        return (jax.ops.segment_sum(parts, jnp.asarray(patterns), num) / counts)[patterns]

    # Sums over thousands of nearly equal numbers round badly; the mean of what they leave over repairs that.
    rough = mean(values)
    return rough + mean(values - rough)


def initial_weights(key: Array, settings: GraphNetworkSettings, num_nodes: int, dtype: Any = jnp.float32) -> Any:
    """Returns Gaussian draws of variance weight_std^2 / fan-in, projected onto E."""
    entries = num_nodes**2
    shapes = (
        ((entries, entries, settings.channels), entries),
        ((entries, settings.channels, settings.features), entries * settings.channels),
        ((settings.features, settings.hidden), settings.features),
        ((settings.hidden, 1), settings.hidden),
    )
    draws = [
        settings.weight_std / fan_in**0.5 * normal(jax.random.fold_in(key, layer), shape, dtype)
        for layer, (shape, fan_in) in enumerate(shapes)
    ]
    return project(GraphWeights(*draws), num_nodes)


def logits(weights: GraphWeights, graphs: Float[Array, "N n n"]) -> Float[Array, " N"]:
    """Returns the logits of graphs being connected."""
    entries = graphs.reshape(graphs.shape[0], -1) - 0.5
    matrices = jax.nn.leaky_relu(jnp.einsum("nq,pqc->npc", entries, weights.lift))
    numbers = jnp.einsum("npc,pcd->nd", matrices, weights.pool)
    centred = numbers - numbers.mean(1, keepdims=True)
    numbers = centred * jax.lax.rsqrt(jnp.square(centred).mean(1, keepdims=True) + EPSILON)
    return (jax.nn.leaky_relu(jax.nn.leaky_relu(numbers) @ weights.hidden) @ weights.output)[:, 0]


def norm(weights: GraphWeights) -> Float[Array, ""]:
    """Returns the Frobenius norm over all layers."""
    return jnp.sqrt(sum((jnp.square(part).sum() for part in weights), jnp.zeros((), weights.lift.dtype)))


def difference(left: GraphWeights, right: GraphWeights) -> GraphWeights:
    """Returns left minus right."""
    return GraphWeights(*(a - b for a, b in zip(left, right, strict=True)))
