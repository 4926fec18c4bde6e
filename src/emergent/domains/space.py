"""Point groups in training and evaluation: which elements are used, and how vectors in a row of numbers move."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from emergent.config.groups import Augmentation, augmentation_seed
from emergent.errors import ConfigError
from emergent.groups.actions import Action, HaarAction, MatrixAction
from emergent.point_groups import CONTINUOUS_GROUPS, orbit_matrices

IDENTITY_GROUP = "C1"
_SPACES = {1: "a line", 2: "the plane", 3: "space"}
_GROUPS = {1: "reflection", 2: "C4, D4 ...", 3: "tetrahedral, octahedral, icosahedral, SO3"}


class VectorAction(NamedTuple):
    """Vectors, one after another in a row of numbers ``[N, d V]``, that move together.

    Attributes:
        space: action on ``[N, V, d]``.
    """

    space: Any

    @property
    def order(self) -> int | None:
        """Returns the number of elements G; None for a continuous group."""
        return self.space.order

    def draw(self, key: PRNGKeyArray, num: int) -> Array:
        """Returns one element per sample."""
        return self.space.draw(key, num)

    def transform(self, values: Shaped[Array, "N K"], elements: Array) -> Shaped[Array, "N K"]:
        """Returns every sample moved by its own element."""
        return self.space.transform(self._rows(values), elements).reshape(values.shape)

    def orbit(self, values: Shaped[Array, "N K"]) -> Shaped[Array, "G N K"]:
        """Returns all copies of every sample."""
        moved = self.space.orbit(self._rows(values))
        return moved.reshape(moved.shape[0], *values.shape)

    def _rows(self, values: Any) -> jax.Array:
        size = self.space.matrices.shape[-1] if isinstance(self.space, MatrixAction) else 3
        if jnp.ndim(values) != 2 or values.shape[1] % size:
            raise ValueError(
                f"the action does not fit: expected vectors of {size} coordinates, [N, {size} V], found shape "
                f"{jnp.shape(values)}."
            )
        return jnp.asarray(values).reshape(values.shape[0], -1, size)


def matrices(augmentation: Augmentation, seed: int, dimension: int = 3) -> Float[np.ndarray, "G d d"]:
    """Returns the elements in use as matrices, float64, the identity first.

    Args:
        augmentation: finite group, or a finite part of it or of a continuous one.
        seed: of draws from a continuous group.
        dimension: coordinates d of what they act on.

    Raises:
        ConfigError: the group acts on another space, or is continuous and all of it is asked for.
    """
    found = np.eye(dimension)[None]
    if augmentation.group != IDENTITY_GROUP:
        found = orbit_matrices(augmentation.group, seed, augmentation.elements, augmentation.num_elements)
    if found.shape[-1] != dimension:
        raise _unfit(augmentation, found.shape[-1], dimension)
    return found


def _unfit(augmentation: Augmentation, found: int, dimension: int) -> ConfigError:
    return ConfigError(
        f"group {augmentation.group}: acts on {_SPACES[found]}, but the inputs are points of {_SPACES[dimension]}; "
        f"use {_GROUPS[dimension]} or {IDENTITY_GROUP} (none)."
    )


def training_action(augmentation: Augmentation, seed: int, dimension: int = 3) -> Action:
    """Returns the action of the group that augments points or vectors ``[N, V, d]``.

    Args:
        augmentation: group of as many dimensions.
        seed: of the experiment. A finite part of a continuous group is drawn from another one, because orbits of test
            sets begin with the rotations of the experiment's own, and would measure what was trained on.
        dimension: coordinates d of a vector.

    Raises:
        ConfigError: the group acts on another space.
    """
    if augmentation.group in CONTINUOUS_GROUPS and augmentation.num_elements is None:
        if dimension != 3:
            raise _unfit(augmentation, 3, dimension)
        return HaarAction()
    found = matrices(augmentation, augmentation_seed(seed), dimension)
    return MatrixAction(jnp.asarray(found, jnp.float32))
