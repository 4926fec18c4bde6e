"""Evaluation of trained members on point clouds: logits of every cloud, unrotated and under shared rotations.

References:
    arXiv 2410.01452, point-cloud experiment.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array as JaxArray
from jaxtyping import Float, Int, PRNGKeyArray

from emergent.config.pointnet import PointNetModel, Sampling
from emergent.domains.meshes import Meshes, draw_clouds
from emergent.groups.rotations import random_rotations, rotate
from emergent.models.pointnet import PointNet
from emergent.prng import member_key, name_id
from emergent.storage import Array


def evaluation_rotations(seed: int, experiment: str, num: int) -> Float[np.ndarray, "R 3 3"]:
    """Returns the rotations that all members and clouds of an experiment share."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), name_id(experiment))
    with jax.threefry_partitionable(True):
        return np.asarray(random_rotations(jax.random.fold_in(key, name_id("evaluation rotations")), num))


class PointPredictor:
    """Logits of one architecture on all clouds of an evaluation set, unrotated and rotated."""

    def __init__(self, model: PointNetModel, sampling: Sampling, rotations: np.ndarray, batch_size: int) -> None:
        """Compiles nothing yet.

        Args:
            model: architecture.
            sampling: how clouds are drawn.
            rotations: [R, 3, 3].
            batch_size: clouds per forward pass.
        """
        self._module = PointNet(model)
        self._sampling = sampling
        self._rotations = jnp.concatenate([jnp.eye(3, dtype=rotations.dtype)[None], jnp.asarray(rotations)])
        self._batch_size = batch_size
        # Two programs, because the first depends on the sizes of the meshes and the second, larger one does not.
        self._draw = jax.jit(self._draw_batch)
        self._apply = jax.jit(self._logits)

    def _draw_batch(
        self, meshes: Meshes, chosen: jax.Array, key: PRNGKeyArray
    ) -> tuple[Float[JaxArray, "B P 3"], Int[JaxArray, "B P k"]]:
        # A key per mesh: its cloud depends neither on the batch that it is in nor on the other meshes.
        return draw_clouds(meshes, chosen, jax.vmap(jax.random.fold_in, (None, 0))(key, chosen), self._sampling)

    def _logits(self, parameters: Any, points: jax.Array, neighbours: jax.Array) -> Float[JaxArray, "B 1+R K"]:
        def turned(rotation: jax.Array) -> jax.Array:
            turns = jnp.broadcast_to(rotation, (points.shape[0], 3, 3))
            logits = self._module.apply(parameters, rotate(turns, points), neighbours)
            assert isinstance(logits, jax.Array)
            return logits

        return jnp.swapaxes(jax.lax.map(turned, self._rotations), 0, 1)

    def __call__(self, parameters: Any, meshes: Meshes, key: PRNGKeyArray) -> Float[np.ndarray, "N 1+R K"]:
        """Returns the logits of every cloud at the identity and at every rotation."""
        num = meshes.labels.shape[0]
        batches = [jnp.arange(i, min(i + self._batch_size, num)) for i in range(0, num, self._batch_size)]
        logits = [self._apply(parameters, *self._draw(meshes, batch, key)) for batch in batches]
        return np.concatenate([np.asarray(part) for part in logits])


def evaluate_points(
    config: Mapping[str, Any],
    block: tuple[Mapping[str, np.ndarray], tuple[int, ...], tuple[int, ...]],
    sets: Mapping[str, Meshes],
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Returns the logits of a block of members on all evaluation sets, as arrays to be stored.

    Args:
        config: stage configuration ``evaluate``.
        block: parameters [E, M, ...] by name, member indices, epochs; the last epoch is evaluated.
        sets: evaluation sets by name.
        on_progress: called with the number of members just evaluated on one set.
    """
    parameters, members, epochs = block
    settings = config["evaluate"]
    rotations = evaluation_rotations(config["seed"], config["experiment"], settings["num_rotations"])
    sampling = Sampling.model_validate(config["sampling"])
    predictor = PointPredictor(
        PointNetModel.model_validate(config["model"]), sampling, rotations, settings["batch_size"]
    )
    arrays = {
        "members": Array(np.asarray(members), ("member",), "1", "index over the whole ensemble"),
        "epochs": Array(np.asarray(epochs[-1:]), ("epoch",), "epochs", "training time"),
        "rotations": Array(rotations, ("rotation", "row", "column"), "1", "shared by all members and clouds"),
    }
    with jax.default_matmul_precision(config["matmul_precision"]), jax.threefry_partitionable(True):
        for name, meshes in sets.items():
            logits = []
            for position, member in enumerate(members):
                tree = traverse_util.unflatten_dict({k: v[-1, position] for k, v in parameters.items()}, sep="/")
                owner = member if settings["points"] == "per_member" else 0
                arm = config["arm"] if settings["points"] == "per_member" else ""
                key = member_key(config["seed"], config["experiment"], arm, owner, "augment")
                logits.append(predictor(tree, meshes, jax.random.fold_in(key, name_id(f"evaluate {name}"))))
                if on_progress:
                    on_progress(1)
            dims = ("member", "sample", "element", "output")
            text = "logits; element 0 is the unrotated cloud, then the rotations in order"
            arrays[f"{name}/logits"] = Array(np.stack(logits), dims, "1", text)
            arrays[f"{name}/labels"] = Array(np.asarray(meshes.labels), ("sample",), "1", "class labels")
    return arrays
