"""What kinds that learn motion share: networks of one trial among those of a block, and words on a divergence."""

from typing import Any

import jax

from emergent.training.engine import Divergence


def of_trial(tree: Any, trial: int, networks: int) -> Any:
    """Returns the part [networks, ...] of one trial of what all networks of a block have [trials * networks, ...]."""
    return jax.tree.map(lambda leaf: leaf[trial * networks : (trial + 1) * networks], tree)


def divergence_words(arm: str, networks: int, learning_rate: float, found: Divergence) -> str:
    """Returns which network of which trial diverged, when, and what to do."""
    trial, network = divmod(found.member, networks)
    return (
        f"trial {trial} of arm {arm}, network {network}: its trajectories leave the range of numbers at step "
        f"{found.step} of training; nothing was written. Lower its learning rate ({learning_rate})."
    )
