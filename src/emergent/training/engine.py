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
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from emergent.config.models import NetworkModel
from emergent.config.network_size import bytes_in_flight, network_size
from emergent.config.training import STATE_COPIES, Training
from emergent.errors import DataError
from emergent.models.registry import build, has_convolutions
from emergent.training.prng import Purpose, member_key
from emergent.training.step import MemberState, TrainingData, make_optimiser, make_step

Strategy = Literal["members", "block"]
# Full-batch training has no epochs to report, so progress and divergence are looked at after this many steps.
FULL_BATCH_CHUNK = 100


@dataclass(frozen=True)
class BlockTask:
    """All that determines a block of members.

    Attributes:
        seed: root seed.
        experiment: name of the experiment.
        arm: name of the arm.
        initialisation: name that initial parameters are drawn under; arms that share it start alike.
        members: indices over the whole ensemble.
    """

    seed: int
    experiment: str
    arm: str
    initialisation: str
    members: tuple[int, ...]
    model: NetworkModel
    augmentation: str
    training: Training


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


@dataclass(frozen=True)
class _Segment:
    """Steps between two looks at the members: one epoch, or a chunk of full-batch steps."""

    first_step: int
    num_steps: int
    end_epoch: int


def _segments(training: Training, num_samples: int) -> list[_Segment]:
    if training.batch_size is None:
        chunk = min(FULL_BATCH_CHUNK, training.checkpoint_every or training.num_epochs)
        checkpoints = {epoch for epoch in training.checkpoint_epochs() if epoch > 0}
        ends = sorted({*range(chunk, training.num_epochs + 1, chunk), training.num_epochs} | checkpoints)
        return [_Segment(start, end - start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    steps = num_samples // training.batch_size
    if steps == 0:
        raise DataError(f"batch_size {training.batch_size} exceeds the {num_samples} training samples; lower it.")
    return [_Segment(epoch * steps, steps, epoch + 1) for epoch in range(training.num_epochs)]


class _Program:
    """Compiled functions of one task; each takes a member index, or with ``vectorised`` a vector of them."""

    def __init__(self, task: BlockTask, num_samples: int, vectorised: bool) -> None:
        self.task = task
        self.vectorised = vectorised
        self._num_samples = num_samples
        self._scans = vectorised or jax.default_backend() != "cpu" or not has_convolutions(task.model)
        self._module = build(task.model)
        self._optimiser = make_optimiser(task.training.optimiser, task.training.learning_rate)
        self._step = make_step(self._module, self._optimiser, task.training.loss, task.augmentation)
        batch_axis = None if task.training.batch_size is None else 0
        self.initialise = self._compile(self._initialise, (0, None))
        self._compiled_order = self._compile(self._order, (0, None))
        self._compiled_step = self._compile(self._one_step, (0, 0, None, batch_axis, None), donate=(0,))
        self._compiled_steps = self._compile(self._many_steps, (0, 0, None, batch_axis, None), donate=(0,))

    def _compile(
        self, function: Callable[..., Any], member_axes: tuple[int | None, ...], donate: tuple[int, ...] = ()
    ) -> Callable[..., Any]:
        return jax.jit(jax.vmap(function, member_axes) if self.vectorised else function, donate_argnums=donate)

    def _key(self, member: jax.Array, purpose: Purpose) -> jax.Array:
        name = self.task.initialisation if purpose == "initialise" else self.task.arm
        return member_key(self.task.seed, self.task.experiment, name, member, purpose)

    def _initialise(self, member: jax.Array, sample: jax.Array) -> MemberState:
        parameters = self._module.init(self._key(member, "initialise"), sample)
        return MemberState(parameters, self._optimiser.init(parameters))

    def _order(self, member: jax.Array, epoch: jax.Array) -> jax.Array:
        """Returns [S, B] sample indices of one epoch; samples beyond the last whole batch sit this epoch out."""
        size = self.task.training.batch_size or self._num_samples
        key = jax.random.fold_in(self._key(member, "order"), epoch)
        steps = self._num_samples // size
        return jax.random.permutation(key, self._num_samples)[: steps * size].reshape(steps, size)

    def _one_step(
        self, state: MemberState, member: jax.Array, step: jax.Array, batch: jax.Array | None, data: TrainingData
    ) -> tuple[MemberState, jax.Array]:
        return self._step(state, batch, jax.random.fold_in(self._key(member, "augment"), step), data)

    def _many_steps(
        self, state: MemberState, member: jax.Array, steps: jax.Array, batches: jax.Array | None, data: TrainingData
    ) -> tuple[MemberState, jax.Array]:
        def body(carry: MemberState, item: tuple[jax.Array, jax.Array | None]) -> tuple[MemberState, jax.Array]:
            return self._one_step(carry, member, item[0], item[1], data)

        state, losses = jax.lax.scan(body, state, (steps, batches))
        return state, losses.mean()

    def run(
        self, state: MemberState, member: jax.Array, segment: _Segment, data: TrainingData
    ) -> tuple[MemberState, jax.Array]:
        """Returns the state after a segment and its mean loss."""
        batches = None
        if self.task.training.batch_size is not None:
            batches = self._compiled_order(member, jnp.asarray(segment.end_epoch - 1))
        steps = segment.first_step + jnp.arange(segment.num_steps)
        if self._scans:
            return self._compiled_steps(state, member, steps, batches, data)
        losses = []
        for i in range(segment.num_steps):
            batch = None if batches is None else batches[i]
            state, loss = self._compiled_step(state, member, steps[i], batch, data)
            losses.append(loss)
        return state, jnp.stack(losses).mean()


def train_block(
    task: BlockTask,
    data: TrainingData,
    strategy: Strategy | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> BlockResult:
    """Returns the trained members of a block.

    Args:
        task: what to train.
        data: resident training set.
        strategy: None chooses by backend.
        on_progress: called with the number of member-epochs just finished.

    Raises:
        DataError: a member's loss is not finite (names member and epoch), or the batch exceeds the data.
    """
    strategy = strategy or default_strategy()
    program = _Program(task, data.inputs.shape[0], vectorised=strategy == "block")
    together = 1
    if strategy == "block":
        together = min(len(jax.devices()) * members_in_flight(task, data, device_memory()), len(task.members))
    starts = range(0, len(task.members), together)
    groups = [task.members[start : start + together] for start in starts]
    # Pinned, because releases of JAX differ in its default and seeds would then give other networks.
    with jax.default_matmul_precision(task.training.matmul_precision), jax.threefry_partitionable(True):
        parts = [_train(program, members, data, on_progress) for members in groups]
    return BlockResult(
        parameters={name: np.concatenate([part.parameters[name] for part in parts], 1) for name in parts[0].parameters},
        epochs=parts[0].epochs,
        losses=np.concatenate([part.losses for part in parts], 1),
    )


def _train(
    program: _Program, members: tuple[int, ...], data: TrainingData, on_progress: Callable[[int], None] | None
) -> BlockResult:
    training = program.task.training
    index = jnp.asarray(members if program.vectorised else members[0])
    if program.vectorised:
        index = _split_over_devices(index, len(members))
    state = program.initialise(index, data.inputs[:1])
    wanted = training.checkpoint_epochs()
    # Copied to the host at once: the next step donates, and so overwrites, the buffers of this one.
    checkpoints = [jax.device_get(state.parameters)] if 0 in wanted else []
    losses = []
    for segment in _segments(training, data.inputs.shape[0]):
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
            checkpoints.append(jax.device_get(state.parameters))
        if on_progress:
            on_progress(len(members) * (segment.num_steps if training.batch_size is None else 1))
    flat = [traverse_util.flatten_dict(parameters, sep="/") for parameters in checkpoints]
    stacked = {name: np.stack([np.asarray(part[name]) for part in flat]) for name in flat[0]}
    if not program.vectorised:
        stacked = {name: value[:, None] for name, value in stacked.items()}
    return BlockResult(stacked, wanted, np.stack(losses))
