"""Ways to learn a function of vectors with a symmetry: plainly, augmented, in frames, on tensors, on scalar products.

A method says what a network sees of the inputs, how it is augmented and how outputs come from it. Everything is made of
pure functions of arrays, so that the engine trains all methods alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.data_efficiency_training import (
    SYMMETRY,
    FrameMethod,
    Function,
    Method,
    PlainMethod,
    ScalarMethod,
    TensorMethod,
)
from emergent.datasets.symmetric_functions import INPUTS, OUTPUTS
from emergent.groups.matrix_groups import MatrixGroup, matrix_group
from emergent.groups.tensors import TensorAction, TensorSpace, move
from emergent.models.feedforward import FeedForward
from emergent.models.relaxed_tensors import RelaxedTensorNetwork
from emergent.models.scalar_networks import (
    ScalarInertia,
    all_signs,
    frame_coordinates,
    gram,
    into_frame,
    turned_back,
    upper_triangle,
)
from emergent.models.tensor_layers import TensorNetwork


@dataclass(frozen=True)
class Spaces:
    """Where inputs and outputs of a function live, and the group that moves both.

    Attributes:
        group: of the symmetry.
        inputs: tensors.
        outputs: tensors of one rank.
    """

    group: MatrixGroup
    inputs: TensorSpace
    outputs: TensorSpace

    @classmethod
    def of(cls, function: Function) -> "Spaces":
        """Returns those of a function."""
        group = matrix_group(SYMMETRY[function])
        inputs, outputs = (TensorSpace(group.dimension, table[function]) for table in (INPUTS, OUTPUTS))
        return cls(group, inputs, outputs)

    @property
    def output_rank(self) -> int:
        """Returns the number of indices of the outputs."""
        return self.outputs.types[0][1]


Seen = Any
"""What a network sees of a batch of inputs: arrays with samples on their first axis."""


@dataclass(frozen=True)
class SymmetricMethod:
    """How a network learns.

    Attributes:
        scaled: the network sees inputs over their scale, and learns targets in units of theirs.
        equivariant: by construction.
        symmetry: the group under which equivariance is measured: that of the function, or the smaller one that layers
            are equivariant under.
        module: from numbers [N, num_inputs] to outputs [N, K].
        num_inputs: of the network.
        see: inputs to what the network sees of them.
        aim: inputs and targets to what the network is to give.
        draw: key and number of samples to elements that augment training; None does not.
        augmented: network as a function of what is seen, what is seen and elements, to outputs.
        mean: network as a function of what is seen, and what is seen, to outputs that are compared with ``aim``.
        finish: inputs and these outputs to those in the axes of the inputs.
    """

    scaled: bool
    equivariant: bool
    symmetry: MatrixGroup
    module: nn.Module
    num_inputs: int
    see: Callable[[Array], Seen]
    aim: Callable[[Array, Array], Array]
    draw: Callable[[jax.Array, int], Array] | None
    augmented: Callable[[Callable[[Seen], Array], Seen, Array], Array]
    mean: Callable[[Callable[[Seen], Array], Seen], Array]
    finish: Callable[[Array, Array], Array]

    def in_training(self, parameters: Any, seen: Seen, elements: Array | None) -> Array:
        """Returns what training compares with ``aim``.

        Args:
            parameters: of the network.
            seen: of a batch.
            elements: one for each sample, of ``draw``; None without one.
        """
        network = partial(self.module.apply, parameters)
        if elements is None:
            return self.mean(network, seen)  # pyright: ignore[reportArgumentType]
        return self.augmented(network, seen, elements)  # pyright: ignore[reportArgumentType]

    def outputs(self, parameters: Any, inputs: Float[Array, "N size"]) -> Float[Array, "N K"]:
        """Returns the outputs for inputs, both in the network's units."""
        network = partial(self.module.apply, parameters)
        return self.finish(inputs, self.mean(network, self.see(inputs)))  # pyright: ignore[reportArgumentType]


def _as_is(network: Callable[[Seen], Array], seen: Seen, *elements: Array) -> Array:
    del elements
    return network(seen)


def make_method(function: Function, settings: Method) -> SymmetricMethod:
    """Returns a way to learn a function."""
    spaces = Spaces.of(function)
    if isinstance(settings, PlainMethod):
        return _plain(spaces, settings)
    if isinstance(settings, FrameMethod):
        return _in_frames(spaces, settings)
    if isinstance(settings, TensorMethod):
        return _on_tensors(spaces, settings)
    return _on_scalars(function, spaces, settings)


def _plain(spaces: Spaces, settings: PlainMethod) -> SymmetricMethod:
    module = FeedForward(settings.width, settings.depth, spaces.outputs.size, nn.swish)
    action = TensorAction.of(spaces.group, spaces.inputs)

    def augmented(network: Callable[[Seen], Array], seen: Seen, elements: Array) -> Array:
        # The output is moved back, and compared with the target as it was.
        outputs = network(move(spaces.inputs, seen, elements))
        return outputs if spaces.output_rank == 0 else move(spaces.outputs, outputs, spaces.group.inverse(elements))

    return SymmetricMethod(
        scaled=True,
        equivariant=False,
        symmetry=spaces.group,
        module=module,
        num_inputs=spaces.inputs.size,
        see=lambda inputs: inputs,
        aim=lambda inputs, targets: targets,
        draw=action.draw if settings.augmented else None,
        augmented=augmented,
        mean=_as_is,
        finish=lambda inputs, outputs: outputs,
    )


