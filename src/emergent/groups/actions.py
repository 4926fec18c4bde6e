"""How a group moves arrays of samples: one protocol, which is all that training and evaluation know of a domain.

An action is a pytree of JAX, so that compiled functions take it as an argument. Its elements are shared: the element
that ``draw`` of the action on inputs picks for a sample also moves the sample's target, by the action on targets.
Element 0 is the identity, and elements are numbers except for continuous groups, whose elements are matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from emergent.errors import ConfigError
from emergent.groups.fitting import require, require_elements
from emergent.groups.images import ImageAction
from emergent.groups.rotations import random_rotations
from emergent.prng import random_index


@runtime_checkable
class Action(Protocol):
    """How a group moves samples ``[N, ...]``."""

    @property
    def order(self) -> int | None:
        """Returns the number of elements G; None for a continuous group, which has no ``orbit``."""
        ...

    def draw(self, key: PRNGKeyArray, num: int) -> jax.Array:
        """Returns uniformly drawn elements, one for each of ``num`` samples: int32 [num], or matrices [num, 3, 3]."""
        ...

    def transform(self, values: Any, elements: Any) -> jax.Array:
        """Returns every sample moved by its own element; the shape stays."""
        ...

    def orbit(self, values: Any) -> jax.Array:
        """Returns all G copies of every sample [G, N, ...]."""
        ...


Finite = TypeVar("Finite", bound=Action)


class PixelAction(NamedTuple):
    """One number per pixel ``[N, H * W]``, row by row, that moves with the image.

    Attributes:
        images: action on images of the same frame.
    """

    images: ImageAction

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        return self.images.order

    def _maps(self, values: Shaped[Array | np.ndarray, "N P"]) -> Shaped[Array, "N H W 1"]:
        height, width = self.images.frame
        require(
            jnp.ndim(values) == 2 and values.shape[1] == height * width,
            f"one number for each of {height} x {width} pixels, [N, {height * width}]",
            values,
        )
        return jnp.asarray(values).reshape(-1, height, width, 1)

    def draw(self, key: PRNGKeyArray, num: int) -> Int[Array, " N"]:
        """Returns one element per sample."""
        return self.images.draw(key, num)

    def transform(self, values: Shaped[Array, "N P"], elements: Int[Array, " N"]) -> Float[Array, "N P"]:
        """Returns every sample moved by its own element."""
        return self.images.transform(self._maps(values), elements).reshape(values.shape)

    def orbit(self, values: Shaped[Array, "N P"]) -> Float[Array, "G N P"]:
        """Returns all copies of every sample."""
        return self.images.orbit(self._maps(values)).reshape(self.order, *values.shape)


# The order is no data: it is a shape of the orbit, which must be known when a function is compiled.
@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["order"])
@dataclass(frozen=True)
class TrivialAction:
    """What does not move: labels, and all outputs that are invariant.

    Attributes:
        order: number of elements, that of the action on the inputs; None beside a continuous one.
    """

    order: int | None

    def draw(self, key: PRNGKeyArray, num: int) -> Int[Array, " N"]:
        """Returns one element per sample."""
        return random_index(key, num, _finite(self.order))

    def transform(self, values: Any, elements: Any) -> jax.Array:
        """Returns the values as they are."""
        if self.order is not None:
            require_elements(self.order, len(values), elements)
        return values

    def orbit(self, values: Shaped[Array, "N ..."]) -> Shaped[Array, "G N ..."]:
        """Returns G copies."""
        return jnp.broadcast_to(jnp.asarray(values), (_finite(self.order), *values.shape))


class MatrixAction(NamedTuple):
    """Matrices that act on the last axis of ``[N, ..., d]``: points, vectors, coefficients.

    Attributes:
        matrices: [G, d, d], the identity first.
    """

    matrices: Float[Array, "G d d"]

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        return self.matrices.shape[0]

    def draw(self, key: PRNGKeyArray, num: int) -> Int[Array, " N"]:
        """Returns one element per sample."""
        return random_index(key, num, self.order)

    def transform(self, values: Shaped[Array, "N ... d"], elements: Array) -> Shaped[Array, "N ... d"]:
        """Returns every sample moved by its own element, an index [N] or a matrix of its own [N, d, d]."""
        if jnp.ndim(elements) == 3:
            return apply_matrices(elements, values)
        require_elements(self.order, len(values), elements)
        return apply_matrices(jnp.asarray(self.matrices)[elements], values)

    def orbit(self, values: Shaped[Array, "N ... d"]) -> Shaped[Array, "G N ... d"]:
        """Returns all copies of every sample."""
        size = self.matrices.shape[-1]
        require(jnp.ndim(values) > 1 and values.shape[-1] == size, f"[N, ..., {size}]", values)
        # In full precision on every device: reduced products would spoil the equivariance that is measured.
        return jnp.einsum("gij,n...j->gn...i", self.matrices, values, precision="highest")


class GatherAction(NamedTuple):
    """Permutations of the points on axis 1 of ``[N, P, ...]``: sites of a lattice, nodes of a graph.

    Attributes:
        index: [G, P], ``(g x)[p] = x[index[g, p]]``, the identity first.
    """

    index: Int[Array, "G P"]

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        return self.index.shape[0]

    def _check(self, values: Any) -> None:
        num = self.index.shape[1]
        require(jnp.ndim(values) > 1 and values.shape[1] == num, f"[N, {num}, ...]", values)

    def draw(self, key: PRNGKeyArray, num: int) -> Int[Array, " N"]:
        """Returns one element per sample."""
        return random_index(key, num, self.order)

    def transform(self, values: Shaped[Array, "N P ..."], elements: Int[Array, " N"]) -> Shaped[Array, "N P ..."]:
        """Returns every sample moved by its own element."""
        self._check(values)
        require_elements(self.order, len(values), elements)
        values = jnp.asarray(values)
        chosen = jnp.asarray(self.index)[elements].reshape(*values.shape[:2], *[1] * (values.ndim - 2))
        # A gather and no permutation matrices: exact for every type and on every device.
        return jnp.take_along_axis(values, chosen, axis=1)

    def orbit(self, values: Shaped[Array, "N P ..."]) -> Shaped[Array, "G N P ..."]:
        """Returns all copies of every sample."""
        self._check(values)
        return jnp.moveaxis(jnp.asarray(values)[:, jnp.asarray(self.index)], 1, 0)


class HaarAction(NamedTuple):
    """All rotations of space, on the last axis of ``[N, ..., 3]``, drawn anew at every access."""

    @property
    def order(self) -> None:
        """Returns None: the group is continuous."""
        return None

    def draw(self, key: PRNGKeyArray, num: int) -> Float[Array, "N 3 3"]:
        """Returns one Haar-uniform rotation matrix per sample."""
        return random_rotations(key, num)

    def transform(self, values: Shaped[Array, "N ... 3"], elements: Float[Array, "N 3 3"]) -> Shaped[Array, "N ... 3"]:
        """Returns every sample turned by its own rotation."""
        return apply_matrices(elements, values)

    def orbit(self, values: Any) -> jax.Array:
        """Raises an error: the orbit is infinite.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "the orbit of a continuous group is infinite: augment at random, or use a finite part of it "
            "(num_elements, from emergent.point_groups.fixed_rotations)."
        )


