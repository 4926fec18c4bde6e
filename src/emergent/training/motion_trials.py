"""What kinds that learn motion share: networks of one trial among those of a block, and words on a divergence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from emergent.errors import DataError
from emergent.training.engine import Divergence


def of_trial(tree: Any, trial: int, networks: int) -> Any:
    """Returns the part [networks, ...] of one trial of what all networks of a block have [trials * networks, ...]."""
    return jax.tree.map(lambda leaf: leaf[trial * networks : (trial + 1) * networks], tree)


@contextmanager
def named_trial(arm: str, trial: int) -> Iterator[None]:
    """Puts trial and arm before what is wrong with data that are drawn for them.

    Raises:
        DataError: as inside, with trial and arm.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"trial {trial} of arm {arm}: {error}") from error


def divergence_words(arm: str, networks: int, learning_rate: float, found: Divergence) -> str:
    """Returns which network of which trial diverged, when, and what to do."""
    trial, network = divmod(found.member, networks)
    return (
        f"trial {trial} of arm {arm}, network {network}: its trajectories leave the range of numbers at step "
        f"{found.step} of training; nothing was written. Lower its learning rate ({learning_rate})."
    )
