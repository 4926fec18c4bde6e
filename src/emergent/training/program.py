"""The compiled functions that train members, and the stretches between two looks at them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from emergent.config.training import Training
from emergent.errors import DataError
from emergent.prng import Purpose, member_key
from emergent.training.step import Best, Learner, MemberState, make_step

# Full-batch training has no epochs to report, so progress and divergence are looked at after this many steps.
FULL_BATCH_CHUNK = 100


class Names(Protocol):
    """What a member's keys are made of, besides its index; the stage of an arm has it."""

    @property
    def seed(self) -> int: ...

    @property
    def experiment(self) -> str: ...

    @property
    def arm(self) -> str: ...

    @property
    def initialisation(self) -> str: ...


@dataclass(frozen=True)
class KeyNames:
    """Names for the keys of members that are no stage's own."""

    seed: int
    experiment: str
    arm: str
    initialisation: str


class Keys(NamedTuple):
    """Keys of a member (or of several, stacked). As arguments: equal networks are then one program in every arm."""

    initialise: jax.Array
    order: jax.Array
    augment: jax.Array


def member_keys(names: Names, members: jax.Array) -> Keys:
    """Returns the keys of one member, or of a vector of members."""

    def key(name: str, member: jax.Array, purpose: Purpose) -> jax.Array:
        return member_key(names.seed, names.experiment, name, member, purpose)

    def of_one(member: jax.Array) -> Keys:
        # Arms may share their start; the order of samples and the augmentation are each arm's own.
        first = key(names.initialisation, member, "initialise")
        return Keys(first, key(names.arm, member, "order"), key(names.arm, member, "augment"))

    return jax.vmap(of_one)(members) if members.ndim else of_one(members)


@dataclass(frozen=True)
class Segment:
    """Steps between two looks at the members: one epoch or several, or a chunk of full-batch steps."""

    first_step: int
    num_steps: int
    end_epoch: int
    num_epochs: int = 1


