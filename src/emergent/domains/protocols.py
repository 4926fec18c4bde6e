"""What training and evaluation know of a domain: samples that are accessed in batches, and the orbits of test sets.

A network's inputs are a pytree of arrays with the samples on the first axis: an array of images, a cloud with its
graph. Nothing outside this room looks inside.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from emergent.metrics.output_actions import OutputAction

Apply = Callable[[Any, Any], jax.Array]
"""Parameters and inputs of B samples to outputs [B, K], compiled."""


class TrainingData(Protocol):
    """A resident training set with its augmentation: a pytree, so that compiled functions take it as an argument."""

    @property
    def num_samples(self) -> int:
        """Returns the number of samples N, before augmentation."""
        ...

    @property
    def copies(self) -> int:
        """Returns how many network inputs a sample of a batch makes: the order of the orbit, or 1."""
        ...

    def example(self) -> Any:
        """Returns inputs of one sample, of the shapes that a network is initialised for."""
        ...

    def batch(self, indices: Int[jax.Array, " B"] | None, key: PRNGKeyArray) -> tuple[Any, jax.Array]:
        """Returns augmented inputs and targets of some samples, or of all.

        Args:
            indices: of the samples; None takes all.
            key: of this access; draws what is drawn at every access.
        """
        ...


class OrbitSet(Protocol):
    """An evaluation set on the orbits of its samples.

    Attributes:
        labels: int32 [N], or None.
        targets: [N, K], or None.
        output_action: how outputs should move with the inputs; None where the inputs' action has no counterpart.
        rotations: [G, d, d], the elements as matrices, where the inputs are points or vectors; else None.
        points: [N, V, d], the untransformed inputs, where they are a few vectors; else None.
    """

    labels: Int[np.ndarray, " N"] | None
    targets: Float[np.ndarray, "N K"] | None
    output_action: OutputAction | None
    rotations: Float[np.ndarray, "G d d"] | None
    points: Float[np.ndarray, "N V d"] | None

    def outputs(self, apply: Apply, parameters: Any, member: int) -> Float[np.ndarray, "N G K"]:
        """Returns the outputs of one member on all orbits; element 0 is the untransformed sample."""
        ...
