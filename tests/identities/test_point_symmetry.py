"""Symmetries of the network on point clouds, in double precision: orders of points, rotations, coupled training.

A rotation of the cloud can be undone by turning the weights that act on coordinates. So a member that starts from
turned weights and sees turned clouds stays the turned copy of the other member at every step of stochastic gradient
descent, whatever the step size: with Gaussian weights both start equally likely, and the ensemble is invariant.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from emergent.config.base import validate
from emergent.config.pointnet import PointNetModel
from emergent.groups.rotations import random_rotations, rotate
from emergent.models.pointnet import Clouds, PointNet, dense_layers, nearest_neighbours
from emergent.training.step import MemberState, cross_entropy, make_optimiser, make_step

pytestmark = pytest.mark.usefixtures("float64")

NUM_CLOUDS, NUM_POINTS, NUM_NEIGHBOURS = 3, 9, 4
NORMALISATIONS = ("per_point", "per_message", "consecutive_rows")


def network(normalisation: str) -> PointNetModel:
    content = {"family": "point_net", "encoder": [6, 5], "local_net": [8, 7], "global_net": [6, 9], "decoder": [5],
               "num_outputs": 4, "initialisation": "xavier", "normalisation": normalisation}  # fmt: skip
    return validate(PointNetModel, content, "test")


def clouds() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(NUM_CLOUDS, NUM_POINTS, 3))


@jax.jit
def graphs(points: jax.Array) -> jax.Array:
    return jax.vmap(partial(nearest_neighbours, num=NUM_NEIGHBOURS))(points)


def rotations_of(seed: int) -> np.ndarray:
    """One rotation for all clouds."""
    return np.broadcast_to(np.asarray(Rotation.random(rng=seed).as_matrix()), (NUM_CLOUDS, 3, 3))


def start_of(config: PointNetModel) -> dict:
    """Random parameters; drawn by NumPy, which has nothing to compile."""
    generator = np.random.default_rng(1)
    parameters = {}
    for layer in dense_layers(config):
        kernel = generator.normal(size=(layer.fan_in, layer.features)) * (2 / layer.fan_in**0.5)
        parameters[layer.name] = {"kernel": kernel, "bias": 0.3 * generator.normal(size=layer.features)}
    return {"params": parameters}


turn = jax.jit(rotate)


@jax.jit
def turned(parameters: dict, rotation: jax.Array) -> dict:
    """Parameters of the network that does to turned clouds what these do to the clouds."""
    layers = dict(parameters["params"])
    encoder, local = layers["encoder_0"], layers["local_0"]
    layers["encoder_0"] = encoder | {"kernel": rotation @ encoder["kernel"]}
    kernel = local["kernel"]
    layers["local_0"] = local | {"kernel": jnp.concatenate([kernel[:-3], rotation @ kernel[-3:]])}
    return {"params": layers}


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_order_of_points_and_company_of_clouds(normalisation: str) -> None:
    config, points = network(normalisation), clouds()
    parameters = start_of(config)
    apply = jax.jit(PointNet(config).apply)
    outputs = np.asarray(apply(parameters, Clouds(points, graphs(points))))
    shuffled = points[:, np.random.default_rng(1).permutation(NUM_POINTS)]
    order = np.abs(np.asarray(apply(parameters, Clouds(shuffled, graphs(shuffled)))) - outputs).max()
    others = points + np.array([0.0, 1.0, 1.0])[:, None, None]
    company = np.abs(np.asarray(apply(parameters, Clouds(others, graphs(others))))[0] - outputs[0]).max()
    if normalisation == "consecutive_rows":
        # Released: blocks of rows straddle points and clouds.
        assert order > 1e-6 and company > 1e-6
    else:
        assert order < 1e-12 and company < 1e-14


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_turned_weights_undo_a_turn_of_the_clouds(normalisation: str) -> None:
    config, points = network(normalisation), clouds()
    parameters = start_of(config)
    rotations = rotations_of(2)
    moved = turn(rotations, points)
    neighbours = graphs(points)
    np.testing.assert_array_equal(graphs(moved), neighbours)
    apply = jax.jit(PointNet(config).apply)
    outputs = apply(parameters, Clouds(points, neighbours))
    np.testing.assert_allclose(apply(turned(parameters, rotations[0]), Clouds(moved, neighbours)), outputs, atol=1e-12)
    # The network itself is far from invariant.
    assert np.abs(apply(parameters, Clouds(moved, neighbours)) - outputs).max() > 1e-2


def test_coupled_training_keeps_members_turned_copies_of_each_other() -> None:
    config, points = network("per_point"), clouds()
    neighbours, labels = graphs(points), jnp.asarray([0, 1, 3])
    optimiser = make_optimiser("sgd", 0.2)
    module = PointNet(config)

    def gradient(parameters: Any, held: Any, data: Clouds, indices: None, key: jax.Array) -> tuple[jax.Array, Any]:
        return jax.value_and_grad(lambda p: cross_entropy(module.apply(p, data), labels))(parameters)

    step_of = jax.jit(make_step(gradient, optimiser))

    def update(state: MemberState, points: jax.Array) -> MemberState:
        return step_of(state, (), None, jax.random.key(0), Clouds(points, neighbours))[0]

    rotations = rotations_of(2)
    start = start_of(config)
    state, copy, uncoupled = (
        MemberState(p, optimiser.init(p)) for p in (start, turned(start, rotations[0]), turned(start, rotations[0]))
    )
    for step in range(5):
        augmentation = np.asarray(Rotation.random(NUM_CLOUDS, rng=step).as_matrix())
        seen = turn(augmentation, points)
        state = update(state, seen)
        copy = update(copy, turn(rotations, seen))
        uncoupled = update(uncoupled, seen)
    expected = turned(state.parameters, rotations[0])

    def distance(parameters: dict) -> float:
        pairs = zip(jax.tree.leaves(parameters), jax.tree.leaves(expected), strict=True)
        return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)

    assert distance(copy.parameters) < 1e-10
    assert distance(uncoupled.parameters) > 1e-3
    assert distance(start) > 1e-2


def test_rotations_are_proper() -> None:
    rotations = np.asarray(jax.jit(random_rotations, static_argnums=1)(jax.random.key(0), 50))
    np.testing.assert_allclose(rotations @ rotations.swapaxes(1, 2), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-14)
