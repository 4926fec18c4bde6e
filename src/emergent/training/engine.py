"""The ensemble engine: trains a block of members and returns their parameters at checkpoints.

One interface, two strategies that run the same step function (``emergent.training.step``):

``block``    members in one compiled program (``vmap`` over members, ``scan`` over steps), as many at a time as fit into
             the device's memory, split over all visible devices: accelerators.
``members``  one member after another, an epoch per compiled program. On a CPU this is as fast as any number of members
             at a time, and leaner. Networks with ``lax`` convolutions, which XLA runs some twenty times slower inside
             loops there, take one call per step instead; ``support_cnn`` has none.

Member i is the same network in both, whatever the block, because its keys depend on its index alone.
``benchmarks/ensemble_throughput.py`` compares the strategies with other ways to train the same members.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from emergent.config.network_size import bytes_in_flight, network_size
from emergent.config.training import STATE_COPIES, Training
from emergent.errors import DataError
from emergent.training.program import BlockTask, Program, segments
from emergent.training.step import MemberState, TrainingData

Strategy = Literal["members", "block"]


@dataclass(frozen=True)
class BlockResult:
    """Parameters and losses of a trained block.

    Attributes:
        parameters: flat name to float32 array [E, M, ...] at the checkpoint epochs.
        epochs: [E].
        losses: [num_epochs, M] mean training loss during each epoch (during each chunk of steps for full batches).
    """

    parameters: dict[str, np.ndarray]
    epochs: tuple[int, ...]
    losses: np.ndarray


def members_in_flight(task: BlockTask, data: TrainingData, limit_bytes: int | None) -> int:
    """Returns how many members may train at the same time within a memory limit: at least one, at most all.

    Args:
        task: what to train.
        data: resident training set.
        limit_bytes: memory of one device that training may fill; None means no limit.
    """
    if limit_bytes is None:
        return len(task.members)
    batch = task.training.batch_size or data.inputs.shape[0]
    samples = batch * (data.action.indices.shape[0] if task.augmentation == "full" else 1)
    _, height, width, channels = data.inputs.shape
    size = network_size(task.model, (height, width, channels))
    need = bytes_in_flight(size, samples, STATE_COPIES[task.training.optimiser])
    return min(max(1, (limit_bytes - data.inputs.nbytes) // need), len(task.members))


def device_memory() -> int | None:
    """Returns the bytes that the default device lets a program allocate; None where it does not tell (a CPU)."""
    statistics = jax.devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit")


def group_sizes(num_members: int, num_devices: int, in_flight: int) -> list[int]:
    """Returns how many members train at a time, group after group: as few groups as devices and their memory allow.

    Each is a multiple of the number of devices, which share it evenly, but for a remainder that is smaller than that
    number: its members train on one device, in groups that fit there.

    Args:
        num_members: of the block.
        num_devices: that share a group.
        in_flight: members that fit into the memory of one device.
    """
    whole = num_members - num_members % num_devices
    most = num_devices * in_flight
    shared = [min(most, whole - start) for start in range(0, whole, most)]
    rest = num_members - whole
    return shared + [min(in_flight, rest - start) for start in range(0, rest, in_flight)]


def _split_over_devices(tree: Any, num_members: int) -> Any:
    """Returns arrays with a leading member axis laid out over all devices, if these divide the members evenly."""
    devices = jax.devices()
    if len(devices) == 1 or num_members % len(devices):
        return tree
    mesh = jax.sharding.Mesh(np.asarray(devices), ("members",))
    return jax.device_put(tree, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("members")))


def default_strategy() -> Strategy:
    """Returns ``members`` on a CPU and ``block`` on accelerators."""
    return "members" if jax.default_backend() == "cpu" else "block"


def train_block(
    task: BlockTask,
    data: TrainingData,
    strategy: Strategy | None = None,
    on_progress: Callable[[int], None] | None = None,
    start: BlockResult | None = None,
) -> BlockResult:
    """Returns the trained members of a block.

    Args:
        task: what to train.
        data: resident training set.
        strategy: None chooses by backend.
        on_progress: called with the number of member-epochs just finished.
        start: the same members trained for fewer epochs on the same data, which ``extends`` accepts. They are trained
            on from there, to the very numbers that training from the beginning gives.

    Raises:
        DataError: a member's loss is not finite (names member and epoch), or the batch exceeds the data.
    """
    strategy = strategy or default_strategy()
    program = Program(task, data.inputs.shape[0], vectorised=strategy == "block")
    sizes = [1] * len(task.members)
    if strategy == "block":
        sizes = group_sizes(len(task.members), len(jax.devices()), members_in_flight(task, data, device_memory()))
    groups = list(pairwise(accumulate(sizes, initial=0)))
    # Pinned, because releases of JAX differ in its default and seeds would then give other networks.
    with jax.default_matmul_precision(task.training.matmul_precision), jax.threefry_partitionable(True):
        parts = [
            _train(program, task.members[first:stop], data, on_progress, start and _members_of(start, first, stop))
            for first, stop in groups
        ]
    return BlockResult(
        parameters={name: np.concatenate([part.parameters[name] for part in parts], 1) for name in parts[0].parameters},
        epochs=parts[0].epochs,
        losses=np.concatenate([part.losses for part in parts], 1),
    )


def extends(training: Training, epochs: tuple[int, ...]) -> bool:
    """Returns whether training can go on from the last of some checkpoints to the result of training from scratch.

    Their parameters must be all that a step leaves behind (plain gradient descent, with keys for each epoch), every
    checkpoint wanted up to there must be among them, and at least one epoch must be left.

    Args:
        training: what is wanted; apart from its epochs, what the checkpoints were trained with.
        epochs: at which there are parameters, ascending.
    """
    resumable = training.optimiser == "sgd" and training.batch_size is not None
    wanted = {epoch for epoch in training.checkpoint_epochs() if epoch <= epochs[-1]}
    return resumable and wanted <= set(epochs) and 0 < epochs[-1] < training.num_epochs


def _members_of(block: BlockResult, first: int, stop: int) -> BlockResult:
    """Returns some members of a block, by position."""
    parameters = {name: value[:, first:stop] for name, value in block.parameters.items()}
    return BlockResult(parameters, block.epochs, block.losses[:, first:stop])


def _state_after(program: Program, block: BlockResult) -> MemberState:
    """Returns what the next step needs after the last checkpoint of a block."""
    last = {name: value[-1] if program.vectorised else value[-1, 0] for name, value in block.parameters.items()}
    parameters = traverse_util.unflatten_dict({name: jnp.asarray(value) for name, value in last.items()}, sep="/")
    if program.vectorised:
        parameters = _split_over_devices(parameters, len(block.losses[0]))
    return MemberState(parameters, program.initial_optimiser_state(parameters))


def _train(
    program: Program,
    members: tuple[int, ...],
    data: TrainingData,
    on_progress: Callable[[int], None] | None,
    start: BlockResult | None,
) -> BlockResult:
    training = program.task.training
    index = jnp.asarray(members if program.vectorised else members[0])
    if program.vectorised:
        index = _split_over_devices(index, len(members))
    wanted = training.checkpoint_epochs()
    if start is None:
        state = program.initialise(index, data.inputs[:1])
        # Copied to the host at once: the next step donates, and so overwrites, the buffers of this one.
        checkpoints = [_flat_on_host(state, program.vectorised)] if 0 in wanted else []
        losses, done = [], 0
    else:
        state = _state_after(program, start)
        kept = [position for position, epoch in enumerate(start.epochs) if epoch in wanted]
        checkpoints = [{name: value[position] for name, value in start.parameters.items()} for position in kept]
        losses, done = list(start.losses), start.epochs[-1]
    for segment in segments(training, data.inputs.shape[0]):
        if segment.end_epoch <= done:
            continue
        state, loss = program.run(state, index, segment, data)
        losses.append(np.atleast_1d(np.asarray(loss)))
        bad = np.flatnonzero(~np.isfinite(losses[-1]))
        if bad.size:
            raise DataError(
                f"member {members[bad[0]]} of arm {program.task.arm}: the training loss is {losses[-1][bad[0]]} "
                f"in epoch {segment.end_epoch}; nothing was written. "
                f"Lower train.learning_rate ({training.learning_rate})."
            )
        if segment.end_epoch in wanted:
            checkpoints.append(_flat_on_host(state, program.vectorised))
        if on_progress:
            on_progress(len(members) * (segment.num_steps if training.batch_size is None else 1))
    stacked = {name: np.stack([part[name] for part in checkpoints]) for name in checkpoints[0]}
    return BlockResult(stacked, wanted, np.stack(losses))


def _flat_on_host(state: MemberState, vectorised: bool) -> dict[str, np.ndarray]:
    """Returns the parameters [M, ...] by flat name."""
    flat = traverse_util.flatten_dict(jax.device_get(state.parameters), sep="/")
    return {name: np.asarray(value) if vectorised else np.asarray(value)[None] for name, value in flat.items()}
