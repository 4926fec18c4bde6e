"""Equivariant training, then unconstrained training on all rotations, watching the distance from equivariance.

In: resident images and the settings of an arm. Out: for a block of runs the distance of every layer from the
subspace E of equivariant networks, after every step of the second phase.

References:
    arXiv 2303.13458, experimental results of the later versions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from emergent.config.subspace_training import Phase, Phases, SubspaceArm, SubspaceNetwork
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.groups.images import image_action, orbit
from emergent.models.subspace_cnn import (
    Basis,
    Coordinates,
    SubspaceCnn,
    coordinates_of,
    distance,
    equivariant_basis,
    initial_coordinates,
    unconstrained_basis,
    weights,
)
from emergent.point_groups import group_from_name
from emergent.prng import Purpose, member_key
from emergent.storage import Array as StoredArray

NUM_ROTATIONS = 4
EQUIVARIANT, AUGMENTED = 0, 1
Progress = Callable[[int], None]


class Images(NamedTuple):
    """Resident training set: ``inputs`` [4, N, H, W, C], every image in its four rotations; ``labels`` int32 [N]."""

    inputs: Float[Array, "G N H W C"]
    labels: Int[Array, " N"]


@dataclass(frozen=True)
class SubspaceTask:
    """All that determines a block of runs."""

    seed: int
    experiment: str
    name: str
    members: tuple[int, ...]
    arm: SubspaceArm
    model: SubspaceCnn
    phases: Phases


@dataclass(frozen=True)
class SubspaceResult:
    """A trained block of M runs with L + 1 layers, E epochs of S steps in the second phase.

    Attributes:
        initial: [M, L + 1] distance from E before the second phase.
        distances: [E, S, M, L + 1] after every step.
        losses: per phase [epochs, M], the mean loss of each epoch.
    """

    initial: np.ndarray
    distances: np.ndarray
    losses: tuple[np.ndarray, np.ndarray]


def subspace_task(config: Mapping[str, Any], members: tuple[int, ...]) -> SubspaceTask:
    """Returns what determines a block of runs, from the configuration of stage ``train``."""
    arm = SubspaceArm.model_validate(config["parametrisation"])
    height, _, num_inputs = config["data"]["shape"]
    network = SubspaceNetwork.model_validate(config["network"])
    return SubspaceTask(
        seed=config["seed"],
        experiment=config["experiment"],
        name=config["arm"],
        members=members,
        arm=arm,
        model=SubspaceCnn(network, arm.support, height, num_inputs),
        phases=Phases.model_validate(config["train"]),
    )


def load_images(samples: Samples) -> Images:
    """Returns prepared samples with all their rotations.

    Raises:
        DataError: the samples have no labels.
    """
    if samples.labels is None:
        raise DataError("training on classes needs labels, but the data set has none; choose another one.")
    return rotated(jnp.asarray(samples.inputs), jnp.asarray(samples.labels))


def rotated(inputs: Float[Array, "N H W C"], labels: Int[Array, " N"]) -> Images:
    """Returns images with all their rotations."""
    action = image_action(group_from_name("C4"), inputs.shape[1], inputs.shape[2])
    return Images(orbit(action, inputs).astype(inputs.dtype), labels)


def make_loss(task: SubspaceTask) -> Callable[[Coordinates, Basis, Array, Array], Array]:
    """Returns ``loss(coordinates, basis, inputs, labels)``: squared error against one-hot targets, mean of entries."""

    def loss(coordinates: Coordinates, basis: Basis, inputs: Array, labels: Array) -> Array:
        outputs = task.model.outputs(weights(basis, coordinates), inputs)
        return jnp.square(outputs - jax.nn.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype)).mean()

    return loss


def num_steps(phase: Phase, num_images: int, augmented: bool) -> int:
    """Returns the steps of one epoch.

    Raises:
        DataError: not even one batch fits.
    """
    steps = num_images * (NUM_ROTATIONS if augmented else 1) // phase.batch_size
    if steps == 0:
        raise DataError(f"batch_size {phase.batch_size} exceeds the {num_images} training images; lower it.")
    return steps


def epoch_order(arm: SubspaceArm, phase: Phase, num_images: int, key: Array, augmented: bool) -> tuple[Array, Array]:
    """Returns rotations and images [S, B] of the batches of one epoch; what is beyond whole batches sits it out."""
    shape = (num_steps(phase, num_images, augmented), phase.batch_size)
    if augmented and arm.batches == "whole_orbits":
        shape = (shape[0], phase.batch_size // NUM_ROTATIONS)
        images = jax.random.permutation(key, num_images)[: shape[0] * shape[1]].reshape(shape)
        rotations = jnp.repeat(jnp.arange(NUM_ROTATIONS), shape[1])
        return jnp.broadcast_to(rotations, (shape[0], phase.batch_size)), jnp.tile(images, (1, NUM_ROTATIONS))
    total = num_images * (NUM_ROTATIONS if augmented else 1)
    order = jax.random.permutation(key, total)[: shape[0] * shape[1]].reshape(shape)
    return order // num_images, order % num_images


class _Program:
    """Compiled functions of one task; each takes a vector of members."""

    def __init__(self, task: SubspaceTask) -> None:
        self.task = task
        self.target = equivariant_basis(task.model)
        self._loss = make_loss(task)
        self._start_one = jax.jit(self._start, static_argnums=1)
        self.switch = jax.jit(jax.vmap(self._switch))
        self.epochs = (
            jax.jit(jax.vmap(partial(self._epoch, EQUIVARIANT), (0, 0, 0, None, None))),
            jax.jit(jax.vmap(partial(self._epoch, AUGMENTED), (0, 0, 0, None, None))),
        )

    def _key(self, member: Array, purpose: Purpose, number: int | Array = 0) -> Array:
        key = member_key(self.task.seed, self.task.experiment, self.task.name, member, purpose)
        return jax.random.fold_in(key, number)

    def start(self, members: tuple[int, ...], dtype: Any) -> tuple[Basis, Coordinates]:
        """Returns basis and coordinates of every member, one drawn after another: that compiles fast."""
        drawn = [self._start_one(jnp.asarray(member), dtype) for member in members]
        return jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts)), *drawn)

    def _start(self, member: Array, dtype: Any) -> tuple[Basis, Coordinates]:
        basis = Basis(*(jnp.asarray(part, dtype) for part in self.target))
        return basis, initial_coordinates(self.task.model, self._key(member, "initialise"), dtype)

    def _switch(self, member: Array, basis: Basis, state: Coordinates) -> tuple[Basis, Coordinates, Array]:
        """Returns basis and coordinates of the same weights for the second phase, and their distance from E."""
        key = self._key(member, "initialise", 1)
        drawn = unconstrained_basis(self.task.model, self.task.arm.basis, key)
        free = Basis(*(jnp.asarray(part, state[0].dtype) for part in drawn))
        state = coordinates_of(free, weights(basis, state))
        return free, state, distance(self.target, weights(free, state))

    def _epoch(
        self, phase: int, member: Array, basis: Basis, state: Coordinates, epoch: Array, images: Images
    ) -> tuple[Coordinates, Array, Array]:
        """Returns coordinates, losses [S] and distances from E [S, L + 1] of one epoch."""
        settings = self.task.phases.augmented if phase == AUGMENTED else self.task.phases.equivariant

        def step(state: Coordinates, batch: tuple[Array, Array]) -> tuple[Coordinates, tuple[Array, Array]]:
            turn, index = batch
            value, slope = jax.value_and_grad(self._loss)(
                state, basis, images.inputs[turn, index], images.labels[index]
            )
            state = jax.tree.map(lambda a, b: a - settings.learning_rate * b, state, slope)
            return state, (value, distance(self.target, weights(basis, state)))

        key = self._key(member, "order", epoch)
        order = epoch_order(self.task.arm, settings, images.labels.shape[0], key, phase == AUGMENTED)
        state, (losses, distances) = jax.lax.scan(step, state, order)
        return state, losses, distances


def train_subspace(task: SubspaceTask, images: Images, on_progress: Progress | None = None) -> SubspaceResult:
    """Returns the distances from E of a block of runs.

    Args:
        task: what to train.
        images: resident training set.
        on_progress: called with the number of run-epochs just finished.

    Raises:
        DataError: a run's loss is not finite (names run and epoch), or a batch exceeds the data.
    """
    program = _Program(task)
    # Pinned, because releases of JAX differ in its default and seeds would then give other networks.
    with jax.default_matmul_precision(task.phases.matmul_precision), jax.threefry_partitionable(True):
        return _train(program, task.members, images, on_progress)


def _train(program: _Program, members: tuple[int, ...], images: Images, on_progress: Progress | None) -> SubspaceResult:
    index = jnp.asarray(members)
    basis, state = program.start(members, images.inputs.dtype)
    phases = program.task.phases
    counts = (phases.equivariant.num_epochs, phases.augmented.num_epochs)
    losses, distances, initial = ([], []), [], np.zeros(0)
    for epoch in range(sum(counts)):
        phase = EQUIVARIANT if epoch < counts[0] else AUGMENTED
        if epoch == counts[0]:
            basis, state, moved = program.switch(index, basis, state)
            initial = np.asarray(moved)
        state, loss, moved = program.epochs[phase](index, basis, state, jnp.asarray(epoch), images)
        losses[phase].append(np.asarray(loss).mean(1))
        _require_finite(program.task, members, losses[phase][-1], phase, epoch - phase * counts[0] + 1)
        if phase == AUGMENTED:
            distances.append(np.moveaxis(np.asarray(moved), 0, 1))
        if on_progress:
            on_progress(len(members))
    return SubspaceResult(initial, np.stack(distances), (np.stack(losses[0]), np.stack(losses[1])))


def _require_finite(task: SubspaceTask, members: tuple[int, ...], losses: np.ndarray, phase: int, epoch: int) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if bad.size:
        raise DataError(
            f"run {members[bad[0]]} of arm {task.name}: the loss is {losses[bad[0]]} in epoch {epoch} of "
            f"{('equivariant', 'augmented')[phase]} training; nothing was written. Lower its learning rate."
        )


def result_arrays(task: SubspaceTask, result: SubspaceResult) -> dict[str, StoredArray]:
    """Returns a trained block as arrays to be stored."""
    return {
        "members": StoredArray(np.asarray(task.members), ("member",), "1", "index over all runs"),
        "initial": StoredArray(result.initial, ("member", "layer"), "1", "distance from E before augmented training"),
        "distances": StoredArray(
            result.distances, ("epoch", "step", "member", "layer"), "1", "distance from E after every augmented step"
        ),
        "loss_equivariant": StoredArray(result.losses[0], ("epoch", "member"), "1", "mean loss of each epoch"),
        "loss_augmented": StoredArray(result.losses[1], ("epoch", "member"), "1", "mean loss of each epoch"),
    }
