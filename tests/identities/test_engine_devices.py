"""How the engine uses a machine: strategy by backend, members that fit into memory, several devices."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from engine_tasks import CASES, NUM_SAMPLES, mlp_task

from emergent.training import engine
from emergent.training.program import Program, member_keys, segments


def test_strategy_of_this_machine() -> None:
    assert engine.default_strategy() == ("members" if jax.default_backend() == "cpu" else "block")


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_program_for_accelerators_needs_nothing_that_only_a_cpu_has(name: str) -> None:
    """Lowers the steps of a block for CUDA, for which no GPU is needed, and looks for calls into host libraries."""
    task = CASES[name](0, 1)
    settings = task.stage.train
    block = Program(settings, engine.network_learner(task.stage, task.data), NUM_SAMPLES, vectorised=True)
    with jax.threefry_partitionable(True):
        keys = member_keys(task.stage, jnp.asarray(task.members))
        state, held = jax.eval_shape(block.initialise, keys.initialise, task.data.example(), None)
        batches = None
        if settings.batch_size is not None:
            batches, _ = jax.eval_shape(block._compiled_order, keys.order, jnp.asarray(0))
        steps = jnp.arange(segments(settings, NUM_SAMPLES)[0].num_steps)
        traced = block._compiled_steps.trace(state, held, keys.augment, steps, batches, task.data)
        program = traced.lower(lowering_platforms=("cuda",)).as_text()
    # Members and steps are axes and one loop of a single program.
    assert program.count("stablehlo.while") == 1
    assert "custom_call" not in program


def test_members_in_flight_fill_the_memory_and_no_more() -> None:
    """The limit of a device decides how many members of a block train at a time; at least one does."""
    some = mlp_task(*range(7))
    everything = engine.members_in_flight(some.stage, some.data, 7, None)
    assert everything == 7
    counts = [engine.members_in_flight(some.stage, some.data, 7, limit) for limit in (1, 20_000, 40_000, 10**9)]
    assert counts[0] == 1 and counts[-1] == 7 and counts == sorted(counts) and len(set(counts)) > 2


@pytest.mark.parametrize(
    ("num", "devices", "in_flight", "expected"),
    [
        (7, 1, 7, [7]),
        (7, 1, 3, [3, 3, 1]),
        (8, 4, 9, [8]),
        (10, 4, 3, [8, 2]),
        (13, 4, 2, [8, 4, 1]),
        (15, 4, 2, [8, 4, 2, 1]),
        (3, 4, 1, [1, 1, 1]),
    ],
)
def test_groups_share_devices_evenly_and_fit_into_each(
    num: int, devices: int, in_flight: int, expected: list[int]
) -> None:
    sizes = engine.group_sizes(num, devices, in_flight)
    assert sizes == expected and sum(sizes) == num
    for size in sizes:
        # What devices do not share evenly lies on one of them.
        assert size <= devices * in_flight if size % devices == 0 else size <= in_flight


def test_small_memory_changes_no_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that trains in several parts holds the same members."""
    some = mlp_task(*range(5))
    whole = some.train("block")
    monkeypatch.setattr(engine, "members_in_flight", lambda *_: 2)
    parts = some.train("block")
    for name, values in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], values, rtol=1e-5, atol=1e-6)


TWO_DEVICES = """
import jax, numpy as np, sys
jax.config.update("jax_num_cpu_devices", 2)
sys.path.insert(0, {folder!r})
from engine_tasks import mlp_task
assert len(jax.devices()) == 2
result = mlp_task(0, 1, 2, 3).train("block")
np.savez({output!r}, **{{name.replace("/", "."): value for name, value in result.parameters.items()}})
"""


def test_members_are_split_over_devices(tmp_path: Path) -> None:
    """Two devices train the same members as one."""
    output = tmp_path / "two.npz"
    script = TWO_DEVICES.format(folder=str(Path(__file__).parent), output=str(output))
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
    alone = mlp_task(0, 1, 2, 3).train("block")
    with np.load(output) as split:
        for name, values in alone.parameters.items():
            np.testing.assert_allclose(split[name.replace("/", ".")], values, rtol=1e-5, atol=1e-6)
