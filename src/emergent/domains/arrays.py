"""Data sets whose samples are arrays (images, lattice functions, vectors): training with augmentation, and orbits."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from emergent.domains.protocols import Apply
from emergent.groups.actions import Action, require_pair
from emergent.metrics.output_actions import OutputAction

# Inputs per forward pass where none is configured: small batches stay in a processor's caches, accelerators want work.
CPU_BATCH, ACCELERATOR_BATCH = 128, 8192


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["inputs", "targets", "on_inputs", "on_targets"],
    meta_fields=["mode"],
)
@dataclass(frozen=True)
class ArrayData:
    """Resident training set whose samples are moved together with their targets, shared by all members.

    Attributes:
        inputs: float32 [N, ...].
        targets: int32 labels [N], or float32 [N, K].
        on_inputs: action of the group on the inputs.
        on_targets: that of the same group on the targets, with the same elements.
        mode: ``random`` moves every sample by an element of its own, ``full`` takes whole orbits.
    """

    inputs: Float[Array, "N ..."]
    targets: Shaped[Array, "N ..."]
    on_inputs: Action
    on_targets: Action
    mode: Literal["random", "full"]

    @property
    def num_samples(self) -> int:
        """Returns the number of samples, before augmentation."""
        return self.inputs.shape[0]

    @property
    def copies(self) -> int:
        """Returns how many inputs a sample of a batch makes."""
        return (self.on_inputs.order or 1) if self.mode == "full" else 1

    def example(self) -> Array:
        """Returns the inputs of one sample [1, ...]."""
        return self.inputs[:1]

    def batch(self, indices: Int[Array, " B"] | None, key: PRNGKeyArray) -> tuple[Array, Array]:
        """Returns augmented inputs and targets: B of them, or G B of whole orbits, element after element."""
        inputs = self.inputs if indices is None else self.inputs[indices]
        targets = self.targets if indices is None else self.targets[indices]
        if self.mode == "random":
            # One draw for both: a target moves by the element of its sample.
            elements = self.on_inputs.draw(key, inputs.shape[0])
            return self.on_inputs.transform(inputs, elements), self.on_targets.transform(targets, elements)
        moved, answers = self.on_inputs.orbit(inputs), self.on_targets.orbit(targets)
        return moved.reshape(-1, *moved.shape[2:]), answers.reshape(-1, *answers.shape[2:])


def array_data(
    inputs: np.ndarray, targets: np.ndarray, on_inputs: Action, on_targets: Action, mode: Literal["random", "full"]
) -> ArrayData:
    """Returns a resident training set whose actions have been tried on its shapes.

    Raises:
        ConfigError: the two actions are not of one group, or orbits of a continuous group are asked for.
        ValueError: an action does not fit inputs or targets.
    """
    require_pair(on_inputs, on_targets)
    data = ArrayData(jnp.asarray(inputs), jnp.asarray(targets), on_inputs, on_targets, mode)
    # Shapes are enough to find out whether actions fit; nothing is computed.
    jax.eval_shape(lambda part, key: part.batch(None, key), data, jax.random.key(0))
    return data


@jax.jit
def _orbits(action: Any, inputs: jax.Array) -> jax.Array:
    return jnp.swapaxes(action.orbit(inputs), 0, 1)


def orbit_inputs(inputs: Float[np.ndarray, "N ..."], action: Action) -> Float[Array, "N G ..."]:
    """Returns the inputs on their orbits."""
    return _orbits(action, jnp.asarray(inputs))


class TestSamples(NamedTuple):
    """Samples of an evaluation set, with the action that makes up their orbits.

    Attributes:
        inputs: float32 [N, ...].
        orbit: action on the inputs.
        labels: int32 [N], or None.
        targets: [N, K], or None.
        output_action: see ``emergent.domains.protocols.OrbitSet``.
        rotations: see ``OrbitSet``.
        points: see ``OrbitSet``.
    """

    __test__ = False

    inputs: Float[np.ndarray, "N ..."]
    orbit: Action
    labels: Int[np.ndarray, " N"] | None = None
    targets: Float[np.ndarray, "N K"] | None = None
    output_action: OutputAction | None = None
    rotations: Float[np.ndarray, "G d d"] | None = None
    points: Float[np.ndarray, "N V d"] | None = None


class ArrayOrbits:
    """A fixed set of orbits, laid out in batches of equal shape so that a network is compiled for it once.

    Attributes: see ``emergent.domains.protocols.OrbitSet``, and
        shape: number of samples N and of elements G.
    """

    def __init__(self, samples: TestSamples, batch_size: int | None) -> None:
        """Lays out the orbits in batches.

        Args:
            samples: and what is known of them.
            batch_size: inputs per forward pass; None chooses by backend.
        """
        self.labels, self.targets = samples.labels, samples.targets
        self.output_action, self.rotations = samples.output_action, samples.rotations
        self.points = samples.points
        inputs = orbit_inputs(samples.inputs, samples.orbit)
        self.shape = (int(inputs.shape[0]), int(inputs.shape[1]))
        # Cut up by NumPy: every operation on arrays of JAX outside a compiled function is compiled for itself.
        flat = np.asarray(inputs).reshape(-1, *inputs.shape[2:])
        self._num = flat.shape[0]
        default = CPU_BATCH if jax.default_backend() == "cpu" else ACCELERATOR_BATCH
        size = min(batch_size or default, self._num)
        flat = np.pad(flat, ((0, -self._num % size), *[(0, 0)] * (flat.ndim - 1)))
        self._batches = [jnp.asarray(batch) for batch in flat.reshape(-1, size, *flat.shape[1:])]

    def outputs(self, apply: Apply, parameters: Any, member: int) -> Float[np.ndarray, "N G K"]:
        """Returns the outputs of one member; all members see the same inputs."""
        del member
        outputs = [apply(parameters, batch) for batch in self._batches]
        return np.concatenate([np.asarray(part) for part in outputs])[: self._num].reshape(*self.shape, -1)

    def batches(self) -> Float[Array, "B b ..."]:
        """Returns all inputs in batches of b, element after element of sample after sample, filled up at the end."""
        return jnp.stack(self._batches)
