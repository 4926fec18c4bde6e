"""Layers that commute with a group of matrices, on sums of tensors: linear, bilinear and gated.

Tensors have upper indices only: with the metric of the group an index can be lowered, so that the others are these in
other components. Samples are flat, see ``emergent.groups.tensors.TensorSpace``, and lie on the last axis between layers
[size, N]: tensors are then cut out without copies, and products of those of each sample fill vectors.

References:
    arXiv 2104.09459, section 6.
"""

import math
from collections import Counter
from itertools import accumulate, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.groups.equivariant_maps import invariant_tensors
from emergent.groups.matrix_groups import matrix_group
from emergent.groups.small_products import small_products
from emergent.groups.tensors import TensorSpace
from emergent.models.draws import normal

BILINEAR_GAIN = 0.1


def spread_channels(channels: int, dimension: int) -> TensorSpace:
    """Returns a space of so many numbers, about equally many for tensors of each rank that fits."""
    numbers: Counter[int] = Counter()
    while channels > 0:
        rank = 0
        while (rank + 2) * dimension ** (rank + 1) <= channels:
            rank += 1
        for lower in range(rank + 1):
            numbers[lower] += dimension ** (rank - lower)
        channels -= (rank + 1) * dimension**rank
    return TensorSpace(dimension, tuple((numbers[rank], rank) for rank in sorted(numbers)))


def gated(space: TensorSpace) -> TensorSpace:
    """Returns a space with one scalar more, at its end, for every tensor that has indices."""
    gates = sum(number for number, rank in space.types if rank)
    return TensorSpace(space.dimension, (*space.types, (gates, 0)) if gates else space.types)


def _split(space: TensorSpace, values: Float[Array, "size N"]) -> list[Float[Array, "number components N"]]:
    """Returns the tensors of each type."""
    parts = jnp.split(values, space.ends)
    return [part.reshape(number, -1, part.shape[1]) for part, (number, _) in zip(parts, space.types, strict=True)]


def _merged(space: TensorSpace, values: Float[Array, "size N"]) -> dict[int, Float[Array, "number components N"]]:
    """Returns all tensors of each rank."""
    by_rank: dict[int, list[Array]] = {}
    for part, (_, rank) in zip(_split(space, values), space.types, strict=True):
        by_rank.setdefault(rank, []).append(part)
    return {rank: jnp.concatenate(found) for rank, found in by_rank.items()}


def _projector(group: str, upper: int, lower: int, dtype: jnp.dtype) -> jax.Array:
    return jnp.asarray(invariant_tensors(group, upper, lower), dtype)


def project_kernel(
    group: str, source: TensorSpace, target: TensorSpace, free: Float[Array, "target source"]
) -> Float[Array, "target source"]:
    """Returns the matrix nearest to another one that commutes with a group."""

    def block(row: tuple[int, tuple[int, int]], column: tuple[int, tuple[int, int]]) -> Float[Array, "rows columns"]:
        (i, (num_out, rank_out)), (j, (num_in, rank_in)) = row, column
        size_out, size_in = target.dimension**rank_out, source.dimension**rank_in
        top, left = [0, *target.ends][i], [0, *source.ends][j]
        part = free[top : top + num_out * size_out, left : left + num_in * size_in]
        basis = _projector(group, rank_out, rank_in, free.dtype)
        if not basis.shape[1]:
            return jnp.zeros_like(part)
        if size_out * size_in == 1:
            return part
        pairs = part.reshape(num_out, size_out, num_in, size_in).swapaxes(1, 2).reshape(num_out, num_in, -1)
        kept = (pairs @ basis) @ basis.T
        return kept.reshape(num_out, num_in, size_out, size_in).swapaxes(1, 2).reshape(part.shape)

    columns = list(enumerate(source.types))
    return jnp.concatenate(
        [jnp.concatenate([block(row, column) for column in columns], 1) for row in enumerate(target.types)]
    )


def project_bias(group: str, target: TensorSpace, offset: Float[Array, " target"]) -> Float[Array, " target"]:
    """Returns the vector nearest to another one that a group leaves where it is."""
    parts = []
    for part, (_, rank) in zip(target.split(offset[None]), target.types, strict=True):
        basis = _projector(group, rank, 0, offset.dtype)
        parts.append(((part @ basis) @ basis.T).reshape(-1))
    return jnp.concatenate(parts)


class EquivariantLinear(nn.Module):
    """Linear map whose matrix and bias are projected onto those that commute with the group.

    The parameters are an unconstrained matrix and bias, as released: an optimiser that scales its steps entry by entry
    does something else on coordinates in a basis.

    Attributes:
        group: name of the group.
        source: space of the inputs.
        target: space of the outputs.
        projected: the parameters are those after the projection, and taken as they are.
    """

    group: str
    source: TensorSpace
    target: TensorSpace
    projected: bool = False

    @nn.compact
    def __call__(self, inputs: Float[Array, "source N"]) -> Float[Array, "target N"]:
        """Returns the outputs of a batch."""
        kernel = self.param("kernel", nn.initializers.orthogonal(), (self.target.size, self.source.size))
        bias = self.param("bias", _uniform, (self.target.size,))
        if not self.projected:
            kernel = project_kernel(self.group, self.source, self.target, kernel)
            bias = project_bias(self.group, self.target, bias)
        return kernel @ inputs + bias[:, None]


def _uniform(key: jax.Array, shape: tuple[int], dtype: jnp.dtype = jnp.float32) -> jax.Array:
    return jax.random.uniform(key, shape, dtype) / jnp.asarray(math.sqrt(shape[0]), dtype)


