"""Clouds of points, drawn from meshes at every access and turned about the origin; classes as targets.

References:
    arXiv 2410.01452, point-cloud experiment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergent.config.domains import PointCloudEvaluation, PointCloudTraining
from emergent.config.pointnet import Sampling
from emergent.config.stages import EvaluateStage, TrainStage
from emergent.domains.arrays import ACCELERATOR_BATCH, CPU_BATCH
from emergent.domains.meshes import Meshes, draw_clouds, load_meshes
from emergent.domains.protocols import Apply
from emergent.domains.space import IDENTITY_GROUP, matrices, training_action
from emergent.groups.actions import Action
from emergent.groups.rotations import random_rotations, rotate
from emergent.metrics.output_actions import Invariant, OutputAction
from emergent.models.pointnet import Clouds
from emergent.point_groups import CONTINUOUS_GROUPS
from emergent.prng import member_key, name_id


def example(data: PointCloudTraining) -> Clouds:
    """Returns shapes and types of one cloud and its graph."""
    sampling = data.sampling
    points = jax.ShapeDtypeStruct((1, sampling.num_points, 3), jnp.float32)
    return Clouds(points, jax.ShapeDtypeStruct((1, sampling.num_points, sampling.num_neighbours), jnp.int32))  # pyright: ignore[reportArgumentType]


@partial(jax.tree_util.register_dataclass, data_fields=["meshes", "action"], meta_fields=["sampling", "full"])
@dataclass(frozen=True)
class CloudData:
    """Resident meshes, of which clouds are drawn.

    Attributes:
        meshes: with labels.
        action: of the group on points; None turns nothing.
        sampling: how clouds are drawn.
        full: every cloud is used on its whole orbit.
    """

    meshes: Meshes
    action: Action | None
    sampling: Sampling
    full: bool = False

    @property
    def num_samples(self) -> int:
        """Returns the number of meshes."""
        return self.meshes.labels.shape[0]

    @property
    def copies(self) -> int:
        """Returns how many inputs a mesh of a batch makes."""
        return (self.action.order or 1) if self.full and self.action is not None else 1

    def example(self) -> Clouds:
        """Returns one cloud and its graph."""
        shapes = example(PointCloudTraining.model_construct(sampling=self.sampling))
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def batch(self, indices: Int[Array, " B"] | None, key: PRNGKeyArray) -> tuple[Clouds, Array]:
        """Returns clouds drawn anew, turned with their graphs as they are, and labels."""
        chosen = jnp.arange(self.num_samples) if indices is None else indices
        points_key, rotations_key = jax.random.split(key)
        keys = jax.random.split(points_key, len(chosen))
        points, neighbours = draw_clouds(self.meshes, chosen, keys, self.sampling)
        labels = self.meshes.labels[chosen]
        if self.action is None:
            return Clouds(points, neighbours), labels
        if not self.full:
            turned = self.action.transform(points, self.action.draw(rotations_key, len(chosen)))
            return Clouds(turned, neighbours), labels
        copies = self.action.orbit(points)
        graphs = jnp.tile(neighbours, (self.copies, 1, 1))
        return Clouds(copies.reshape(-1, *copies.shape[2:]), graphs), jnp.tile(labels, self.copies)


def training_data(stage: TrainStage, paths: Mapping[str, Path]) -> CloudData:
    """Returns the resident training set of an arm.

    Args:
        stage: settings.
        paths: prepared files by data set.

    Raises:
        DataError: the data do not fit the configuration; the message says how.
    """
    data, augmentation = stage.data, stage.augmentation
    assert isinstance(data, PointCloudTraining)
    meshes = load_meshes(paths[data.train.dataset], data.train, stage.model.num_outputs)
    action = None if augmentation.group == IDENTITY_GROUP else training_action(augmentation, stage.seed)
    return CloudData(meshes, action, data.sampling, augmentation.mode == "full")


def evaluation_rotations(seed: int, experiment: str, num: int) -> Float[np.ndarray, "R 3 3"]:
    """Returns the rotations, other than the identity, that all members and clouds of an experiment share."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), name_id(experiment))
    # Pinned here too: sets are made before evaluation pins it for its networks.
    with jax.threefry_partitionable(True):
        return np.asarray(random_rotations(jax.random.fold_in(key, name_id("evaluation rotations")), num))