def segments(training: Training, num_samples: int, epochs_at_a_time: int = 1) -> list[Segment]:
    """Returns the stretches of training, in order.

    Args:
        training: length, batches and checkpoints.
        num_samples: of an epoch.
        epochs_at_a_time: with batches, where no smaller one ends an epoch; divides the number of epochs.

    Raises:
        DataError: the batch exceeds the data.
    """
    if training.batch_size is None:
        chunk = min(FULL_BATCH_CHUNK, training.checkpoint_every or training.num_epochs)
        checkpoints = {epoch for epoch in training.checkpoint_epochs() if epoch > 0}
        ends = sorted({*range(chunk, training.num_epochs + 1, chunk), training.num_epochs} | checkpoints)
        return [Segment(start, end - start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    steps, rest = divmod(num_samples, training.batch_size)
    steps += rest > 0 and training.last_batch == "keep"
    if steps == 0:
        raise DataError(f"batch_size {training.batch_size} exceeds the {num_samples} training samples; lower it.")
    num = epochs_at_a_time
    return [Segment(e * steps, num * steps, e + num, num) for e in range(0, training.num_epochs, num)]


class Program:
    """Compiled functions for one learner; each takes one member, or with ``vectorised`` a leading axis of members."""

    def __init__(
        self,
        training: Training,
        learner: Learner,
        num_samples: int,
        vectorised: bool,
        first_epoch: int = 0,
        epochs_at_a_time: int = 1,
        drawn_per_epoch: int | None = None,
    ) -> None:
        """Compiles nothing yet.

        Args:
            training: length, batches and checkpoints.
            learner: what is trained.
            num_samples: in the training set.
            vectorised: members train together.
            first_epoch: trained before, where this training is a later phase; the order of data goes on from there.
            epochs_at_a_time: see ``segments``.
            drawn_per_epoch: samples of an epoch, drawn with repetition; None takes each once.
        """
        self.training = training
        self.learner = learner
        self.vectorised = vectorised
        self.segments = segments(training, drawn_per_epoch or num_samples, epochs_at_a_time)
        self._num_samples = num_samples
        self._drawn = drawn_per_epoch
        self._first_epoch = first_epoch
        # Inside loops on a CPU XLA runs convolutions some twenty times slower: there each step is a call.
        self._scans = vectorised or jax.default_backend() != "cpu" or not learner.has_convolutions
        self._step = make_step(learner.gradient, learner.optimiser, learner.observe)
        batch_axis = None if training.batch_size is None else 0
        self.initialise = self._compile(self._initialise, (0, None, 0))
        self._compiled_order = self._compile(self._order, (0, None))
        self._compiled_orders = self._compile(self._orders, (0, None))
        self._compiled_start = self._compile(self._start_best, (0, 0, None))
        self._compiled_keep = self._compile(self._keep_best, (0, 0, 0, None), donate=(0,))
        # The old state is donated: its memory becomes that of the new one.
        self._compiled_step = self._compile(self._one_step, (0, 0, 0, None, batch_axis, None), donate=(0,))
        self._compiled_steps = self._compile(self._many_steps, (0, 0, 0, None, batch_axis, None), donate=(0,))

    def _compile(
        self, function: Callable[..., Any], member_axes: tuple[int | None, ...], donate: tuple[int, ...] = ()
    ) -> Callable[..., Any]:
        return jax.jit(jax.vmap(function, member_axes) if self.vectorised else function, donate_argnums=donate)

    def _initialise(self, key: jax.Array, sample: Any, given: Any) -> tuple[MemberState, Any]:
        parameters, held = self.learner.initialise(key, sample, given)
        return MemberState(parameters, self.learner.optimiser.init(parameters)), held

    def _order(self, key: jax.Array, epoch: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        """Returns sample indices [S, B] of one epoch, and those of the last, smaller batch where it is trained on."""
        size = self.training.batch_size or self._num_samples
        # A key for every epoch, so that training can go on from any checkpoint.
        key = jax.random.fold_in(key, epoch)
        if self._drawn is not None:
            return jax.random.randint(key, (self._drawn // size, size), 0, self._num_samples), None
        order = jax.random.permutation(key, self._num_samples)
        whole = self._num_samples // size * size
        rest = order[whole:] if self.training.last_batch == "keep" and whole < self._num_samples else None
        return order[:whole].reshape(-1, size), rest

    def _orders(self, key: jax.Array, epochs: jax.Array) -> jax.Array:
        """Returns sample indices [S, B] of several epochs, one after another."""
        batches, _ = jax.vmap(self._order, (None, 0))(key, epochs)
        return batches.reshape(-1, batches.shape[-1])

    def _score(self, state: MemberState, held: Any, data: Any) -> jax.Array:
        assert self.learner.score is not None
        return self.learner.score(state.parameters, held, data)

    def _start_best(self, state: MemberState, held: Any, data: Any) -> Best:
        # A copy: the state is donated to the next step.
        return Best(self._score(state, held, data), jax.tree.map(jnp.copy, state.parameters))

    def _keep_best(self, best: Best, state: MemberState, held: Any, data: Any) -> Best:
        score = self._score(state, held, data)
        return jax.tree.map(partial(jnp.where, score < best.score), Best(score, state.parameters), best)

    def _one_step(
        self, state: MemberState, held: Any, key: jax.Array, step: jax.Array, batch: jax.Array | None, data: Any
    ) -> tuple[MemberState, jax.Array, Any]:
        return self._step(state, held, batch, jax.random.fold_in(key, step), data)

    def _many_steps(
        self, state: MemberState, held: Any, key: jax.Array, steps: jax.Array, batches: jax.Array | None, data: Any
    ) -> tuple[MemberState, jax.Array, Any]:
        def body(carry: MemberState, item: tuple[jax.Array, jax.Array | None]) -> tuple[MemberState, Any]:
            carry, loss, observed = self._one_step(carry, held, key, item[0], item[1], data)
            return carry, (loss, observed)

        state, (losses, observed) = jax.lax.scan(body, state, (steps, batches))
        return state, losses.mean(), observed

    def run(
        self, state: MemberState, held: Any, keys: Keys, segment: Segment, data: Any
    ) -> tuple[MemberState, jax.Array, Any]:
        """Returns the state after a segment, its mean loss, and what was observed after its steps [..., S, ...]."""
        batches, rest, num_whole = None, None, segment.num_steps
        if self.training.batch_size is not None and segment.num_epochs > 1:
            last = self._first_epoch + segment.end_epoch
            batches = self._compiled_orders(keys.order, np.arange(last - segment.num_epochs, last, dtype=np.int32))
        elif self.training.batch_size is not None:
            epoch = np.int32(self._first_epoch + segment.end_epoch - 1)
            batches, rest = self._compiled_order(keys.order, epoch)
            num_whole = segment.num_steps - (rest is not None)
        # On the host, like the epoch: each operation outside of a compiled function is a program of its own.
        steps = segment.first_step + np.arange(segment.num_steps, dtype=np.int32)
        parts, weights = [], []
        if self._scans and num_whole:
            state, loss, observed = self._compiled_steps(state, held, keys.augment, steps[:num_whole], batches, data)
            parts.append((loss, observed))
            weights.append(num_whole)
        else:
            axis = (slice(None),) if self.vectorised else ()
            for i in range(num_whole):
                batch = None if batches is None else batches[(*axis, i)]
                state, loss, observed = self._compiled_step(state, held, keys.augment, steps[i], batch, data)
                parts.append((loss, self._as_row(observed)))
        if rest is not None:
            state, loss, observed = self._compiled_step(state, held, keys.augment, steps[num_whole], rest, data)
            parts.append((loss, self._as_row(observed)))
        weights += [1] * (len(parts) - len(weights))
        if len(parts) == 1:
            return state, *parts[0]
        losses = jnp.stack([loss for loss, _ in parts], -1)
        # By steps: a scan stands for all of its steps, the last, smaller batch for one.
        mean = losses.mean(-1) if max(weights) == 1 else losses @ (jnp.asarray(weights) / sum(weights))
        axis = int(self.vectorised)
        observed = jax.tree.map(lambda *rows: jnp.concatenate(rows, axis), *(seen for _, seen in parts))
        return state, mean, observed

    def update_best(self, best: Best | None, state: MemberState, held: Any, data: Any) -> Best:
        """Returns the parameters with the smallest score, those of the state among them; the old ones are donated."""
        if best is None:
            return self._compiled_start(state, held, data)
        return self._compiled_keep(best, state, held, data)

    def _as_row(self, observed: Any) -> Any:
        """Returns what one step observed with an axis for steps."""
        return jax.tree.map(lambda value: jnp.expand_dims(value, int(self.vectorised)), observed)
