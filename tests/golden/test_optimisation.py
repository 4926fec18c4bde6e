"""Optimisation steps against gradients written out by hand and textbook update rules, in plain NumPy and float64.

The network has one hidden layer: outputs = W2^T relu(W1^T x / sqrt(d)) / sqrt(n). Images are rotated by NumPy.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.models import MlpModel
from emergent.config.training import Training
from emergent.domains.arrays import ArrayData
from emergent.groups.actions import PixelAction, TrivialAction
from emergent.groups.images import image_action
from emergent.models.registry import build
from emergent.point_groups import group_from_name
from emergent.training.step import MemberState, learning_rate, make_optimiser, make_step, network_gradient

pytestmark = pytest.mark.usefixtures("float64")

SIDE, WIDTH, NUM_SAMPLES, NUM_STEPS = 3, 6, 5, 3
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(NUM_SAMPLES, SIDE, SIDE, 1))
LABELS = np.array([0, 2, 1, 3, 2], np.int32)
SITES = GENERATOR.normal(size=(NUM_SAMPLES, SIDE * SIDE))

Arrays = list[np.ndarray]


def squared_error(outputs: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    return 0.5 * float(np.square(outputs - target).sum()), outputs - target


def label_error(outputs: np.ndarray, label: int) -> tuple[float, np.ndarray]:
    return squared_error(outputs, np.eye(len(outputs))[label] - 1 / len(outputs))


def cross_entropy(outputs: np.ndarray, label: int) -> tuple[float, np.ndarray]:
    probabilities = np.exp(outputs) / np.exp(outputs).sum()
    return -float(np.log(probabilities[label])), probabilities - np.eye(len(outputs))[label]


def loss_and_gradients(
    weights: Arrays, samples: list[tuple[np.ndarray, object]], loss: Callable[..., tuple[float, np.ndarray]]
) -> tuple[float, Arrays]:
    """Mean over samples, one at a time."""
    total, first, second = 0.0, np.zeros_like(weights[0]), np.zeros_like(weights[1])
    for image, target in samples:
        inputs = image.ravel()
        before = inputs @ weights[0] / np.sqrt(len(inputs))
        hidden = np.maximum(before, 0)
        value, slope = loss(hidden @ weights[1] / np.sqrt(len(hidden)), target)
        total += value
        second += np.outer(hidden, slope) / np.sqrt(len(hidden))
        back = (weights[1] @ slope) / np.sqrt(len(hidden)) * (before > 0)
        first += np.outer(inputs, back) / np.sqrt(len(inputs))
    return total / len(samples), [first / len(samples), second / len(samples)]


def gradient_descent(rate: float) -> Callable[[Arrays, Arrays], Arrays]:
    return lambda weights, gradients: [w - rate * g for w, g in zip(weights, gradients, strict=True)]


def adam(rate: float) -> Callable[[Arrays, Arrays], Arrays]:
    """Kingma and Ba, algorithm 1, with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8."""
    state: dict[str, object] = {"m": [0.0, 0.0], "v": [0.0, 0.0], "t": 0}

    def update(weights: Arrays, gradients: Arrays) -> Arrays:
        state["t"] += 1  # type: ignore[operator]
        t, result = state["t"], []
        for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            state["m"][i] = 0.9 * state["m"][i] + 0.1 * g  # type: ignore[index]
            state["v"][i] = 0.999 * state["v"][i] + 0.001 * g**2  # type: ignore[index]
            mean = state["m"][i] / (1 - 0.9**t)  # type: ignore[index, operator]
            square = state["v"][i] / (1 - 0.999**t)  # type: ignore[index, operator]
            result.append(w - rate * mean / (np.sqrt(square) + 1e-8))
        return result

    return update


CASES = {
    "sgd_labels": ("sgd", "mse", LABELS, label_error, gradient_descent(0.7), 0.7),
    "sgd_sites": ("sgd", "mse", SITES, squared_error, gradient_descent(0.7), 0.7),
    "adam_labels": ("adam", "cross_entropy", LABELS, cross_entropy, adam(0.05), 0.05),
}


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("full_batch", [True, False], ids=["full_batch", "batch"])
@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("piece", [None, 4, 7])
def test_steps_with_full_augmentation_equal_a_plain_loop(
    name: str, full_batch: bool, piece: int | None, unrolled: bool
) -> None:
    optimiser_name, loss, targets, by_hand, update, rate = CASES[name]
    update = adam(rate) if optimiser_name == "adam" else update
    num_outputs = targets.shape[1] if targets.ndim == 2 else 4
    weights = [GENERATOR.normal(size=(SIDE**2, WIDTH)), GENERATOR.normal(size=(WIDTH, num_outputs))]
    chosen = [[0, 1, 2, 3, 4]] * NUM_STEPS if full_batch else [[3, 1], [0, 4], [2, 3]]

    module = build(MlpModel(family="mlp", width=WIDTH, num_outputs=num_outputs))
    optimiser = make_optimiser(optimiser_name, rate)
    parameters = {"params": {f"Dense_{i}": {"kernel": jnp.asarray(w)} for i, w in enumerate(weights)}}
    state = MemberState(parameters, optimiser.init(parameters))
    action = image_action(group_from_name("C4"), SIDE, SIDE)
    on_targets = PixelAction(action) if targets.ndim == 2 else TrivialAction(4)
    data = ArrayData(jnp.asarray(IMAGES), jnp.asarray(targets), action, on_targets, "full")
    step = jax.jit(make_step(network_gradient(module, loss, piece, unrolled), optimiser))

    for indices in chosen:
        batch = None if full_batch else jnp.asarray(indices)
        state, value, _ = step(state, (), batch, jax.random.key(0), data)
        samples = []
        for i in indices:
            for turns in range(4):
                target = targets[i]
                if targets.ndim == 2:
                    target = np.rot90(target.reshape(SIDE, SIDE), turns).ravel()
                samples.append((np.rot90(IMAGES[i, :, :, 0], turns), target))
        expected, gradients = loss_and_gradients(weights, samples, by_hand)
        weights = update(weights, gradients)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        for i, expected_weights in enumerate(weights):
            found = state.parameters["params"][f"Dense_{i}"]["kernel"]
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, expected_weights, rtol=1e-10, atol=1e-12)
    assert np.abs(gradients[0]).max() > 1e-3


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: (1 + np.cos(np.pi * share)) / 2,
    "linear": lambda share: 1 - share,
}


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_momentum_and_schedules_by_hand(schedule: str, momentum: float) -> None:
    """On a parabola: velocity <- momentum * velocity + slope; the rate goes from its start to 0 over all steps."""
    settings = Training.model_validate(
        {"loss": "mse", "optimiser": "sgd", "learning_rate": 0.3, "momentum": momentum, "schedule": schedule}
        | {"batch_size": None, "num_epochs": 6}
    )
    optimiser = make_optimiser("sgd", learning_rate(settings, 6), settings.momentum)
    step = jax.jit(make_step(lambda w, held, data, indices, key: (0.5 * w**2, w), optimiser))
    state, expected, velocity = MemberState(jnp.asarray(2.0), optimiser.init(jnp.asarray(2.0))), 2.0, 0.0
    for index in range(6):
        state, value, _ = step(state, (), None, jax.random.key(0), None)
        np.testing.assert_allclose(value, expected**2 / 2, rtol=1e-6)
        velocity = momentum * velocity + expected
        expected -= 0.3 * SCHEDULES[schedule](index / 6) * velocity
        # Optax counts steps and halves angles in single precision.
        np.testing.assert_allclose(state.parameters, expected, rtol=1e-5)