def orbit_rotations(stage: EvaluateStage) -> Float[np.ndarray, "G 3 3"]:
    """Returns the elements on whose orbits an arm is evaluated, float32, the identity first."""
    orbit = stage.orbit
    if orbit.group not in CONTINUOUS_GROUPS or orbit.num_elements is None:
        return matrices(orbit, stage.seed).astype(np.float32)
    turned = evaluation_rotations(stage.seed, stage.experiment, orbit.num_elements - 1)
    return np.concatenate([np.eye(3, dtype=turned.dtype)[None], turned])


@partial(jax.jit, static_argnums=1)
def _draw(meshes: Meshes, sampling: Sampling, chosen: jax.Array, key: PRNGKeyArray) -> Clouds:
    # A key per mesh: its cloud depends neither on the batch that it is in nor on the other meshes.
    return draw_clouds(meshes, chosen, jax.vmap(jax.random.fold_in, (None, 0))(key, chosen), sampling)


# Apart from the draws, because these depend on the sizes of the meshes and this larger program does not.
@partial(jax.jit, static_argnums=0)
def _turned_outputs(apply: Apply, parameters: Any, rotations: jax.Array, clouds: Clouds) -> Float[Array, "B G K"]:
    def turned(rotation: jax.Array) -> jax.Array:
        turns = jnp.broadcast_to(rotation, (clouds.points.shape[0], 3, 3))
        return apply(parameters, Clouds(rotate(turns, clouds.points), clouds.neighbours))

    # Rotation after rotation: the messages of all at once would need |G| times the memory.
    return jnp.swapaxes(jax.lax.map(turned, rotations), 0, 1)


class CloudOrbits:
    """An evaluation set of clouds, drawn once per member or once for all; see ``OrbitSet`` for the attributes."""

    labels: Int[np.ndarray, " N"] | None
    targets: Float[np.ndarray, "N K"] | None = None
    output_action: OutputAction | None
    rotations: Float[np.ndarray, "G 3 3"] | None
    points: Float[np.ndarray, "N V d"] | None = None

    def __init__(self, stage: EvaluateStage, name: str, meshes: Meshes) -> None:
        """Draws nothing yet.

        Args:
            stage: settings.
            name: of the set, which has clouds of its own.
            meshes: of the set.
        """
        data = stage.data
        assert isinstance(data, PointCloudEvaluation)
        self.labels = np.asarray(meshes.labels)
        self.rotations = orbit_rotations(stage)
        self.output_action = Invariant(len(self.rotations))
        self._num = len(self.labels)
        self._stage, self._name, self._meshes, self._sampling = stage, name, meshes, data.sampling
        self._is_shared = data.test_points == "shared"
        default = CPU_BATCH if jax.default_backend() == "cpu" else ACCELERATOR_BATCH
        self._batch_size = stage.evaluate.batch_size or default
        self._drawn: tuple[int, list[Clouds]] = (-1, [])

    def _clouds(self, member: int) -> list[Clouds]:
        """Returns the clouds of a member in batches; those of the last member are kept for its other checkpoints."""
        # Shared clouds belong to no arm. Per member they follow the released code, which draws them at every access.
        owner, arm = (0, "") if self._is_shared else (member, self._stage.arm)
        if self._drawn[0] != owner:
            key = member_key(self._stage.seed, self._stage.experiment, arm, owner, "augment")
            key = jax.random.fold_in(key, name_id(f"evaluate {self._name}"))
            num, size = self._num, self._batch_size
            batches = [jnp.arange(i, min(i + size, num)) for i in range(0, num, size)]
            self._drawn = owner, [_draw(self._meshes, self._sampling, batch, key) for batch in batches]
        return self._drawn[1]

    def outputs(self, apply: Apply, parameters: Any, member: int) -> Float[np.ndarray, "N G K"]:
        """Returns the outputs of one member on all clouds, unrotated and rotated."""
        rotations = jnp.asarray(self.rotations)
        parts = [_turned_outputs(apply, parameters, rotations, clouds) for clouds in self._clouds(member)]
        return np.concatenate([np.asarray(part) for part in parts])


def orbit_sets(stage: EvaluateStage, paths: Mapping[str, Path]) -> dict[str, CloudOrbits]:
    """Returns the evaluation sets of an arm by name; classes of other objects have no meaning to the network."""
    return {
        name: CloudOrbits(stage, name, load_meshes(paths[entry.dataset], entry))
        for name, entry in stage.data.evaluate.items()
    }
