"""The compiled functions that train the members of one task, and the stretches between two looks at them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from emergent.config.models import NetworkModel
from emergent.config.training import Training
from emergent.errors import DataError
from emergent.models.registry import build, has_convolutions
from emergent.prng import Purpose, member_key
from emergent.training.step import MemberState, TrainingData, make_optimiser, make_step

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
class Segment:
    """Steps between two looks at the members: one epoch, or a chunk of full-batch steps."""

    first_step: int
    num_steps: int
    end_epoch: int


def segments(training: Training, num_samples: int) -> list[Segment]:
    """Returns the stretches of training, in order.

    Raises:
        DataError: the batch exceeds the data.
    """
    if training.batch_size is None:
        chunk = min(FULL_BATCH_CHUNK, training.checkpoint_every or training.num_epochs)
        checkpoints = {epoch for epoch in training.checkpoint_epochs() if epoch > 0}
        ends = sorted({*range(chunk, training.num_epochs + 1, chunk), training.num_epochs} | checkpoints)
        return [Segment(start, end - start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    steps = num_samples // training.batch_size
    if steps == 0:
        raise DataError(f"batch_size {training.batch_size} exceeds the {num_samples} training samples; lower it.")
    return [Segment(epoch * steps, steps, epoch + 1) for epoch in range(training.num_epochs)]


class Program:
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

    def initial_optimiser_state(self, parameters: Any) -> Any:
        """Returns the state of an optimiser that has taken no step."""
        return self._optimiser.init(parameters)

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
        self, state: MemberState, member: jax.Array, segment: Segment, data: TrainingData
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
