"""The theorem of arXiv 2410.01452 and each step of its proof, for CNNs on filter supports, in float64.

rho(k) turns every filter and the spatial part of the read-out by k quarter turns. Where support and initial law are
invariant the identities hold to round-off, which grows along training; where they are not they fail by many orders of
magnitude, so no tolerance could hide a mistake.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.models import SupportCnnModel
from emergent.config.supports import support_mask
from emergent.domains.arrays import ArrayData
from emergent.groups.actions import TrivialAction
from emergent.groups.images import image_action, orbit
from emergent.models.support_cnn import SupportCnn
from emergent.point_groups import group_from_name
from emergent.training.step import MemberState, cross_entropy, make_optimiser, make_step, network_gradient

pytestmark = pytest.mark.usefixtures("float64")

C4 = group_from_name("C4")
CROSS = ("010", "111", "010")
FULL = ("111", "111", "111")
ASYMMETRIC = ("110", "101", "010")
EDGES = ("010", "101", "010")
DIAMOND = ("00100", "01110", "11111", "01110", "00100")
INVARIANT = {"sym": (CROSS, None), "cnn": (FULL, None), "sym_5x5": (DIAMOND, None)}
NUM_STEPS = 5


def network(support: tuple[str, ...], initial: tuple[str, ...] | None = None) -> tuple[SupportCnn, Any]:
    """Returns a network with 4 channels on 28 x 28 images, and float64 parameters."""
    config = SupportCnnModel(
        family="support_cnn", channels=(4, 4, 4), support=support, initial_support=initial, num_outputs=10
    )
    module = SupportCnn(config)
    parameters = jax.jit(module.init)(jax.random.key(7), jnp.zeros((1, 28, 28, 1)))
    return module, jax.tree.map(lambda value: value.astype(jnp.float64), parameters)


@functools.cache
def predictor(module: SupportCnn) -> Callable[..., jax.Array]:
    """Returns the compiled network."""
    return jax.jit(module.apply)


def rotated(parameters: Any, support: tuple[str, ...], turns: int) -> Any:
    """Returns rho(k) A; a weight that would leave the support must be 0."""
    mask = support_mask(support)
    result = {}
    for name, value in parameters["params"].items():
        if name == "readout":
            result[name] = np.rot90(value, turns)
            continue
        full = np.zeros((*mask.shape, *value.shape[1:]))
        full[mask] = value
        turned = np.rot90(full, turns)
        np.testing.assert_array_equal(turned[~mask], 0)
        result[name] = turned[mask]
    return {"params": result}


def images(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns noise images and labels."""
    generator = np.random.default_rng(3)
    return generator.normal(size=(num, 28, 28, 1)), generator.integers(0, 10, num)


def invariance_gap(module: SupportCnn, members: list[Any], inputs: np.ndarray) -> float:
    """Returns the largest change of the mean logits under quarter turns of the input."""
    mean = np.mean(
        [[np.asarray(predictor(module)(member, np.rot90(inputs, k, (1, 2)))) for k in range(4)] for member in members],
        0,
    )
    return float(np.abs(mean - mean[0]).max())


