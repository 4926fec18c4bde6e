"""Training of members on point clouds drawn from meshes at every access.

Members train one after another: one step of one member already fills a device. Everything a member draws (initial
parameters, data order, points, rotations) comes from its own keys, so it is the same network in every block.

References:
    arXiv 2410.01452, point-cloud experiment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util
from jaxtyping import PRNGKeyArray

from emergent.config.pointnet import PointNetModel, Sampling
from emergent.config.training import Training
from emergent.domains.meshes import Meshes, draw_clouds
from emergent.errors import DataError
from emergent.groups.rotations import random_rotations, rotate
from emergent.models.pointnet import PointNet, initial_parameters
from emergent.prng import Purpose, member_key
from emergent.storage import Array
from emergent.training.step import MemberState, cross_entropy, make_optimiser
from emergent.training.tasks import PARAMETER_PREFIX


@dataclass(frozen=True)
class PointTask:
    """All that determines a block of members.

    Attributes:
        members: indices over the whole ensemble.
        augmentation: ``rotations`` or ``none``.
    """

    seed: int
    experiment: str
    arm: str
    members: tuple[int, ...]
    model: PointNetModel
    sampling: Sampling
    augmentation: str
    training: Training

    @classmethod
    def from_config(cls, config: Mapping[str, Any], members: tuple[int, ...]) -> "PointTask":
        """Returns the task of a stage configuration ``train``."""
        return cls(
            seed=config["seed"],
            experiment=config["experiment"],
            arm=config["arm"],
            members=members,
            model=PointNetModel.model_validate(config["model"]),
            sampling=Sampling.model_validate(config["sampling"]),
            augmentation=config["augmentation"],
            training=Training.model_validate(config["train"]),
        )

    def key(self, member: jax.Array | int, purpose: Purpose) -> PRNGKeyArray:
        """Returns a member's key for one purpose."""
        return member_key(self.seed, self.experiment, self.arm, member, purpose)


@dataclass(frozen=True)
class PointResult:
    """A trained block: flat name to float32 array [1, M, ...], its epoch, and mean losses [num_epochs, M]."""

    parameters: dict[str, np.ndarray]
    epochs: tuple[int, ...]
    losses: np.ndarray


def make_update(
    module: PointNet, optimiser: optax.GradientTransformation
) -> Callable[[MemberState, jax.Array, jax.Array, jax.Array], tuple[MemberState, jax.Array]]:
    """Returns ``update(state, points, neighbours, labels) -> (state, loss)``: one step of one member on a batch."""

    def update(
        state: MemberState, points: jax.Array, neighbours: jax.Array, labels: jax.Array
    ) -> tuple[MemberState, jax.Array]:
        def objective(parameters: Any) -> jax.Array:
            logits = module.apply(parameters, points, neighbours)
            assert isinstance(logits, jax.Array)
            return cross_entropy(logits, labels)

        loss, gradients = jax.value_and_grad(objective)(state.parameters)
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.parameters)
        return MemberState(optax.apply_updates(state.parameters, updates), optimiser_state), loss

    return update


