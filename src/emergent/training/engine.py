"""The ensemble engine: trains a block of members and returns their parameters at checkpoints.

One interface, two strategies that run the same step function (``emergent.training.step``), for every domain:

``block``    members in one compiled program (``vmap`` over members, ``scan`` over steps), as many at a time as fit into
             the device's memory, split over all visible devices: accelerators.
``members``  one member after another, an epoch per compiled program. On a CPU this is as fast as any number of members
             at a time, and leaner. Networks with ``lax`` convolutions, which XLA runs some twenty times slower inside
             loops there, take one call per step instead; ours have none there (``emergent.models.layers.convolve``).

Member i is the same network in both, whatever the block, because its keys depend on its index alone.
``benchmarks/ensemble_throughput.py`` compares the strategies with other ways to train the same members.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emergent.config.stages import TrainStage
from emergent.config.training import Training
from emergent.domains.protocols import TrainingData
from emergent.errors import DataError
from emergent.models.registry import build
from emergent.models.size import inputs_at_a_time
from emergent.training.memory import members_in_flight
from emergent.training.parameters import flat_on_host, from_flat
from emergent.training.program import Keys, Names, Program, member_keys, segments
from emergent.training.step import Learner, MemberState, learning_rate, make_optimiser, network_gradient

Strategy = Literal["members", "block"]
Progress = Callable[[int], None]


class Divergence(NamedTuple):
    """Where training went wrong.

    Attributes:
        member: index over the whole ensemble.
        loss: mean loss of the stretch in which it happened.
        epoch: at the end of that stretch.
        step: after which something observed was not finite, counted from 1; None where nothing was observed.
    """

    member: int
    loss: float
    epoch: int
    step: int | None


@dataclass(frozen=True)
class BlockResult:
    """Parameters and losses of a trained block.

    Attributes:
        parameters: flat name to float32 array [E, M, ...] at the checkpoint epochs.
        epochs: [E].
        losses: [num_epochs, M] mean training loss during each epoch (during each chunk of steps for full batches).
        observed: what the learner observes, arrays [steps, M, ...]; None where it observes nothing.
    """

    parameters: dict[str, np.ndarray]
    epochs: tuple[int, ...]
    losses: np.ndarray
    observed: Any = None

    def of(self, first: int, stop: int) -> "BlockResult":
        """Returns some members of a block, by position."""
        parameters = {name: value[:, first:stop] for name, value in self.parameters.items()}
        observed = jax.tree.map(lambda value: value[:, first:stop], self.observed)
        return BlockResult(parameters, self.epochs, self.losses[:, first:stop], observed)


def network_learner(stage: TrainStage, data: TrainingData) -> Learner:
    """Returns how the networks of an arm learn."""
    module, training = build(stage.model), stage.train
    num_steps = sum(segment.num_steps for segment in segments(training, data.num_samples))
    example = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), data.example())
    piece, unrolled = inputs_at_a_time(stage.model, example)
    return Learner(
        lambda key, sample, given: (module.init(key, sample), ()),
        network_gradient(module, training.loss, piece, unrolled),
        make_optimiser(training.optimiser, learning_rate(training, num_steps), training.momentum),
        has_convolutions=unrolled,
    )


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


def extends(training: Training, epochs: tuple[int, ...]) -> bool:
    """Returns whether training can go on from the last of some checkpoints to the result of training from scratch.

    Their parameters must be all that a step leaves behind (plain gradient descent, with keys for each epoch), every
    checkpoint wanted up to there must be among them, and at least one epoch must be left.

    Args:
        training: what is wanted; apart from its epochs, what the checkpoints were trained with.
        epochs: at which there are parameters, ascending.
    """
    resumable = training.is_gradient_descent and training.batch_size is not None
    wanted = {epoch for epoch in training.checkpoint_epochs() if epoch <= epochs[-1]}
    return resumable and wanted <= set(epochs) and 0 < epochs[-1] < training.num_epochs


def train_block(
    stage: TrainStage,
    members: tuple[int, ...],
    data: TrainingData,
    strategy: Strategy | None = None,
    on_progress: Progress | None = None,
    start: BlockResult | None = None,
) -> BlockResult:
    """Returns the trained members of a block.

    Args:
        stage: settings of the arm.
        members: indices over the whole ensemble.
        data: resident training set.
        strategy: None chooses by backend.
        on_progress: called with the number of member-epochs just finished.
        start: the same members trained for fewer epochs on the same data, which ``extends`` accepts. They are trained
            on from there, to the very numbers that training from the beginning gives.

    Raises:
        DataError: a member's loss is not finite (names member and epoch), or the batch exceeds the data.
    """
    vectorised = (strategy or default_strategy()) == "block"
    program = Program(stage.train, network_learner(stage, data), data.num_samples, vectorised)

    def words(found: Divergence) -> str:
        return (
            f"member {found.member} of arm {stage.arm}: the training loss is {found.loss} in epoch {found.epoch}; "
            f"nothing was written. Lower train.learning_rate ({stage.train.learning_rate})."
        )

    in_flight = members_in_flight(stage, data, len(members), device_memory()) if vectorised else 1
    return train_members(program, stage, members, data, words, in_flight, on_progress, start)


def train_members(
    program: Program,
    names: Names,
    members: tuple[int, ...],
    data: Any,
    words: Callable[[Divergence], str],
    in_flight: int,
    on_progress: Progress | None = None,
    start: BlockResult | None = None,
    given: Any = None,
) -> BlockResult:
    """Returns what a program makes of some members.

    Args:
        program: compiled functions.
        names: that keys are made of.
        members: indices over the whole ensemble.
        data: resident training set.
        words: message of the error if a member diverges.
        in_flight: members that train at a time on one device, where they are vectorised.
        on_progress: called with the number of member-epochs just finished.
        start: see ``train_block``.
        given: what initialisation gets besides keys, arrays [M, ...].
    """
    sizes = group_sizes(len(members), len(jax.devices()), in_flight) if program.vectorised else [1] * len(members)
    parts = []
    # Pinned, because releases of JAX differ in its default and seeds would then give other networks.
    with jax.default_matmul_precision(program.training.matmul_precision), jax.threefry_partitionable(True):
        for first, stop in pairwise(accumulate(sizes, initial=0)):
            some = slice(first, stop) if program.vectorised else first
            index = jnp.asarray(members[some])
            if program.vectorised:
                index = _split_over_devices(index, stop - first)
            beginning = _begin(
                program,
                member_keys(names, index),
                data,
                jax.tree.map(lambda value, some=some: value[some], given),
                start and start.of(first, stop),
            )
            parts.append(_train(program, members[first:stop], data, words, on_progress, beginning))
    return BlockResult(
        parameters={name: np.concatenate([part.parameters[name] for part in parts], 1) for name in parts[0].parameters},
        epochs=parts[0].epochs,
        losses=np.concatenate([part.losses for part in parts], 1),
        observed=jax.tree.map(lambda *values: np.concatenate(values, 1), *(part.observed for part in parts)),
    )


class _Beginning(NamedTuple):
    """Members before the first step that is taken: their state, and what an earlier training left."""

    keys: Keys
    state: MemberState
    held: Any
    checkpoints: list[dict[str, np.ndarray]]
    losses: list[np.ndarray]
    done: int


def _begin(program: Program, keys: Keys, data: Any, given: Any, start: BlockResult | None) -> _Beginning:
    wanted = program.training.checkpoint_epochs()
    if start is None:
        state, held = program.initialise(keys.initialise, data.example(), given)
        # Copied to the host at once: the next step donates, and so overwrites, the buffers of this one.
        first = [flat_on_host(state.parameters, program.vectorised)] if 0 in wanted else []
        return _Beginning(keys, state, held, first, [], 0)
    structure, held = jax.eval_shape(program.initialise, keys.initialise, data.example(), given)
    if jax.tree.leaves(held):
        _, held = program.initialise(keys.initialise, data.example(), given)
    last = {name: value[-1] if program.vectorised else value[-1, 0] for name, value in start.parameters.items()}
    parameters = from_flat(structure.parameters, last)
    if program.vectorised:
        parameters = _split_over_devices(parameters, len(start.losses[0]))
    state = MemberState(parameters, program.learner.optimiser.init(parameters))
    kept = [position for position, epoch in enumerate(start.epochs) if epoch in wanted]
    checkpoints = [{name: value[position] for name, value in start.parameters.items()} for position in kept]
    return _Beginning(keys, state, held, checkpoints, list(start.losses), start.epochs[-1])


def _train(
    program: Program,
    members: tuple[int, ...],
    data: Any,
    words: Callable[[Divergence], str],
    on_progress: Progress | None,
    begin: _Beginning,
) -> BlockResult:
    training, state = program.training, begin.state
    checkpoints, losses, observed, best = list(begin.checkpoints), list(begin.losses), [], None
    for segment in program.segments:
        if segment.end_epoch <= begin.done:
            continue
        state, loss, seen = program.run(state, begin.held, begin.keys, segment, data)
        losses.append(np.atleast_1d(np.asarray(loss)))
        # Steps first, then members, as a run of them is stored.
        rows = jax.tree.map(lambda value: np.moveaxis(np.asarray(value), 0, 1) if program.vectorised else
                            np.asarray(value)[:, None], seen)  # fmt: skip
        # At once and not at the end: a block with a member that is not finite is never written.
        for found in _diverged(members, losses[-1], rows, segment.first_step):
            raise DataError(words(found._replace(epoch=segment.end_epoch)))
        observed.append(rows)
        if program.learner.score is not None:
            best = program.update_best(best, state, begin.held, data)
        if segment.end_epoch in training.checkpoint_epochs():
            checkpoints.append(flat_on_host((best or state).parameters, program.vectorised))
        if on_progress:
            on_progress(len(members) * (segment.num_steps if training.batch_size is None else segment.num_epochs))
    stacked = {name: np.stack([part[name] for part in checkpoints]) for name in checkpoints[0]}
    together = jax.tree.map(lambda *values: np.concatenate(values), *observed)
    return BlockResult(stacked, training.checkpoint_epochs(), np.stack(losses), together)


def _diverged(members: tuple[int, ...], loss: np.ndarray, rows: Any, first_step: int) -> Iterator[Divergence]:
    """Yields the members whose loss, or anything observed, is not finite in one segment."""
    steps = [np.isfinite(value).reshape(*value.shape[:2], -1).all(-1) for value in jax.tree.leaves(rows)]
    for position, member in enumerate(members):
        bad = np.flatnonzero(~np.all([step[:, position] for step in steps], 0)) if steps else []
        if len(bad) or not np.isfinite(loss[position]):
            step = first_step + int(bad[0]) + 1 if len(bad) else None
            yield Divergence(member, float(loss[position]), 0, step)
