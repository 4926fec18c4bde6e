"""Parameters as flat names on the host, and back; the files of trained blocks hold them like this."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _names(tree: Any) -> list[str]:
    """Returns the names of all leaves, e.g. ``params/Dense_0/kernel``."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]


def flat_on_host(parameters: Any, vectorised: bool) -> dict[str, np.ndarray]:
    """Returns the parameters [M, ...] by flat name; those of a single member get the axis."""
    values = jax.tree.leaves(jax.device_get(parameters))
    arrays = (np.asarray(value) if vectorised else np.asarray(value)[None] for value in values)
    return dict(zip(_names(parameters), arrays, strict=True))


def from_flat(structure: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Returns arrays by flat name as a tree of the same structure as another."""
    leaves = [jnp.asarray(arrays[name]) for name in _names(structure)]
    return jax.tree.unflatten(jax.tree.structure(structure), leaves)