class _Trainer:
    """Compiled functions of one task."""

    def __init__(self, task: PointTask, num_samples: int) -> None:
        size = task.training.batch_size
        if size is None or num_samples < 1:
            raise DataError(f"expected a batch size and at least one mesh, found {size} and {num_samples}.")
        self.task = task
        # The last batch of an epoch holds what is left over.
        self.whole, self.rest = divmod(num_samples, size)
        self.num_steps = self.whole + (self.rest > 0)
        self._num_samples, self._size = num_samples, size
        self._optimiser = make_optimiser(task.training.optimiser, task.training.learning_rate)
        self._update = make_update(PointNet(task.model), self._optimiser)
        self.initialise = jax.jit(self._initialise)
        self.run_epoch = jax.jit(self._run_epoch, donate_argnums=(0,))

    def _initialise(self, member: jax.Array) -> MemberState:
        parameters = initial_parameters(self.task.model, self.task.key(member, "initialise"))
        return MemberState(parameters, self._optimiser.init(parameters))

    def _step(
        self, state: MemberState, chosen: jax.Array, key: PRNGKeyArray, meshes: Meshes
    ) -> tuple[MemberState, jax.Array]:
        points_key, rotations_key = jax.random.split(key)
        points, neighbours = draw_clouds(meshes, chosen, jax.random.split(points_key, len(chosen)), self.task.sampling)
        if self.task.augmentation == "rotations":
            points = rotate(random_rotations(rotations_key, len(chosen)), points)
        return self._update(state, points, neighbours, meshes.labels[chosen])

    def _run_epoch(
        self, state: MemberState, member: jax.Array, epoch: jax.Array, meshes: Meshes
    ) -> tuple[MemberState, jax.Array]:
        order = jax.random.permutation(jax.random.fold_in(self.task.key(member, "order"), epoch), self._num_samples)
        augment = self.task.key(member, "augment")

        def body(carry: MemberState, item: tuple[jax.Array, jax.Array]) -> tuple[MemberState, jax.Array]:
            step, chosen = item
            return self._step(carry, chosen, jax.random.fold_in(augment, step), meshes)

        first = epoch * self.num_steps
        batches = order[: self.whole * self._size].reshape(self.whole, self._size)
        state, losses = jax.lax.scan(body, state, (first + jnp.arange(self.whole), batches))
        if self.rest:
            state, loss = body(state, (first + self.whole, order[self.whole * self._size :]))
            losses = jnp.append(losses, loss)
        return state, losses.mean()


def train_points(task: PointTask, meshes: Meshes, on_progress: Callable[[int], None] | None = None) -> PointResult:
    """Returns the trained members of a block.

    Args:
        task: what to train.
        meshes: resident training meshes.
        on_progress: called with the number of member-epochs just finished.

    Raises:
        DataError: a member's loss is not finite (names member and epoch).
    """
    trainer = _Trainer(task, meshes.labels.shape[0])
    parts, losses = [], np.zeros((task.training.num_epochs, len(task.members)))
    with jax.default_matmul_precision(task.training.matmul_precision), jax.threefry_partitionable(True):
        for position, member in enumerate(task.members):
            index = jnp.asarray(member)
            state = trainer.initialise(index)
            for epoch in range(task.training.num_epochs):
                state, loss = trainer.run_epoch(state, index, jnp.asarray(epoch), meshes)
                losses[epoch, position] = loss
                if not np.isfinite(losses[epoch, position]):
                    raise DataError(
                        f"member {member} of arm {task.arm}: the training loss is {float(loss)} in epoch {epoch + 1}; "
                        f"nothing was written. Lower train.learning_rate ({task.training.learning_rate})."
                    )
                if on_progress:
                    on_progress(1)
            parts.append(traverse_util.flatten_dict(jax.device_get(state.parameters), sep="/"))
    parameters = {name: np.stack([np.asarray(part[name]) for part in parts])[None] for name in parts[0]}
    return PointResult(parameters, (task.training.num_epochs,), losses)


def block_arrays(task: PointTask, result: PointResult) -> dict[str, Array]:
    """Returns a trained block as arrays to be stored, in the layout of all trained blocks."""
    arrays = {
        "members": Array(np.asarray(task.members), ("member",), "1", "index over the whole ensemble"),
        "epochs": Array(np.asarray(result.epochs), ("epoch",), "epochs", "when parameters were stored"),
        "loss": Array(result.losses, ("segment", "member"), "1", "mean training loss, epoch by epoch"),
    }
    for name, values in result.parameters.items():
        dims = ("epoch", "member", *(f"axis{i}" for i in range(values.ndim - 2)))
        arrays[PARAMETER_PREFIX + name] = Array(values, dims)
    return arrays
