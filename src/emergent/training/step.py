"""One optimisation step of one member: batch, augmentation, loss, gradient, update. Pure functions of arrays.

Everything that varies between members (parameters, keys, data order) is an argument, so that the same function runs
for one member or, under ``jax.vmap``, for a block of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int

from emergent.groups.images import ImageAction, orbit, transform


class TrainingData(NamedTuple):
    """Resident training set and group action, shared by all members.

    Attributes:
        inputs: float32 [N, H, W, C].
        targets: int32 labels [N], or float32 per-pixel targets [N, H * W].
        action: gather tables of the augmentation group.
    """

    inputs: Float[Array, "N H W C"]
    targets: Array
    action: ImageAction


class MemberState(NamedTuple):
    """What a step updates."""

    parameters: Any
    optimiser: Any


def cross_entropy(outputs: Float[Array, "N K"], labels: Int[Array, " N"]) -> Float[Array, ""]:
    """Returns the mean cross-entropy of logits."""
    return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()


def half_squared_error(outputs: Float[Array, "N K"], targets: Array) -> Float[Array, ""]:
    """Returns half the squared error, summed over outputs and averaged over samples.

    With this normalisation gradient descent with rate eta moves the outputs by ``-(eta / n) Theta (f - y)`` for n
    samples. Integer labels stand for one-hot vectors minus 1/K, whose mean over classes is zero.
    """
    if jnp.issubdtype(targets.dtype, jnp.integer):
        num_classes = outputs.shape[-1]
        targets = jax.nn.one_hot(targets, num_classes) - 1 / num_classes
    return 0.5 * jnp.square(outputs - targets).sum(-1).mean()


LOSSES: dict[str, Callable[..., jax.Array]] = {"cross_entropy": cross_entropy, "mse": half_squared_error}


def augment_random(
    data: TrainingData, inputs: jax.Array, targets: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns every sample moved by its own uniformly drawn group element."""
    elements = jax.random.randint(key, (inputs.shape[0],), 0, data.action.indices.shape[0])
    if targets.ndim == 2:
        maps = targets.reshape(*inputs.shape[:3], 1)
        targets = transform(data.action, maps, elements).reshape(targets.shape)
    return transform(data.action, inputs, elements), targets


def augment_full(
    data: TrainingData, inputs: jax.Array, targets: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the whole orbit of every sample: G times as many samples; the key is not used."""
    del key
    order = data.action.indices.shape[0]
    moved = orbit(data.action, inputs).reshape(-1, *inputs.shape[1:])
    if targets.ndim == 2:
        maps = targets.reshape(*inputs.shape[:3], 1)
        return moved, orbit(data.action, maps).reshape(-1, targets.shape[1])
    return moved, jnp.tile(targets, order)


AUGMENTATIONS = {"random": augment_random, "full": augment_full}


def make_optimiser(name: str, learning_rate: float) -> optax.GradientTransformation:
    """Returns plain gradient descent (``sgd``) or Adam with Optax's defaults."""
    return {"sgd": optax.sgd, "adam": optax.adam}[name](learning_rate)


def make_step(
    module: nn.Module, optimiser: optax.GradientTransformation, loss: str, augmentation: str
) -> Callable[[MemberState, jax.Array | None, jax.Array, TrainingData], tuple[MemberState, jax.Array]]:
    """Returns ``step(state, indices, key, data) -> (state, loss)`` for one member.

    ``indices`` [B] choose the batch; None takes all samples. ``key`` draws the augmentation of this step.
    """
    augment = AUGMENTATIONS[augmentation]

    def step(
        state: MemberState, indices: jax.Array | None, key: jax.Array, data: TrainingData
    ) -> tuple[MemberState, jax.Array]:
        inputs = data.inputs if indices is None else data.inputs[indices]
        targets = data.targets if indices is None else data.targets[indices]
        inputs, targets = augment(data, inputs, targets, key)

        def objective(parameters: Any) -> jax.Array:
            return LOSSES[loss](module.apply(parameters, inputs), targets)

        value, gradients = jax.value_and_grad(objective)(state.parameters)
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.parameters)
        return MemberState(optax.apply_updates(state.parameters, updates), optimiser_state), value

    return step
