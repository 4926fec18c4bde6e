"""A network on functions on a set of points whose weights may or may not commute with a group that permutes the points.

Layers: functions to functions, then (where numbers are wanted) functions to numbers, then dense ones; no biases, leaky
ReLU between them. The group acts on the weights of layers that see points; the subspace E of equivariant weights has
one dimension for each pair of channels and orbit of pairs of points, or of points in the layer that ends in numbers.

References:
    arXiv 2303.13458, first version.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from emergent.config.departure_training import OrbitNetwork
from emergent.groups.permutations import orbits
from emergent.models.draws import normal

EPSILON = 1e-5


class OrbitWeights(NamedTuple):
    """Weights on P points.

    Attributes:
        maps: [P, C, P, D] each, from channel c at the first point to channel d at the second.
        pool: [P, C, F] or None.
        dense: [F, H] each.
    """

    maps: tuple[Float[Array, "P C P D"], ...]
    pool: Float[Array, "P C F"] | None
    dense: tuple[Float[Array, "F H"], ...]


@dataclass(frozen=True)
class Orbits:
    """Numbers of the orbits of pairs [P P] and of points [P], row by row."""

    pairs: Int[np.ndarray, " PP"]
    points: Int[np.ndarray, " P"]

    @classmethod
    def of(cls, generators: Int[np.ndarray, "K P"]) -> "Orbits":
        """Returns the orbits of the group that some permutations generate."""
        return cls(orbits(generators, 2), orbits(generators, 1))


def project(weights: OrbitWeights, symmetry: Orbits) -> OrbitWeights:
    """Returns the orthogonal projection onto E: the mean over every orbit of entries."""
    maps = []
    for weight in weights.maps:
        pairs = weight.swapaxes(1, 2)
        mean = _average(pairs.reshape(len(symmetry.pairs), -1), symmetry.pairs)
        maps.append(mean.reshape(pairs.shape).swapaxes(1, 2))
    pool = weights.pool
    if pool is not None:
        pool = _average(pool.reshape(len(pool), -1), symmetry.points).reshape(pool.shape)
    # Dense layers see no points: the group leaves them as they are, and all of them lie in E.
    return OrbitWeights(tuple(maps), pool, weights.dense)


def _average(values: Float[Array, "N C"], numbers: Int[np.ndarray, " N"]) -> Float[Array, "N C"]:
    num = int(numbers.max()) + 1
    counts = jnp.asarray(np.bincount(numbers, minlength=num)[:, None], values.dtype)

    def mean(parts: Array) -> Array:
        return (jax.ops.segment_sum(parts, jnp.asarray(numbers), num) / counts)[numbers]

    # Sums over thousands of nearly equal numbers round badly; the mean of what they leave over repairs that.
    rough = mean(values)
    return rough + mean(values - rough)


def initial_weights(
    key: Array, settings: OrbitNetwork, symmetry: Orbits, num_outputs: int, dtype: Any = jnp.float32
) -> OrbitWeights:
    """Returns Gaussian draws of variance weight_std^2 / fan-in, projected onto E."""
    points = len(symmetry.points)
    # Without features one more layer from functions to functions makes the output.
    channels = (1, *settings.channels, *(() if settings.features else (num_outputs,)))
    shapes = [(points, c, points, d) for c, d in pairwise(channels)]
    num_maps = len(shapes)
    if settings.features:
        widths = (settings.features, *settings.hidden, num_outputs)
        shapes += [(points, channels[-1], settings.features), *pairwise(widths)]
    draws = []
    for layer, shape in enumerate(shapes):
        fan_in = shape[0] if len(shape) == 2 else points * shape[1]
        draws.append(settings.weight_std / fan_in**0.5 * normal(jax.random.fold_in(key, layer), shape, dtype))
    pool = draws[num_maps] if settings.features else None
    return project(OrbitWeights(tuple(draws[:num_maps]), pool, tuple(draws[num_maps + 1 :])), symmetry)


def outputs(weights: OrbitWeights, inputs: Float[Array, "N P"], normalise: bool) -> Float[Array, "N ..."]:
    """Returns numbers [N, K], or functions [N, P, K] where the network has no features."""
    hidden = inputs[..., None]
    for index, weight in enumerate(weights.maps):
        hidden = jax.nn.leaky_relu(hidden) if index else hidden
        hidden = hidden.reshape(len(hidden), -1) @ weight.reshape(weight.shape[0] * weight.shape[1], -1)
        hidden = hidden.reshape(len(hidden), *weight.shape[2:])
    if weights.pool is None:
        return hidden
    numbers = jax.nn.leaky_relu(hidden).reshape(len(hidden), -1) @ weights.pool.reshape(-1, weights.pool.shape[-1])
    if normalise:
        centred = numbers - numbers.mean(1, keepdims=True)
        numbers = centred * jax.lax.rsqrt(jnp.square(centred).mean(1, keepdims=True) + EPSILON)
    for weight in weights.dense:
        numbers = jax.nn.leaky_relu(numbers) @ weight
    return numbers


def norm(weights: OrbitWeights) -> Float[Array, ""]:
    """Returns the Frobenius norm over all layers."""
    parts = jax.tree.leaves(weights)
    return jnp.sqrt(sum((jnp.square(part).sum() for part in parts), jnp.zeros((), parts[0].dtype)))


def difference(left: OrbitWeights, right: OrbitWeights) -> OrbitWeights:
    """Returns left minus right."""
    return jax.tree.map(jnp.subtract, left, right)
