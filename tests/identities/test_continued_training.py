"""Training that goes on where a shorter one ended gives the numbers of one that never stopped."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_tasks import Task, mlp_task

from emergent import storage
from emergent.config.base import canonical_json
from emergent.config.training import Training
from emergent.errors import DataError
from emergent.training.blocks import data_digest, earlier_epochs, result_arrays
from emergent.training.engine import BlockResult, Strategy, extends


def training(num_epochs: int, checkpoints: tuple[int, ...] | None = None, **options: Any) -> Training:
    settings: dict[str, Any] = {"loss": "cross_entropy", "optimiser": "sgd", "learning_rate": 0.5, "batch_size": 3}
    return Training(num_epochs=num_epochs, checkpoints=checkpoints, **settings | options)


MEMBERS = (3, 4, 5)


def task(settings: Training) -> Task:
    return mlp_task(*MEMBERS, mode="random", seed=7, train=settings)


LONG = training(5, (0, 1, 2, 3, 5))
SHORT = training(2, (0, 1, 2))


@functools.cache
def trained(settings: Training, strategy: Strategy = "members") -> BlockResult:
    """Returns a block trained without a break."""
    return task(settings).train(strategy)


@pytest.mark.parametrize(
    ("strategy", "stopped"), [("block", SHORT), ("members", training(4, (0, 1, 2, 3, 4)))], ids=["block", "members"]
)
def test_going_on_gives_the_same_bits(strategy: Strategy, stopped: Training) -> None:
    """Parameters at every checkpoint and losses of every epoch; only the epochs that are left are trained."""
    whole = trained(LONG, strategy)
    done: list[int] = []
    part = trained(stopped, strategy)
    continued = task(LONG).train(strategy, done.append, start=part)
    assert continued.epochs == whole.epochs == (0, 1, 2, 3, 5)
    assert sum(done) == 3 * (5 - stopped.num_epochs)
    np.testing.assert_array_equal(continued.losses, whole.losses)
    assert set(continued.parameters) == set(whole.parameters)
    for name, values in whole.parameters.items():
        np.testing.assert_array_equal(continued.parameters[name], values, err_msg=name)


def test_going_on_in_parts_keeps_members_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that holds two members at a time goes on with each of them, not with the first two again."""
    whole = trained(LONG, "block")
    part = trained(SHORT, "block")
    monkeypatch.setattr("emergent.training.engine.members_in_flight", lambda *_: 2)
    continued = task(LONG).train("block", start=part)
    for name, values in whole.parameters.items():
        np.testing.assert_allclose(continued.parameters[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_member_that_diverges_later_is_named() -> None:
    part = trained(SHORT)
    kernels = {name: value.copy() for name, value in part.parameters.items()}
    for value in kernels.values():
        value[:, 1] = np.inf
    with pytest.raises(DataError, match=r"member 4 .* in epoch 3"):
        task(training(3, (2, 3))).train("block", start=dataclasses.replace(part, parameters=kernels))


@pytest.mark.parametrize(
    ("wanted", "epochs", "expected"),
    [
        (LONG, (0, 1, 2, 3), True),
        (LONG, (0, 1, 2, 3, 4), True),
        (LONG, (0, 2, 3), False),  # a checkpoint is missing
        (LONG, (1, 2, 3), False),  # initial parameters are missing
        (LONG, (0, 1, 2, 3, 5), False),  # nothing is left to train
        (LONG, (0,), False),  # nothing has been trained
        (training(5, (5,)), (3,), True),
        (training(5, (5,)), (0, 7), False),  # trained for longer
        (training(5, (5,), optimiser="adam"), (3,), False),  # its moments are not stored
        (training(5, (5,), batch_size=None), (3,), False),  # looked at after other steps
        (training(5, (5,), momentum=0.5), (3,), False),  # neither is the velocity
        (training(5, (5,), schedule="cosine"), (3,), False),  # its rate depends on where it ends
    ],
)
def test_what_can_go_on(wanted: Training, epochs: tuple[int, ...], expected: bool) -> None:
    assert extends(wanted, epochs) == expected


DATA = task(SHORT).data


def attributes(settings: Training, **changes: str) -> dict[str, str]:
    text = canonical_json(task(settings).stage)
    found = {"config_json": text, "code_fingerprint": "a", "versions_json": "{}"}
    return found | {"data_digest": data_digest(DATA)} | changes


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("block") / "members_0003-0005.h5"
    arrays = result_arrays(MEMBERS, trained(SHORT))
    storage.write(path, stage="train", attributes=attributes(SHORT), arrays=arrays)
    return path


def test_a_stored_block_goes_on(stored: Path) -> None:
    start = earlier_epochs(stored, attributes(LONG), task(LONG).stage, MEMBERS)
    assert start is not None and start.epochs == (0, 1, 2) and start.losses.shape == (2, 3)
    whole = trained(LONG)
    continued = task(LONG).train("members", start=start)
    for name, values in whole.parameters.items():
        np.testing.assert_array_equal(continued.parameters[name], values, err_msg=name)


OTHER_DATA = dataclasses.replace(DATA, targets=DATA.targets[::-1])


@pytest.mark.parametrize(
    "changed",
    [
        attributes(LONG, code_fingerprint="b"),
        attributes(LONG, versions_json='{"jax": "1"}'),
        attributes(LONG, data_digest=data_digest(OTHER_DATA)),
        attributes(training(5, (0, 1, 2, 3, 5), learning_rate=0.25)),
        attributes(LONG, config_json=attributes(LONG)["config_json"].replace('"seed":7', '"seed":8')),
    ],
)
def test_a_block_made_otherwise_is_trained_anew(changed: dict[str, str], stored: Path) -> None:
    assert earlier_epochs(stored, changed, task(LONG).stage, MEMBERS) is None


def test_a_block_of_other_members_is_trained_anew(stored: Path) -> None:
    """Also one that has as many, whose numbers would pass for those asked for."""
    assert earlier_epochs(stored, attributes(LONG), task(LONG).stage, (5, 6, 7)) is None
    assert earlier_epochs(stored, attributes(LONG), task(LONG).stage, MEMBERS[:2]) is None


def test_a_finished_block_is_trained_anew(stored: Path) -> None:
    """Asked to run again as it is (``--forcerun``), a job does not copy what it finds."""
    assert earlier_epochs(stored, attributes(SHORT), task(SHORT).stage, MEMBERS) is None


def test_missing_and_broken_blocks_are_trained_anew(stored: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_bytes(stored.read_bytes()[:1000])
    assert earlier_epochs(broken, attributes(LONG), task(LONG).stage, MEMBERS) is None
    assert earlier_epochs(tmp_path / "none.h5", attributes(LONG), task(LONG).stage, MEMBERS) is None
    older = tmp_path / "older.h5"
    arrays = result_arrays(MEMBERS, trained(SHORT))
    without = {key: value for key, value in attributes(SHORT).items() if key != "data_digest"}
    storage.write(older, stage="train", attributes=without, arrays=arrays)
    assert earlier_epochs(older, attributes(LONG), task(LONG).stage, MEMBERS) is None
