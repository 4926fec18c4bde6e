"""The engine against plain loops: every domain, observations after every step, smaller last batches, phases."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from engine_tasks import SELECTION, mlp_task, training

from emergent.config.domains import PointCloudTraining, VectorTraining
from emergent.config.pointnet import PointNetModel, Sampling
from emergent.config.training import Training
from emergent.domains.arrays import ArrayData
from emergent.domains.meshes import Meshes
from emergent.domains.point_clouds import CloudData
from emergent.domains.space import VectorAction
from emergent.errors import DataError
from emergent.groups.actions import HaarAction, TrivialAction
from emergent.models.registry import build
from emergent.training.engine import Divergence, train_block, train_members
from emergent.training.parameters import flat_on_host
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import LOSSES, Learner, learning_rate, make_optimiser

GENERATOR = np.random.default_rng(0)
NAMES = KeyNames(1, "tiny", "arm", "start")


def vectors(**options: Any) -> tuple[Any, Any]:
    """Pairs and their products, turned anew at every access, in batches of 4 of which the last holds 2."""
    pairs = GENERATOR.normal(size=(10, 2, 3)).astype(np.float32)
    products = np.cross(pairs[:, 0], pairs[:, 1])
    data = ArrayData(jnp.asarray(pairs), jnp.asarray(products), HaarAction(), VectorAction(HaarAction()), "random")
    settings: dict[str, Any] = {"batch_size": 4, "last_batch": "keep", "num_epochs": 2, "checkpoint_every": 1}
    section = VectorTraining(domain="vectors", train=SELECTION, num_vectors=2, outputs="vectors")
    stage = mlp_task(0, data=section, train=training(**settings | options)).stage
    return stage, data


def clouds(**options: Any) -> tuple[Any, Any]:
    """Clouds of three points on five tetrahedra, drawn and turned at every access."""
    corners = np.concatenate([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]], np.int32)
    parts = [np.concatenate([part + step * index for index in range(5)]) for part, step in ((corners, 0), (faces, 4))]
    starts = np.tile(np.array([0, 2**30, 2**31, 3 * 2**30], np.uint32), 5)
    offsets, labels = np.arange(0, 21, 4, dtype=np.int32), np.arange(5, dtype=np.int32) % 3
    meshes = Meshes(*(jnp.asarray(part) for part in (*parts, starts, offsets, labels)))
    sampling = Sampling(num_points=3, num_neighbours=1)
    model = PointNetModel(
        family="point_net",
        encoder=(4,),
        local_net=(5,),
        global_net=(4,),
        num_outputs=3,
        initialisation="xavier",
        normalisation="per_point",
    )
    settings: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 2, "last_batch": "keep", "num_epochs": 2}
    section = PointCloudTraining(domain="point_clouds", train=SELECTION, sampling=sampling)
    train = training(**settings | {"checkpoint_every": 1} | options)
    stage = mlp_task(0, data=section, model=model, train=train).stage
    return stage, CloudData(meshes, HaarAction(), sampling)


def by_hand(stage: Any, data: Any, member: int) -> list[dict[str, np.ndarray]]:
    """Parameters before training and after every step, in a plain loop without scans or members."""
    settings: Training = stage.train
    module, size = build(stage.model), settings.batch_size or data.num_samples
    num_steps = -(-data.num_samples // size) * settings.num_epochs
    optimiser = make_optimiser(settings.optimiser, learning_rate(settings, num_steps), settings.momentum)
    with jax.threefry_partitionable(True), jax.default_matmul_precision("highest"):
        keys = member_keys(stage, jnp.asarray(member))
        parameters = module.init(keys.initialise, data.example())
        state, found, step = optimiser.init(parameters), [flat_on_host(parameters, False)], 0

        @jax.jit
        def gradient(parameters: Any, batch: Any, key: jax.Array) -> Any:
            inputs, targets = data.batch(batch, key)
            return jax.grad(lambda p: LOSSES[settings.loss](module.apply(p, inputs), targets))(parameters)

        for epoch in range(settings.num_epochs):
            order = jax.random.permutation(jax.random.fold_in(keys.order, epoch), data.num_samples)
            for first in range(0, data.num_samples, size):
                slope = gradient(parameters, order[first : first + size], jax.random.fold_in(keys.augment, step))
                updates, state = optimiser.update(slope, state, parameters)
                parameters, step = optax.apply_updates(parameters, updates), step + 1
                found.append(flat_on_host(parameters, False))
    return found


OPTIONS: list[dict[str, Any]] = [
    {"learning_rate": 0.05},
    {"learning_rate": 0.05, "momentum": 0.9, "schedule": "cosine"},
    {"learning_rate": 0.01, "optimiser": "adam", "schedule": "linear"},
]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        pytest.param(vectors, OPTIONS[0], id="vectors_plain", marks=pytest.mark.slow),
        pytest.param(vectors, OPTIONS[2], id="vectors_adam_linear"),
        pytest.param(clouds, OPTIONS[1], id="clouds_momentum_cosine", marks=pytest.mark.slow),
    ],
)
def test_every_domain_equals_a_plain_loop(make: Any, options: dict[str, Any]) -> None:
    stage, data = make(**options)
    result = train_block(stage, (3, 4), data, "members")
    expected = by_hand(stage, data, 4)
    per_epoch = (len(expected) - 1) // 2
    for epoch in (0, 1, 2):
        for name, values in expected[epoch * per_epoch].items():
            np.testing.assert_allclose(result.parameters[name][epoch, 1], values[0], rtol=2e-4, atol=2e-5)
    assert result.losses.shape == (2, 2)


def test_full_batches_on_vectors_equal_a_plain_loop_in_a_vectorised_block() -> None:
    stage, data = vectors(batch_size=None, num_epochs=3, checkpoint_every=None, learning_rate=0.1)
    result = train_block(stage, (3, 4), data, "block")
    with jax.threefry_partitionable(True):
        module, keys = build(stage.model), member_keys(stage, jnp.asarray(4))
        parameters = module.init(keys.initialise, data.example())
        for step in range(3):
            inputs, targets = data.batch(None, jax.random.fold_in(keys.augment, step))
            slope = jax.grad(lambda p, i=inputs, t=targets: LOSSES["mse"](module.apply(p, i), t))(parameters)
            parameters = jax.tree.map(lambda a, b: a - 0.1 * b, parameters, slope)
    for name, values in flat_on_host(parameters, False).items():
        np.testing.assert_allclose(result.parameters[name][0, 1], values[0], rtol=1e-4, atol=1e-5)


def counter(scale: float = 1.0) -> Learner:
    """Parameters count steps; the held number differs from member to member and stays; both are observed."""

    def initialise(key: jax.Array, sample: Any, given: jax.Array) -> tuple[Any, Any]:
        del key, sample
        return {"count": jnp.zeros(())}, {"held": given}

    def gradient(parameters: Any, held: Any, data: Any, indices: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        del key
        num = data.num_samples if indices is None else indices.shape[0]
        return jnp.asarray(num, jnp.float32), {"count": jnp.asarray(-scale)}

    def observe(parameters: Any, held: Any, loss: jax.Array) -> Any:
        return {"sum": parameters["count"] + held["held"], "batch": loss}

    return Learner(initialise, gradient, make_optimiser("sgd", 1.0), observe)


def words(found: Divergence) -> str:
    return f"member {found.member}, epoch {found.epoch}, step {found.step}"


@pytest.mark.parametrize("vectorised", [True, False])
@pytest.mark.parametrize("last_batch", ["keep", "drop"])
def test_observations_after_every_step(vectorised: bool, last_batch: str) -> None:
    """With what is held beside the parameters; the last batch of an epoch is smaller, or left out."""
    _, data = vectors()
    settings = training(batch_size=4, last_batch=last_batch, num_epochs=2, checkpoint_every=1)
    program = Program(settings, counter(), 10, vectorised)
    given = np.array([10.0, 20.0, 30.0], np.float32)
    result = train_members(program, NAMES, (5, 6, 7), data, words, 2, given=given)
    num_steps = 6 if last_batch == "keep" else 4
    np.testing.assert_array_equal(result.observed["sum"], 1 + np.arange(num_steps)[:, None] + given)
    sizes = [4, 4, 2] * 2 if last_batch == "keep" else [4] * 4
    np.testing.assert_array_equal(result.observed["batch"], np.repeat(np.array(sizes)[:, None], 3, 1))
    np.testing.assert_allclose(result.losses, np.mean(sizes), rtol=1e-6)
    np.testing.assert_array_equal(result.parameters["count"], np.array([0, 1, 2])[:, None] * num_steps / 2 + 0 * given)


def test_network_with_convolutions_observes_step_by_step() -> None:
    """On a CPU its steps are single calls; what they observe is put together."""
    learner = counter()
    single = Learner(learner.initialise, learner.gradient, learner.optimiser, learner.observe, has_convolutions=True)
    settings = training(batch_size=4, last_batch="keep", num_epochs=1, checkpoint_every=None)
    result = train_members(Program(settings, single, 10, False), NAMES, (5,), vectors()[1], words, 1, given=np.ones(1))
    np.testing.assert_array_equal(result.observed["sum"], [[2], [3], [4]])


@pytest.mark.parametrize("vectorised", [True, False])
def test_what_is_observed_must_be_finite(vectorised: bool) -> None:
    """Named are the member and the very step, counted from one, also where the loss is finite throughout."""
    settings = training(batch_size=None, num_epochs=5, checkpoint_every=None)
    program = Program(settings, counter(3e38), 10, vectorised)
    given = np.zeros(3, np.float32)
    with pytest.raises(DataError, match="member 5, epoch 5, step 2"):
        train_members(program, NAMES, (5, 6, 7), vectors()[1], words, 3, given=given)


def test_a_later_phase_goes_on_with_the_order_of_data() -> None:
    stage, data = vectors(last_batch="drop")
    first = Program(stage.train, counter(), 10, False)
    later = Program(stage.train, counter(), 10, False, first_epoch=2)
    keys = member_keys(NAMES, jnp.asarray(0))
    orders = [np.asarray(first._order(keys.order, jnp.asarray(epoch))[0]) for epoch in range(3)]
    assert not np.array_equal(orders[0], orders[1])
    asked: list[int] = []
    later._compiled_order = lambda key, epoch: (asked.append(int(epoch)), first._order(key, epoch))[1]
    train_members(later, NAMES, (0,), data, words, 1, given=np.zeros(1))
    assert asked == [2, 3]


def test_names_are_no_part_of_a_program() -> None:
    """Members of other arms, experiments and seeds are other keys for the same compiled functions."""
    settings = training(batch_size=None, num_epochs=2, checkpoint_every=None)
    program = Program(settings, counter(), 10, False)
    for name in ("one", "two"):
        names = KeyNames(3, name, name, name)
        train_members(program, names, (0,), tiny(), words, 1, given=np.zeros(1))
    assert program._compiled_steps._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


def tiny() -> ArrayData:
    one = TrivialAction(1)
    return ArrayData(jnp.zeros((10, 2)), jnp.zeros((10, 1)), one, one, "full")
