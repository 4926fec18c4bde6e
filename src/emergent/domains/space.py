"""Groups of space in training and evaluation: which rotations are used, and how vectors in a row of numbers turn."""

import zlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from emergent.config.groups import Augmentation
from emergent.errors import ConfigError
from emergent.groups.actions import Action, HaarAction, MatrixAction
from emergent.point_groups import CONTINUOUS_GROUPS, orbit_matrices

IDENTITY_GROUP = "C1"


class VectorAction(NamedTuple):
    """Vectors of space, one after another in a row of numbers ``[N, 3 V]``, that turn together.

    Attributes:
        space: action on ``[N, V, 3]``.
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
        return self.space.transform(_rows(values), elements).reshape(values.shape)

    def orbit(self, values: Shaped[Array, "N K"]) -> Shaped[Array, "G N K"]:
        """Returns all copies of every sample."""
        moved = self.space.orbit(_rows(values))
        return moved.reshape(moved.shape[0], *values.shape)


def _rows(values: Any) -> jax.Array:
    if jnp.ndim(values) != 2 or values.shape[1] % 3:
        raise ValueError(
            f"the action does not fit: expected vectors of space, [N, 3 V], found shape {jnp.shape(values)}."
        )
    return jnp.asarray(values).reshape(values.shape[0], -1, 3)


def matrices(augmentation: Augmentation, seed: int) -> Float[np.ndarray, "G 3 3"]:
    """Returns the rotations in use, float64, the identity first.

    Args:
        augmentation: finite group of space, or a finite part of it or of a continuous one.
        seed: of draws from a continuous group.

    Raises:
        ConfigError: the group acts on the plane, or is continuous and all of it is asked for.
    """
    found = np.eye(3)[None]
    if augmentation.group != IDENTITY_GROUP:
        found = orbit_matrices(augmentation.group, seed, augmentation.elements, augmentation.num_elements)
    if found.shape[-1] != 3:
        raise ConfigError(
            f"group {augmentation.group}: acts on the plane, but the inputs are points of space; use tetrahedral, "
            f"octahedral, icosahedral, SO3 or {IDENTITY_GROUP} (none)."
        )
    return found


def training_action(augmentation: Augmentation, seed: int) -> Action:
    """Returns the action of the group that augments points or vectors of space ``[N, V, 3]``.

    Args:
        augmentation: group of space.
        seed: of the experiment. A finite part of a continuous group is drawn from another one, because orbits of test
            sets begin with the rotations of the experiment's own, and would measure what was trained on.
    """
    if augmentation.group in CONTINUOUS_GROUPS and augmentation.num_elements is None:
        return HaarAction()
    return MatrixAction(jnp.asarray(matrices(augmentation, seed + zlib.crc32(b"augmentation")), jnp.float32))