def _in_frames(spaces: Spaces, settings: FrameMethod) -> SymmetricMethod:
    module = FeedForward(settings.width, settings.depth, spaces.outputs.size, nn.swish)
    rank, metric = spaces.output_rank, spaces.group.metric
    counts = {indices: number for number, indices in spaces.inputs.types}
    scalars, vectors = counts.get(0, 0), counts[1]
    axes = min(vectors, spaces.inputs.dimension)

    def see(inputs: Array) -> Seen:
        coordinates, _, _ = frame_coordinates(spaces.inputs.vectors(inputs), metric)
        return inputs[:, :scalars], coordinates

    def frame(inputs: Array) -> Array:
        return frame_coordinates(spaces.inputs.vectors(inputs), metric)[1]

    def with_signs(network: Callable[[Seen], Array], seen: Seen, signs: Array) -> Array:
        numbers, coordinates = seen
        flipped = coordinates * signs[:, None, :]
        outputs = network(jnp.concatenate([numbers, flipped.reshape(len(flipped), -1)], 1))
        # A diagonal matrix of signs is its own inverse.
        size = signs.shape[1]
        return (
            turned_back(signs[:, :, None] * jnp.eye(size, dtype=signs.dtype)[None], outputs, rank) if rank else outputs
        )

    def mean(network: Callable[[Seen], Array], seen: Seen) -> Array:
        choices = jnp.asarray(all_signs(axes), seen[1].dtype)
        found = [with_signs(network, seen, jnp.broadcast_to(signs[None], (len(seen[1]), axes))) for signs in choices]
        return sum(found[1:], found[0]) / len(found)

    def draw(key: jax.Array, num: int) -> Array:
        return jax.random.rademacher(key, (num, axes), jnp.float32)

    def aim(inputs: Array, targets: Array) -> Array:
        return into_frame(frame(inputs), metric, targets, rank) if rank else targets

    return SymmetricMethod(
        scaled=True,
        equivariant=True,
        symmetry=spaces.group,
        module=module,
        num_inputs=scalars + vectors * axes,
        see=see,
        aim=aim,
        draw=draw,
        augmented=with_signs,
        mean=mean,
        finish=lambda inputs, outputs: turned_back(frame(inputs), outputs, rank) if rank else outputs,
    )


def _on_tensors(spaces: Spaces, settings: TensorMethod) -> SymmetricMethod:
    tensors = TensorNetwork(settings.group, spaces.inputs, spaces.outputs, settings.channels, settings.depth)
    module: nn.Module = tensors
    if settings.relaxed:
        free = FeedForward(settings.channels, settings.depth, spaces.outputs.size, nn.swish)
        module = RelaxedTensorNetwork(tensors, free)
    return SymmetricMethod(
        scaled=True,
        equivariant=not settings.relaxed,
        symmetry=matrix_group(settings.group),
        module=module,
        num_inputs=spaces.inputs.size,
        see=lambda inputs: inputs,
        aim=lambda inputs, targets: targets,
        draw=None,
        augmented=_as_is,
        mean=_as_is,
        finish=lambda inputs, outputs: outputs,
    )


class _OfMasses(nn.Module):
    """Splits flat inputs into masses and positions."""

    network: ScalarInertia
    num_masses: int

    def __call__(self, inputs: Float[Array, "N size"]) -> Float[Array, "N 9"]:
        masses, positions = jnp.split(inputs, [self.num_masses], 1)
        return self.network(masses, positions.reshape(len(inputs), self.num_masses, -1))


def _on_scalars(function: Function, spaces: Spaces, settings: ScalarMethod) -> SymmetricMethod:
    metric, number = spaces.group.metric, spaces.inputs.types[0][0]
    if function == "inertia":
        network = ScalarInertia(settings.width, settings.depth, settings.features)
        module: nn.Module = _OfMasses(network, number)
        num_inputs = spaces.inputs.size
        see: Callable[[Array], Seen] = lambda inputs: inputs  # noqa: E731
    else:
        module = FeedForward(settings.width, settings.depth, spaces.outputs.size, nn.relu)
        num_inputs = number * (number + 1) // 2
        see = lambda inputs: upper_triangle(gram(spaces.inputs.vectors(inputs), metric))  # noqa: E731
    return SymmetricMethod(
        scaled=False,
        equivariant=True,
        symmetry=spaces.group,
        module=module,
        num_inputs=num_inputs,
        see=see,
        aim=lambda inputs, targets: targets,
        draw=None,
        augmented=_as_is,
        mean=_as_is,
        finish=lambda inputs, outputs: outputs,
    )


def equivariance_error(
    moved: Float[np.ndarray, "N K"],
    expected: Float[np.ndarray, "N K"],
    elements: Float[np.ndarray, "N d d"],
    batch: int,
) -> float:
    """Returns how far f(g x) is from g f(x), with one element for each sample, averaged over batches.

    RMS(f(g x) - g f(x)) / (RMS(f(g x)) + RMS(g f(x)) + mean |g - 1|), as published.

    Args:
        moved: f(g x).
        expected: g f(x).
        elements: g.
        batch: samples over which roots and means are taken; divides their number.
    """

    def over(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float64).reshape(len(values) // batch, -1)

    def root(values: np.ndarray) -> np.ndarray:
        return np.sqrt(np.square(over(values)).mean(1))

    distance = np.abs(over(elements - np.eye(elements.shape[-1]))).mean(1)
    return float((root(moved - expected) / (root(moved) + root(expected) + distance)).mean())
