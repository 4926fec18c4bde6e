"""Pairs of point clouds as networks see them."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from emergent import storage
from emergent.config.cloud_distance import CloudNetwork
from emergent.errors import DataError
from emergent.models.cloud_features import RelaxedFeatures, features_of


class Pairs(NamedTuple):
    """Clouds of two classes and the distances of all pairs.

    Attributes:
        first: [A, P, 3].
        second: [B, P, 3].
        bounds: [A, B].
    """

    first: Float[np.ndarray, "A P 3"]
    second: Float[np.ndarray, "B P 3"]
    bounds: Float[np.ndarray, "A B"]


class PairData(NamedTuple):
    """Resident features of training clouds, and what networks are to give for all pairs.

    Attributes:
        first: features of the clouds of one class, each with a leading axis of them.
        second: those of the other.
        bounds: [A, B].
    """

    first: Any
    second: Any
    bounds: Float[Array, "A B"]

    def example(self) -> Any:
        """Returns the features of one cloud."""
        return jax.tree.map(lambda leaf: leaf[:1], self.first)


def read_pairs(path: Path) -> tuple[Pairs, Pairs]:
    """Returns the pairs for training and for testing.

    Raises:
        DataError: the file is missing or damaged, or holds no pairs of clouds.
    """
    found = []
    with storage.open_file(path, "prepare") as file:
        for split in ("train", "test"):
            if split not in file or "bounds" not in file[split]:
                raise DataError(
                    f"{path}: expected a split {split!r} with clouds of two classes and bounds of their distances, "
                    f"found {', '.join(sorted(file[split])) if split in file else 'none'}; choose a data set of pairs."
                )
            found.append(Pairs(*(storage.read_array(file, f"{split}/{name}") for name in Pairs._fields)))
    return found[0], found[1]


def resident(pairs: Pairs, network: CloudNetwork) -> PairData:
    """Returns what a network sees of pairs; what both of its parts see where its symmetry is relaxed."""

    def seen(clouds: np.ndarray) -> Any:
        own = features_of(network.features, clouds)
        return RelaxedFeatures(own, jnp.asarray(clouds)) if network.relaxed else own

    return PairData(seen(pairs.first), seen(pairs.second), jnp.asarray(pairs.bounds))
