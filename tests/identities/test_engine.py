"""The ensemble engine: a member is the same network whatever its block, strategy, checkpoints or company."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from engine_tasks import CASES, IMAGES, NUM_SAMPLES, mlp_task, training
from flax import traverse_util

from emergent.config.models import MlpModel
from emergent.errors import DataError
from emergent.models.registry import build
from emergent.prng import Purpose, member_key
from emergent.training import engine, program
from emergent.training.engine import BlockResult
from emergent.training.step import MemberState


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> tuple[str, BlockResult]:
    """Members 0..7 trained one after another."""
    return request.param, CASES[request.param](*range(8)).train("members")


def test_block_of_eight_equals_eight_blocks_of_one(case: tuple[str, BlockResult]) -> None:
    name, together = case
    for member in range(8):
        alone = CASES[name](member).train("members")
        assert alone.epochs == together.epochs
        assert alone.losses.tobytes() == together.losses[:, [member]].tobytes()
        assert set(alone.parameters) == set(together.parameters)
        for key, value in alone.parameters.items():
            assert value.dtype == np.float32
            assert value.tobytes() == together.parameters[key][:, [member]].tobytes(), key


def test_vectorised_block_gives_the_same_members(case: tuple[str, BlockResult]) -> None:
    name, expected = case
    found = CASES[name](*range(8)).train("block")
    assert found.epochs == expected.epochs
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5, atol=1e-6)
    for key, value in expected.parameters.items():
        assert found.parameters[key].shape == value.shape
        np.testing.assert_allclose(found.parameters[key], value, rtol=1e-5, atol=1e-5)


def test_members_differ_and_learn(case: tuple[str, BlockResult]) -> None:
    name, result = case
    stage = CASES[name](*range(8)).stage
    assert result.epochs == stage.train.checkpoint_epochs()
    for value in result.parameters.values():
        assert value.shape[:2] == (3, 8)
        assert len(np.unique(value.reshape(3, 8, -1)[:, :, 0], axis=1)[0]) == 8
        assert (value[0] != value[1]).any() and (value[1] != value[2]).any()
    # A member has one loss per epoch, or per chunk of steps between checkpoints; on average it falls.
    assert result.losses.shape == (2, 8)
    assert result.losses[-1].mean() < result.losses[0].mean()


def test_members_start_from_their_own_keys() -> None:
    task = mlp_task(5, train=training(num_epochs=1, checkpoint_every=1))
    result, stage = task.train("members"), task.stage
    with jax.threefry_partitionable(True):
        key = member_key(stage.seed, stage.experiment, stage.initialisation, 5, "initialise")
        expected = jax.jit(build(stage.model).init)(key, IMAGES[:1])
    for name, value in traverse_util.flatten_dict(expected, sep="/").items():
        np.testing.assert_allclose(result.parameters[name][0, 0], value, rtol=1e-6, atol=1e-7)


def test_checkpoint_holds_what_training_until_then_gives(case: tuple[str, BlockResult]) -> None:
    """Not a view of buffers that later steps overwrite."""
    name, longer = case
    task = CASES[name](2)
    short = training(**task.stage.train.model_dump() | {"num_epochs": longer.epochs[1], "checkpoint_every": None})
    result = task.with_training(short).train("members")
    assert result.epochs == (longer.epochs[1],)
    for key, value in result.parameters.items():
        np.testing.assert_allclose(value[0, 0], longer.parameters[key][1, 2], rtol=1e-6, atol=1e-7)


def test_keys_belong_to_seed_experiment_arm_and_shared_initialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[Any, ...]] = set()

    def recorded(seed: int, experiment: str, arm: str, member: jax.Array, purpose: Purpose) -> jax.Array:
        asked.add((seed, experiment, arm, purpose))
        return member_key(seed, experiment, arm, member, purpose)

    monkeypatch.setattr(program, "member_key", recorded)
    settings = training(num_epochs=1, checkpoint_every=1, batch_size=5)
    mlp_task(3, group="C1", seed=11, arm="one", initialisation="shared", train=settings).train("members")
    assert asked == {
        (11, "tiny", "shared", "initialise"),
        (11, "tiny", "one", "order"),
        (11, "tiny", "one", "augment"),
    }


@pytest.mark.parametrize("strategy", ["members", "block"])
def test_divergence_names_member_arm_and_epoch(strategy: engine.Strategy) -> None:
    huge = training(learning_rate=1e20, num_epochs=40, checkpoint_every=10)
    with pytest.raises(DataError, match=r"member 5 of arm mlp: the training loss is (nan|inf) in epoch 10") as caught:
        mlp_task(5, 6, group="C1", train=huge).train(strategy)
    assert "nothing was written" in str(caught.value)
    assert "Lower train.learning_rate (1e+20)" in str(caught.value)


def test_divergence_is_found_in_the_epoch_in_which_it_happens() -> None:
    huge = training(learning_rate=1e20, num_epochs=3, checkpoint_every=3, batch_size=2)
    with pytest.raises(DataError, match=r"member 7 .* in epoch 1;"):
        mlp_task(7, group="C1", train=huge).train("members")


def test_batch_larger_than_the_data() -> None:
    exact = training(batch_size=NUM_SAMPLES, num_epochs=1, checkpoint_every=1)
    mlp_task(0, group="C1", train=exact).train("members")
    with pytest.raises(DataError, match="batch_size 11 exceeds the 10 training samples"):
        mlp_task(0, group="C1", train=exact.model_copy(update={"batch_size": 11})).train("members")


@pytest.mark.parametrize(
    ("num_epochs", "every"),
    [
        (6, 2),
        (4, None),
        (1, 1),
        (6, 3),
    ],
)
def test_every_checkpoint_of_full_batch_training_is_stored(
    monkeypatch: pytest.MonkeyPatch, num_epochs: int, every: int | None
) -> None:
    monkeypatch.setattr(program, "FULL_BATCH_CHUNK", 2)
    done: list[int] = []
    task = mlp_task(0, 1, group="C1", train=training(num_epochs=num_epochs, checkpoint_every=every))
    result = task.train("members", done.append)
    assert result.epochs == task.stage.train.checkpoint_epochs()
    assert {len(value) for value in result.parameters.values()} == {len(result.epochs)}
    assert sum(done) == 2 * num_epochs


def test_every_epoch_visits_samples_once_in_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a step that adds one to the weight of each sample in its batch instead of learning."""

    def count(*arguments: Any) -> Any:
        def step(
            state: MemberState, held: Any, indices: jax.Array, key: jax.Array, data: Any
        ) -> tuple[MemberState, jax.Array, None]:
            layers = state.parameters["params"]
            visited = layers["Dense_1"]["kernel"].at[indices, 0].add(1)
            return (
                MemberState({"params": layers | {"Dense_1": {"kernel": visited}}}, state.optimiser),
                jnp.zeros(()),
                None,
            )

        return step

    monkeypatch.setattr(program, "make_step", count)
    model = MlpModel(family="mlp", width=NUM_SAMPLES, num_outputs=1)
    settings = training(batch_size=3, num_epochs=4, checkpoint_every=1)
    result = mlp_task(0, 1, 2, group="C1", model=model, train=settings).train("members")
    visits = np.diff(result.parameters["params/Dense_1/kernel"][..., 0], axis=0)  # E M N
    visits = np.rint(visits).astype(int)
    # Three batches of three: nine of the ten samples, each once.
    assert (visits.sum(-1) == 9).all() and visits.max() == 1 and visits.min() == 0
    # The one left out differs from epoch to epoch and from member to member.
    left_out = visits.argmin(-1)
    assert (left_out != left_out[:1]).any() and (left_out != left_out[:, :1]).any()