def distance(one: Any, other: Any) -> float:
    """Returns the largest difference of two parameter trees."""
    return max(
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


@pytest.mark.parametrize("name", INVARIANT)
def test_rotating_parameters_and_input_leaves_the_logits(name: str) -> None:
    """T1: the network of rotated parameters, at the rotated image, is the network at the image."""
    support, _ = INVARIANT[name]
    module, parameters = network(support)
    inputs, _ = images(3)
    for turns in range(4):
        outputs = predictor(module)(rotated(parameters, support, turns), np.rot90(inputs, turns, (1, 2)))
        np.testing.assert_allclose(outputs, predictor(module)(parameters, inputs), rtol=0, atol=1e-11)
    # An ordinary member is not invariant at all.
    assert invariance_gap(module, [parameters], inputs) > 1


def trained_orbit(
    support: tuple[str, ...], initial: tuple[str, ...] | None, step_of: Callable[..., Callable[..., Any]]
) -> tuple[SupportCnn, list[Any]]:
    """Returns the four members rho(k) A_0 after training."""
    module, start = network(support, initial)
    inputs, labels = images(8)
    action = image_action(C4, 28, 28)
    action = replace(action, weights=action.weights.astype(jnp.float64))
    data = ArrayData(jnp.asarray(inputs), jnp.asarray(labels), action, TrivialAction(4), "full")
    members = [rotated(start, support, k) for k in range(4)]
    step = step_of(module, data)
    for index in range(NUM_STEPS):
        members = [step(member, index, k) for k, member in enumerate(members)]
    assert distance(members[0], start) > 1e-3
    return module, members


def full_augmentation(module: SupportCnn, data: ArrayData) -> Callable[..., Any]:
    """Returns gradient descent on the whole orbits of all samples: the engine's own step."""
    optimiser = make_optimiser("sgd", 0.01)
    step = jax.jit(make_step(network_gradient(module, "cross_entropy"), optimiser))

    def run(member: Any, index: int, turns: int) -> Any:
        del index, turns
        state, _, _ = step(MemberState(member, optimiser.init(member)), (), None, jax.random.key(0), data)
        return state.parameters

    return run


def coupled_augmentation(module: SupportCnn, data: ArrayData) -> Callable[..., Any]:
    """Returns stochastic descent in which member k sees each image k quarter turns further than member 0."""

    def loss(member: Any, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(module.apply(member, inputs), labels)

    @jax.jit
    def step(member: Any, batch: jax.Array, elements: jax.Array) -> Any:
        moved = data.on_inputs.transform(data.inputs[batch], elements)
        slope = jax.grad(loss)(member, moved, data.targets[batch])
        return jax.tree.map(lambda value, change: value - 0.01 * change, member, slope)

    def run(member: Any, index: int, turns: int) -> Any:
        generator = np.random.default_rng(index)
        batch, elements = generator.permutation(8)[:4], generator.integers(0, 4, 4)
        return step(member, batch, (elements + turns) % 4)

    return run


@pytest.mark.parametrize("augmentation", [full_augmentation, coupled_augmentation])
@pytest.mark.parametrize("name", ["sym", "cnn"])
def test_orbit_ensemble_stays_an_orbit_and_invariant(name: str, augmentation: Callable[..., Any]) -> None:
    """T3 and T4: A_k(t) = rho(k) A_0(t) at every time, so the mean over the orbit is invariant."""
    support, initial = INVARIANT[name]
    module, members = trained_orbit(support, initial, augmentation)
    inputs = images(3)[0] * 2 + 1  # off the training data as well
    for turns, member in enumerate(members):
        assert distance(member, rotated(members[0], support, turns)) < 1e-9
    assert invariance_gap(module, members, inputs) < 1e-7
    assert invariance_gap(module, members[:1], inputs) > 1


@pytest.mark.parametrize("augmentation", [full_augmentation, coupled_augmentation])
def test_asymmetric_support_leaves_the_orbit(augmentation: Callable[..., Any]) -> None:
    """The negative control: the initial law is invariant, but the support, and so the flow, is not."""
    module, members = trained_orbit(ASYMMETRIC, EDGES, augmentation)
    inputs, _ = images(3)
    assert invariance_gap(module, members, inputs) > 1e-2
    corner = members[0]["params"]["kernel_1"][0]
    assert np.abs(corner).max() > 1e-3  # it started at 0 and is trained


def test_gradient_of_the_augmented_risk_is_equivariant_where_the_support_is_invariant() -> None:
    """T2: the projected gradient at rho(g) A is rho(g) of that at A; the asymmetric projection breaks it."""
    inputs, labels = images(4)
    action = image_action(C4, 28, 28)
    copies = jax.jit(orbit)(action, inputs).reshape(-1, 28, 28, 1)

    @functools.partial(jax.jit, static_argnums=0)
    @functools.partial(jax.grad, argnums=1)
    def gradient(module: SupportCnn, parameters: Any) -> jax.Array:
        return cross_entropy(module.apply(parameters, copies), jnp.tile(labels, 4))

    module, parameters = network(CROSS)
    turned = gradient(module, rotated(parameters, CROSS, 1))
    assert distance(turned, rotated(gradient(module, parameters), CROSS, 1)) < 1e-10
    module, parameters = network(ASYMMETRIC, EDGES)
    at_turned, here = gradient(module, rotated(parameters, ASYMMETRIC, 1)), gradient(module, parameters)
    # The corner tap has a gradient, but its image under a quarter turn does not exist in the support.
    assert np.abs(at_turned["params"]["kernel_1"][0]).max() > 1e-6
    assert np.abs(here["params"]["kernel_1"][0]).max() > 1e-6


@pytest.mark.parametrize(
    ("support", "side", "channels", "num_pooled", "inputs"),
    [
        (ASYMMETRIC, 28, (16, 16, 16), 2, 1),
        (FULL, 16, (4, 5, 6, 3), 3, 3),
        pytest.param(DIAMOND, 28, (8, 8, 8), 2, 1, marks=pytest.mark.slow),
        (("11100", "11100", "11111", "00100", "00100"), 8, (4, 5), 1, 2),
        pytest.param(FULL, 8, (4, 5), 0, 2, marks=pytest.mark.slow),
        (("1",), 8, (4, 5), 2, 1),
    ],
)
def test_matmul_formulation_equals_the_reference(
    support: tuple[str, ...], side: int, channels: tuple[int, ...], num_pooled: int, inputs: int
) -> None:
    """Values and gradients of the formulation without convolutions equal those of convolve, pool, normalise."""
    config = SupportCnnModel(
        family="support_cnn", channels=channels, num_pooled=num_pooled, support=support, num_outputs=10
    )
    fast, plain = SupportCnn(config), SupportCnn(config, "reference")
    generator = np.random.default_rng(1)
    batch, weights = generator.normal(size=(3, side, side, inputs)), generator.normal(size=(3, 10))
    parameters = jax.tree.map(lambda v: v.astype(jnp.float64), jax.jit(fast.init)(jax.random.key(0), batch))

    def slope_and_outputs(module: SupportCnn) -> tuple[Any, jax.Array]:
        def weighted(p: Any) -> tuple[jax.Array, jax.Array]:
            outputs = module.apply(p, batch)
            return (outputs * weights).sum(), outputs

        return jax.jit(jax.grad(weighted, has_aux=True))(parameters)

    (ours, outputs), (slope, expected) = (slope_and_outputs(module) for module in (fast, plain))
    # The derivative of normalised_tanh is a rule of its own, so that the values come from other code with it.
    for found in (outputs, predictor(fast)(parameters, batch)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)
    assert distance(ours, slope) < 1e-11 * max(float(np.abs(v).max()) for v in jax.tree.leaves(slope))