def apply_matrices(matrices: Float[Array, "N d d"], values: Shaped[Array, "N ... d"]) -> Shaped[Array, "N ... d"]:
    """Returns every sample times its own matrix, in full precision on every device."""
    size = matrices.shape[-1]
    require(matrices.shape[-2:] == (size, size) and jnp.ndim(matrices) == 3, "square matrices [N, d, d]", matrices)
    require(
        jnp.ndim(values) > 1 and values.shape[-1] == size and values.shape[0] == matrices.shape[0],
        f"[{matrices.shape[0]}, ..., {size}]",
        values,
    )
    values = jnp.asarray(values)
    if values.ndim == 2:
        return jnp.einsum("nij,nj->ni", matrices, values, precision="highest")
    flat = values.reshape(values.shape[0], -1, size)
    return jnp.einsum("...ij,...pj->...pi", matrices, flat, precision="highest").reshape(values.shape)


def _finite(order: int | None) -> int:
    if order is None:
        raise ConfigError("a continuous group has no orbit and no numbered elements; use a finite part of it.")
    return order


def subset(action: Finite, elements: Sequence[int]) -> Finite:
    """Returns the action of some elements of a finite group, the identity first and the others in the given order.

    Raises:
        ConfigError: the identity (0) is not among the elements, an element is named twice or does not exist, or the
            action is continuous.
    """
    order = _finite(action.order)
    found = [int(element) for element in elements]
    if 0 not in found:
        raise ConfigError(
            f"elements {found}: a part of a group must hold the identity, element 0; copies are compared with it."
        )
    if len(set(found)) != len(found) or min(found) < 0 or max(found) >= order:
        raise ConfigError(f"elements {found}: expected different numbers from 0 to {order - 1}.")
    chosen = np.array([0, *(element for element in found if element != 0)])
    if isinstance(action, TrivialAction):
        return TrivialAction(len(chosen))  # pyright: ignore[reportReturnType]
    # Every array of an action has the elements on its first axis.
    return jax.tree.map(lambda table: table[chosen], action)


def require_pair(on_inputs: Action, on_targets: Action) -> None:
    """Checks that two actions are of the same group, as far as their numbers of elements tell.

    Raises:
        ConfigError: one has another number of elements than the other, or is continuous and the other is not.
    """
    if on_inputs.order != on_targets.order:
        found = [order or "infinitely many" for order in (on_inputs.order, on_targets.order)]
        raise ConfigError(
            f"the action on inputs has {found[0]} elements and that on targets {found[1]}: both must be of one group."
        )
