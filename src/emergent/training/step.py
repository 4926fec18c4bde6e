"""One optimisation step of one member: batch, loss, gradient, update, observation. Pure functions of arrays.

Everything that varies between members (parameters, keys, data order) is an argument, so that the same function runs
for one member or, under ``jax.vmap``, for a block of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int

from emergent.config.training import Training

MOST_UNROLLED = 8
"""Pieces of a batch in one program, which takes as many times as long to compile."""

Loss = Callable[..., jax.Array]
Gradient = Callable[[Any, Any, Any, jax.Array | None, jax.Array], tuple[jax.Array, Any]]
Step = Callable[..., tuple["MemberState", jax.Array, Any]]


class MemberState(NamedTuple):
    """What a step updates."""

    parameters: Any
    optimiser: Any


class Best(NamedTuple):
    """The parameters with the smallest score so far."""

    score: jax.Array
    parameters: Any


@dataclass(frozen=True)
class Learner:
    """What is trained and how, apart from data, keys and length.

    Attributes:
        initialise: key, inputs of one sample and what is given to the member, to (parameters, held); what is held
            stays fixed beside the parameters, e.g. the basis that they are coordinates in.
        gradient: parameters, held, data, sample indices (None: all) and key to (loss, gradients).
        optimiser: from gradients to updates; its transformations may ask for ``data``.
        observe: parameters, held and loss after a step to arrays that are recorded step by step; None records nothing.
        has_convolutions: see ``emergent.models.size.has_convolutions``.
        score: parameters, held and data to a number; None ends with the last parameters, otherwise with those of the
            smallest score at the end of a stretch of training.
    """

    initialise: Callable[[jax.Array, Any, Any], tuple[Any, Any]]
    gradient: Gradient
    optimiser: optax.GradientTransformation
    observe: Callable[[Any, Any, jax.Array], Any] | None = None
    has_convolutions: bool = False
    score: Callable[[Any, Any, Any], jax.Array] | None = None


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


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": half_squared_error}


def batch_gradient(
    objective: Callable[[Any, Any, Any, jax.Array], jax.Array], piece: int | None = None, unrolled: bool = False
) -> Gradient:
    """Returns the gradient of ``objective(parameters, held, inputs, targets)`` on one augmented batch.

    Args:
        objective: a mean over samples.
        piece: how many inputs go through the network at a time; None for all.
        unrolled: pieces are written out one by one, for what must not stand inside a loop; ``MOST_UNROLLED`` at most.
    """

    def gradient(
        parameters: Any, held: Any, data: Any, indices: jax.Array | None, key: jax.Array
    ) -> tuple[jax.Array, Any]:
        inputs, targets = data.batch(indices, key)
        function = jax.value_and_grad(lambda parameters, *some: objective(parameters, held, *some))
        num = len(targets)
        size = num if piece is None else max(piece, -(-num // MOST_UNROLLED) if unrolled else 0)
        if num <= size:
            return function(parameters, inputs, targets)
        whole = num // size

        def add(total: Any, some: Any) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, function(parameters, *some)), None

        def stacked(leaf: jax.Array) -> jax.Array:
            return leaf[: whole * size].reshape(whole, size, *leaf.shape[1:])

        pieces = jax.tree.map(stacked, (inputs, targets))
        total: Any
        if unrolled:
            total = function(parameters, *jax.tree.map(lambda leaf: leaf[0], pieces))
            for i in range(1, whole):
                total, _ = add(total, jax.tree.map(lambda leaf, i=i: leaf[i], pieces))
        else:
            first = jax.eval_shape(function, parameters, *jax.tree.map(lambda leaf: leaf[0], pieces))
            nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)
            total, _ = jax.lax.scan(add, nothing, pieces)
        mean = jax.tree.map(lambda value: value * (size / num), total)
        if num == whole * size:
            return mean
        rest = function(parameters, *jax.tree.map(lambda leaf: leaf[whole * size :], (inputs, targets)))
        return jax.tree.map(lambda most, few: most + few * (1 - whole * size / num), mean, rest)

    return gradient


def network_gradient(module: nn.Module, loss: str, piece: int | None = None, unrolled: bool = False) -> Gradient:
    """Returns the gradient of a network's loss, by name in ``LOSSES``; the rest as in ``batch_gradient``."""

    def objective(parameters: Any, held: Any, inputs: Any, targets: jax.Array) -> jax.Array:
        del held
        return LOSSES[loss](module.apply(parameters, inputs), targets)

    return batch_gradient(objective, piece, unrolled)


def learning_rate(training: Training, num_steps: int) -> float | optax.Schedule:
    """Returns the learning rate, or its schedule over all steps."""
    if training.schedule == "cosine":
        return optax.cosine_decay_schedule(training.learning_rate, num_steps)
    if training.schedule == "linear":
        return optax.linear_schedule(training.learning_rate, 0.0, num_steps)
    return training.learning_rate


def make_optimiser(name: str, rate: float | optax.Schedule, momentum: float = 0.0) -> optax.GradientTransformation:
    """Returns gradient descent (``sgd``), plain or with momentum, or Adam with Optax's defaults."""
    # None and not 0, with which Optax would keep a trace of gradients beside the parameters.
    return optax.adam(rate) if name == "adam" else optax.sgd(rate, momentum or None)


def make_step(
    gradient: Gradient,
    optimiser: optax.GradientTransformation,
    observe: Callable[[Any, Any, jax.Array], Any] | None = None,
) -> Step:
    """Returns ``step(state, held, indices, key, data) -> (state, loss, observed)`` for one member.

    ``indices`` [B] choose the batch; None takes all samples. ``key`` draws the augmentation of this step.
    """
    extended = optax.with_extra_args_support(optimiser)

    def step(
        state: MemberState, held: Any, indices: jax.Array | None, key: jax.Array, data: Any
    ) -> tuple[MemberState, jax.Array, Any]:
        value, gradients = gradient(state.parameters, held, data, indices, key)
        updates, optimiser_state = extended.update(gradients, state.optimiser, state.parameters, data=data)
        parameters = optax.apply_updates(state.parameters, updates)
        # The loss is that before the step; what is observed besides belongs to the parameters after it.
        observed = None if observe is None else observe(parameters, held, value)
        return MemberState(parameters, optimiser_state), value, observed

    return step
