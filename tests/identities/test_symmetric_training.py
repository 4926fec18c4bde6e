"""An orbit of networks trained with full augmentation stays an orbit, so that its mean is exactly equivariant.

Member g starts from a member's weights moved by g: first-layer weights along the input sites, and for equivariant
outputs the last layer's along the output sites. Then f_g(x) = g f(g^-1 x) at every step, and the mean over g is
equivariant, for any width and any number of steps: the mechanism behind emergent equivariance, without a limit.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.models import MlpModel
from emergent.domains.arrays import ArrayData
from emergent.groups.actions import PixelAction, TrivialAction
from emergent.groups.images import image_action
from emergent.groups.lattices import lattice_action
from emergent.models.registry import build
from emergent.point_groups import group_from_name
from emergent.training.step import MemberState, make_optimiser, make_step, network_gradient

pytestmark = pytest.mark.usefixtures("float64")

SIDE, WIDTH, NUM_SAMPLES, NUM_STEPS = 3, 12, 6, 20
NUM_SITES = SIDE * SIDE


def training_set(inputs: np.ndarray, targets: np.ndarray, group: str, mode: Any) -> ArrayData:
    """Images or maps with labels, or with one number per site."""
    action = image_action(group_from_name(group), SIDE, SIDE)
    on_targets = PixelAction(action) if targets.ndim == 2 else TrivialAction(action.order)
    return ArrayData(jnp.asarray(inputs), jnp.asarray(targets), action, on_targets, mode)


def train_orbit(
    orbit_name: str, augmentation_name: str, loss: str, optimiser_name: str, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns outputs [T, G, N, K] of all members at some inputs after every step, and lattice maps [G, P]."""
    generator = np.random.default_rng(0)
    equivariant = loss == "mse"
    num_outputs = NUM_SITES if equivariant else 4
    moves = lattice_action(group_from_name(orbit_name), SIDE)
    images = generator.normal(size=(NUM_SAMPLES, SIDE, SIDE, 1))
    targets = generator.normal(size=(NUM_SAMPLES, NUM_SITES)) if equivariant else np.arange(6, dtype=np.int32) % 4
    data = training_set(images, targets, augmentation_name, "full")
    module = build(MlpModel(family="mlp", width=WIDTH, depth=2, num_outputs=num_outputs, activation="tanh"))
    weights = [generator.normal(size=shape) for shape in ((NUM_SITES, WIDTH), (WIDTH, WIDTH), (WIDTH, num_outputs))]
    optimiser = make_optimiser(optimiser_name, rate)
    states = []
    for move in moves:
        moved = [weights[0][move], weights[1], weights[2][:, move] if equivariant else weights[2]]
        parameters = {"params": {f"Dense_{i}": {"kernel": jnp.asarray(w)} for i, w in enumerate(moved)}}
        states.append(MemberState(parameters, optimiser.init(parameters)))
    members = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    step = jax.jit(jax.vmap(make_step(network_gradient(module, loss), optimiser), (0, None, None, None, None)))
    apply = jax.jit(jax.vmap(module.apply, (0, None)))

    # Test inputs and all their rotated copies.
    fresh = generator.normal(size=(5, NUM_SITES))
    inputs = jnp.asarray(np.moveaxis(fresh[:, moves], 1, 0).reshape(-1, SIDE, SIDE, 1))
    outputs = [apply(members.parameters, inputs)]
    for _ in range(NUM_STEPS):
        members, _, _ = step(members, (), None, jax.random.key(0), data)
        outputs.append(apply(members.parameters, inputs))
    stacked = np.stack(outputs)
    assert stacked.dtype == np.float64
    # T, member g, copy h, input, output.
    return stacked.reshape(NUM_STEPS + 1, len(moves), len(moves), 5, num_outputs), moves


def equivariance_error(outputs: np.ndarray, moves: np.ndarray) -> float:
    """Largest |f(h x) - h f(x)| over group elements h, for outputs [..., h, N, K] on the copies of N inputs."""
    expected = [
        outputs[..., 0, :, :][..., move] if outputs.shape[-1] == NUM_SITES else outputs[..., 0, :, :] for move in moves
    ]
    return float(np.abs(outputs - np.stack(expected, axis=-3)).max())


CASES = {
    "C4_sites": ("C4", "C4", "mse", "sgd", 1.0),
    "D4_labels": ("D4", "D4", "cross_entropy", "adam", 0.01),
    # Augmentation by a larger group serves the orbit of a smaller one too.
    "C2_in_D4_sites": ("C2", "D4", "mse", "sgd", 1.0),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_orbit_of_members_stays_an_orbit(name: str) -> None:
    outputs, moves = train_orbit(*CASES[name])
    group = group_from_name(CASES[name][0])
    # f_g(h x) = g f(g^-1 h x) at every step.
    for g, move in enumerate(moves):
        related = outputs[:, 0][:, group.product[group.inverse[g]]]
        if outputs.shape[-1] == NUM_SITES:
            related = related[..., move]
        np.testing.assert_allclose(outputs[:, g], related, atol=1e-10)
    assert equivariance_error(outputs.mean(1), moves) < 1e-10
    # No member is symmetric, neither at the start nor at the end, and training has changed the outputs.
    for step in (0, -1):
        assert min(equivariance_error(outputs[step, g], moves) for g in range(len(moves))) > 1e-3
    assert np.abs(outputs[-1] - outputs[0]).max() > 1e-2


def test_without_augmentation_the_mean_is_not_equivariant() -> None:
    outputs, moves = train_orbit("C4", "C1", "mse", "sgd", 1.0)
    assert equivariance_error(outputs[0].mean(0), moves) < 1e-10
    assert equivariance_error(outputs[-1].mean(0), moves) > 1e-3


def test_random_augmentation_moves_inputs_and_site_targets_alike() -> None:
    generator = np.random.default_rng(0)
    maps = generator.normal(size=(400, SIDE, SIDE, 1))
    data = training_set(maps, maps.reshape(400, -1), "C4", "random")
    moved, targets = data.batch(None, jax.random.key(1))
    np.testing.assert_array_equal(np.asarray(moved).reshape(400, -1), targets)
    copies = np.stack([np.rot90(maps, turns, axes=(1, 2)) for turns in range(4)])
    same = (copies == np.asarray(moved)).all((2, 3, 4))
    assert (same.sum(0) == 1).all()
    # Each of the four with probability 1/4: binomial standard deviation sqrt(400 x 3/16) = 8.7.
    assert np.abs(same.sum(1) - 100).max() < 4 * 8.7
    other, _ = data.batch(None, jax.random.key(2))
    assert (np.asarray(other) != np.asarray(moved)).any()


def test_full_augmentation_is_the_whole_orbit_with_its_targets() -> None:
    maps = np.random.default_rng(0).normal(size=(2, SIDE, SIDE, 1))
    labels = np.asarray([3, 1], np.int32)
    moved, targets = training_set(maps, labels, "C4", "full").batch(None, jax.random.key(0))
    expected = np.concatenate([np.rot90(maps, turns, axes=(1, 2)) for turns in range(4)])
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(targets, [3, 1] * 4)
    moved, sites = training_set(maps, maps.reshape(2, -1), "C4", "full").batch(None, jax.random.key(0))
    np.testing.assert_array_equal(sites, expected.reshape(8, -1))