class EquivariantBilinear(nn.Module):
    """Sum over ranks a and b of contractions of a tensor of rank a + b with one of rank a, weighted, times 0.1.

    A tensor of rank a + b is read as a linear map from rank a to rank b. Of each rank as many tensors are maps as one
    has components, as released, where they are drawn; here they are the first, which are like all others.

    Attributes:
        group: name of the group.
        space: of inputs and outputs.
    """

    group: str
    space: TensorSpace

    @nn.compact
    def __call__(self, inputs: Float[Array, "size N"]) -> Float[Array, "size N"]:
        """Returns the outputs of a batch."""
        dimension, num, tensors = self.space.dimension, inputs.shape[1], _merged(self.space, inputs)
        metric = matrix_group(self.group).metric
        outputs = {rank: jnp.zeros_like(part) for rank, part in tensors.items()}
        for rank, start in product(tensors, tensors):
            end = rank - start
            if rank == 0 or end not in tensors:
                continue
            size = dimension**end
            maps = tensors[rank][: dimension**rank].reshape(-1, size, dimension**start, num)
            lowered = tensors[start] * _signs(metric, start, inputs.dtype)[None, :, None]
            shape = (len(tensors[end]), len(maps), len(lowered))
            weights = self.param(f"weights_{start}_{end}", normal, shape)
            if start == 0:
                # Weights first: scalars are many, and their products with tensors many more.
                mixed = weights.reshape(-1, shape[2]) @ lowered[:, 0]
                outputs[end] += small_products(mixed.reshape(*shape[:2], num), maps[:, :, 0])
            else:
                values = small_products(maps.reshape(-1, dimension**start, num), lowered.swapaxes(0, 1))
                pairs = values.reshape(shape[1], size, shape[2], num).swapaxes(1, 2)
                found = weights.reshape(shape[0], -1) @ pairs.reshape(shape[1] * shape[2], -1)
                outputs[end] += found.reshape(shape[0], size, num)
        return BILINEAR_GAIN * self._flat(outputs)

    def _flat(self, outputs: dict[int, Array]) -> Float[Array, "size N"]:
        taken, parts = Counter[int](), []
        for number, rank in self.space.types:
            found = outputs[rank][taken[rank] : taken[rank] + number]
            parts.append(found.reshape(-1, found.shape[-1]))
            taken[rank] += number
        return jnp.concatenate(parts)


def _signs(metric: Float[np.ndarray, " d"], rank: int, dtype: jnp.dtype) -> Float[Array, " components"]:
    """Returns the factors by which all indices of a tensor are lowered."""
    found = np.ones(1)
    for _ in range(rank):
        found = np.multiply.outer(found, metric).reshape(-1)
    return jnp.asarray(found, dtype)


def apply_gates(space: TensorSpace, values: Float[Array, "gated N"]) -> Float[Array, "size N"]:
    """Returns tensors times the sigmoid of their gate; a scalar is its own gate.

    Args:
        space: without gates.
        values: in ``gated(space)``.
    """
    parts = _split(gated(space), values)
    numbers = [number for number, rank in space.types if rank]
    gates = iter(jnp.split(parts[-1], list(accumulate(numbers))[:-1]))
    opened = []
    for part, (_, rank) in zip(parts, space.types, strict=False):
        opening = next(gates) if rank else part
        opened.append((jax.nn.sigmoid(opening) * part).reshape(-1, part.shape[-1]))
    return jnp.concatenate(opened)


class TensorNetwork(nn.Module):
    """Blocks of a linear layer, 0.1 times a bilinear one of its outputs added to them, and gates; then a linear layer.

    Attributes:
        group: name of the group that the network is equivariant under.
        source: space of the inputs.
        target: space of the outputs.
        channels: numbers in a hidden layer.
        depth: number of blocks.
        projected: parameters are those that ``project`` returns: nothing is projected at every call.
    """

    group: str
    source: TensorSpace
    target: TensorSpace
    channels: int
    depth: int
    projected: bool = False

    @property
    def _hidden(self) -> TensorSpace:
        return spread_channels(self.channels, self.source.dimension)

    @nn.compact
    def __call__(self, inputs: Float[Array, "N source"]) -> Float[Array, "N target"]:
        """Returns the outputs of a batch."""
        hidden, before, values = self._hidden, self.source, inputs.T
        for _ in range(self.depth):
            linear = EquivariantLinear(self.group, before, gated(hidden), self.projected)(values)
            values = apply_gates(hidden, linear + EquivariantBilinear(self.group, gated(hidden))(linear))
            before = hidden
        return EquivariantLinear(self.group, hidden, self.target, self.projected)(values).T

    def of_projected(self) -> "TensorNetwork":
        """Returns the network of the parameters that ``project`` returns."""
        return self.clone(projected=True)

    def project(self, parameters: Any) -> Any:
        """Returns the parameters with those of linear layers projected, for a network that is called many times."""
        hidden = self._hidden
        sources = [self.source, *[hidden] * self.depth]
        targets = [*[gated(hidden)] * self.depth, self.target]
        layers = dict(parameters["params"])
        for index, (source, target) in enumerate(zip(sources, targets, strict=True)):
            name = f"{EquivariantLinear.__name__}_{index}"
            free = layers[name]
            layers[name] = {
                "kernel": project_kernel(self.group, source, target, free["kernel"]),
                "bias": project_bias(self.group, target, free["bias"]),
            }
        return {"params": layers}
