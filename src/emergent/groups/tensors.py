"""Groups of matrices that act on tensors, by elements drawn at random.

An element is a matrix [d, d]; each sample has one of its own. A tensor with r indices moves with all of them. Random
elements follow the released code of arXiv 2104.09459 and are not uniform: the exponential of a Gaussian combination of
the generators, times random powers of the discrete ones.
"""

from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from emergent.errors import ConfigError
from emergent.groups.fitting import require
from emergent.groups.matrix_groups import MatrixGroup
from emergent.groups.small_products import multiply_samples_last

ROUNDS, LOWEST_POWER, HIGHEST_POWER = 3, -5, 4
SQUARINGS, TERMS = 4, 12
"""Of the exponential: for generators of norm below 8, as all draws here have, its series ends below 1e-14."""


@dataclass(frozen=True)
class TensorSpace:
    """A direct sum of tensors, as arrays [N, size]: type after type, tensor after tensor, row by row.

    Attributes:
        dimension: d of the vectors.
        types: (number of tensors, number of their indices), for each type.
    """

    dimension: int
    types: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Returns the numbers that make up an element."""
        return sum(number * self.dimension**rank for number, rank in self.types)

    @property
    def ends(self) -> list[int]:
        """Returns where the numbers of each type but the last end."""
        return list(accumulate(number * self.dimension**rank for number, rank in self.types[:-1]))

    def split(self, values: Float[Array, "N size"]) -> list[Float[Array, "N number components"]]:
        """Returns the tensors of each type.

        Raises:
            ValueError: the values are of another space.
        """
        require(values.ndim == 2 and values.shape[1] == self.size, f"[N, {self.size}]", values)
        # Not slices, whose gradients are whole arrays of zeros that are added up.
        parts = jnp.split(values, self.ends, 1)
        return [part.reshape(len(values), number, -1) for part, (number, _) in zip(parts, self.types, strict=True)]

    def vectors(self, values: Float[Array, "N size"]) -> Float[Array, "N k d"]:
        """Returns the tensors of one index; there must be one such type."""
        (found,) = [part for part, (_, rank) in zip(self.split(values), self.types, strict=True) if rank == 1]
        return found


def move(space: TensorSpace, values: Float[Array, "N size"], elements: Float[Array, "N d d"]) -> Float[Array, "N size"]:
    """Returns every sample moved by its own element, in full precision on every device."""
    size = space.dimension
    require(elements.shape == (len(values), size, size), f"elements [{len(values)}, {size}, {size}]", elements)
    parts = []
    for part, (number, rank) in zip(space.split(values), space.types, strict=True):
        for _ in range(rank):
            # The first index goes through the matrix and then to the end; after as many turns all are in place.
            columns = part.reshape(len(values), number, size, -1)
            part = jnp.einsum("nij,nmjk->nmki", elements, columns, precision="highest")
        parts.append(part.reshape(len(values), -1))
    return jnp.concatenate(parts, 1)


def exponential(generators: Float[Array, "d d N"]) -> Float[Array, "d d N"]:
    """Returns the matrix exponential of many small matrices, by scaling, a Taylor series and squaring."""
    size = generators.shape[0]
    small = generators / 2**SQUARINGS
    one = jnp.broadcast_to(jnp.eye(size, dtype=small.dtype)[:, :, None], small.shape)

    def term(index: Array, total: Array) -> Array:
        return one + multiply_samples_last(small, total) / (TERMS - index).astype(small.dtype)

    # Loops and no chains, which compilers fuse into programs that compute the same product many times.
    series = jax.lax.fori_loop(0, TERMS, term, one)
    return jax.lax.fori_loop(0, SQUARINGS, lambda _, power: multiply_samples_last(power, power), series)


@partial(jax.tree_util.register_dataclass, data_fields=["lie_algebra", "powers"], meta_fields=["space"])
@dataclass(frozen=True)
class TensorAction:
    """Random elements of a group, and how they move a sum of tensors; see ``emergent.groups.actions.Action``.

    Attributes:
        lie_algebra: [L, d, d] generators, each times the standard deviation of its coordinate.
        powers: [K, P, d, d] of the discrete generators, from ``LOWEST_POWER`` to ``HIGHEST_POWER``.
        space: that is moved.
    """

    lie_algebra: Float[Array, "L d d"]
    powers: Float[Array, "K P d d"]
    space: TensorSpace

    @classmethod
    def of(cls, group: MatrixGroup, space: TensorSpace, dtype: type = np.float32) -> "TensorAction":
        """Returns the action of a group.

        Raises:
            ConfigError: the space has another dimension.
        """
        if space.dimension != group.dimension:
            raise ConfigError(
                f"group {group.name} acts on vectors of {group.dimension} dimensions, but those of the space have "
                f"{space.dimension}."
            )
        exponents = range(LOWEST_POWER, HIGHEST_POWER + 1)
        powers = [[np.linalg.matrix_power(h, exponent) for exponent in exponents] for h in group.discrete]
        table = np.asarray(powers).reshape(-1, len(exponents), group.dimension, group.dimension)
        scaled = group.lie_algebra * group.scales[:, None, None]
        return cls(jnp.asarray(scaled, dtype), jnp.asarray(table, dtype), space)

    @property
    def order(self) -> None:
        """Returns None: the group is continuous, or not listed."""
        return None

    def draw(self, key: PRNGKeyArray, num: int) -> Float[Array, "N d d"]:
        """Returns one element for each of ``num`` samples."""
        normals, integers = jax.random.split(key)
        dtype, (num_discrete, num_powers) = self.powers.dtype, self.powers.shape[:2]
        size = self.space.dimension
        found = jnp.broadcast_to(jnp.eye(size, dtype=dtype)[:, :, None], (size, size, num))
        if len(self.lie_algebra):
            coordinates = jax.random.normal(normals, (len(self.lie_algebra), num), dtype)
            generators = jnp.einsum("lij,ln->ijn", self.lie_algebra, coordinates, precision="highest")
            found = exponential(generators)
        if num_discrete:
            chosen = jax.random.randint(integers, (ROUNDS, num_discrete, num), 0, num_powers)
            for of_round in chosen:
                for powers, index in zip(self.powers, of_round, strict=True):
                    found = multiply_samples_last(found, jnp.moveaxis(powers[index], 0, -1))
        return jnp.moveaxis(found, -1, 0)

    def transform(self, values: Float[Array, "N size"], elements: Float[Array, "N d d"]) -> Float[Array, "N size"]:
        """Returns every sample moved by its own element."""
        return move(self.space, values, elements)

    def orbit(self, values: Float[Array, "N size"]) -> Array:
        """Raises an error: there is no list of the elements.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("the orbit of a group by generators is not listed: move samples by drawn elements.")
