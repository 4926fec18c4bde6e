"""Samples moved by gradients of classifiers until these see a target class, in data space or in a latent space.

Every sample moves on its own: optimisers are those of single coordinates, and who has arrived stays.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from emergent.config.counterfactual_training import Attack

Decode = Callable[[Array], Array]
"""Coordinates [P, D] to samples in data space [P, D]."""
Confidence = Callable[[Array, Array], Array]
"""Samples [P, D] and classes [P] to the logarithms of the probabilities of these classes [P]."""


class Moved(NamedTuple):
    """Where samples end.

    Attributes:
        data: in data space [P, D].
        reached: whether the classifier sees the target with the confidence that was asked for [P].
        steps: taken [P].
        paths: of the first samples in data space [T, traced, D]; after it has arrived a sample stays.
    """

    data: Float[Array, "P D"]
    reached: Bool[Array, " P"]
    steps: Int[Array, " P"]
    paths: Float[Array, "T traced D"]


def log_probabilities(outputs: Float[Array, "N K"]) -> Float[Array, "N L"]:
    """Returns log-probabilities of classes; a single output is the logit of class 1 of two."""
    if outputs.shape[-1] == 1:
        return jax.nn.log_sigmoid(jnp.concatenate([-outputs, outputs], -1))
    return jax.nn.log_softmax(outputs)


def ensemble_log_probabilities(outputs: Float[Array, "M N K"]) -> Float[Array, "N L"]:
    """Returns log-probabilities by an ensemble: the mean over its networks of their probabilities."""
    return jax.nn.logsumexp(jax.vmap(log_probabilities)(outputs), 0) - jnp.log(len(outputs))


def move(
    settings: Attack,
    rate: float,
    confidence: Confidence,
    decode: Decode,
    start: Float[Array, "P D"],
    targets: Int[Array, " P"],
    bounds: tuple[float, float] | None = None,
) -> Moved:
    """Returns where samples arrive.

    Args:
        settings: of the attack.
        rate: learning rate of Adam.
        confidence: of the classifier that is attacked.
        decode: from the coordinates that are moved to data space.
        start: coordinates.
        targets: classes.
        bounds: of coordinates, which are kept within; None leaves them free.
    """
    optimiser = optax.adam(rate)

    def objective(values: Array) -> tuple[Array, tuple[Array, Array]]:
        data = decode(values)
        log_probability = confidence(data, targets)
        if settings.objective == "squared":
            loss = jnp.square(jnp.exp(log_probability) - settings.confidence).sum()
        else:
            loss = -log_probability.sum()
        return loss, (log_probability, data[: settings.traced])

    derive = jax.value_and_grad(objective, has_aux=True)
    goal = jnp.log(jnp.asarray(settings.confidence, start.dtype))

    class _State(NamedTuple):
        values: Array
        optimiser: Any
        step: Array
        arrived: Array
        steps: Array
        paths: Array

    def unfinished(state: _State) -> Array:
        return (state.step < settings.num_steps) & ~state.arrived.all()

    def step(state: _State) -> _State:
        (_, (log_probability, here)), gradients = derive(state.values)
        arrived = state.arrived | (log_probability >= goal)
        updates, own = optimiser.update(gradients, state.optimiser, state.values)
        after: Any = optax.apply_updates(state.values, updates)
        if bounds is not None:
            after = jnp.clip(after, *bounds)
        values = jnp.where(arrived[:, None], state.values, after)
        paths = state.paths.at[state.step].set(here) if settings.traced else state.paths
        return _State(values, own, state.step + 1, arrived, state.steps + ~arrived, paths)

    num = len(start)
    trace = jnp.zeros((settings.num_steps + 1 if settings.traced else 0, settings.traced, start.shape[1]), start.dtype)
    begin = _State(start, optimiser.init(start), jnp.zeros((), jnp.int32), jnp.zeros(num, bool),
                   jnp.zeros(num, jnp.int32), trace)  # fmt: skip
    end = jax.lax.while_loop(unfinished, step, begin)
    data = decode(end.values)
    if settings.traced:
        # Nobody moves after the last step that was needed.
        taken = jnp.arange(settings.num_steps + 1)[:, None, None] < end.step
        trace = jnp.where(taken, end.paths, data[None, : settings.traced])
    return Moved(data, end.arrived | (confidence(data, targets) >= goal), end.steps, trace)
