"""Gradient descent from one equivariant point, three ways: equivariant, augmented and nominal.

In: the stage configuration of an arm. Out: after every step of every run, how far the weights moved and how far they
are from the subspace E of weights that commute with relabelling.

References:
    arXiv 2303.13458, first version: permutations.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from emergent.config.permutation_training import PermutationTask, TrainingMode
from emergent.datasets.block_graphs import block_graphs
from emergent.errors import DataError
from emergent.models.graph_network import GraphWeights, difference, initial_weights, logits, norm, project
from emergent.storage import Array
from emergent.training.prng import member_key

# All arms of a run share its graphs and its start.
START, GRAPHS = "start", "graphs"
Run = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array]]


def loss(weights: GraphWeights, graphs: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns the mean binary cross-entropy."""
    outputs = logits(weights, graphs)
    return optax.sigmoid_binary_cross_entropy(outputs, labels.astype(outputs.dtype)).mean()


def relabel(graphs: jax.Array, order: jax.Array) -> jax.Array:
    """Returns graphs [N, n, n] whose node i is node ``order[i]`` of before."""
    return graphs[:, order][:, :, order]


def mean_gradient(
    weights: GraphWeights, graphs: jax.Array, labels: jax.Array, orders: jax.Array, batch_size: int
) -> tuple[jax.Array, GraphWeights]:
    """Returns loss and gradient, averaged over passes and batches.

    Args:
        weights: where.
        graphs: [N, n, n].
        labels: [N].
        orders: [passes, N / batch_size, n] relabelling of each batch in each pass.
        batch_size: graphs per batch.
    """
    nodes = graphs.shape[-1]
    batches = (graphs.reshape(-1, batch_size, nodes, nodes), labels.reshape(-1, batch_size))

    def add(total: Any, item: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        index, order = item
        found = jax.value_and_grad(loss)(weights, relabel(batches[0][index], order), batches[1][index])
        return jax.tree.map(jnp.add, total, found), None

    num_passes, num_batches = orders.shape[:2]
    zero = (jnp.zeros((), graphs.dtype), jax.tree.map(jnp.zeros_like, weights))
    items = (jnp.tile(jnp.arange(num_batches), num_passes), orders.reshape(-1, nodes))
    total, _ = jax.lax.scan(add, zero, items)
    return jax.tree.map(lambda value: value / (num_passes * num_batches), total)


def make_run(task: PermutationTask, mode: TrainingMode) -> Run:
    """Returns ``run(start_key, order_key, graphs, labels) -> (moved, distance, losses)``, each [steps]."""
    steps, nodes = task.train, 2 * task.graphs.block_size
    num_batches = task.graphs.num // steps.batch_size

    def orders(key: jax.Array) -> jax.Array:
        if mode != "augmented":
            return jnp.broadcast_to(jnp.arange(nodes), (1, num_batches, nodes))
        index = jnp.arange(steps.num_passes * num_batches)
        drawn = jax.vmap(lambda i: jax.random.permutation(jax.random.fold_in(key, i), nodes))(index)
        return drawn.reshape(steps.num_passes, num_batches, nodes)

    def run(
        start_key: jax.Array, order_key: jax.Array, graphs: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        start = initial_weights(start_key, task.network, nodes, graphs.dtype)

        def step(
            weights: GraphWeights, index: jax.Array
        ) -> tuple[GraphWeights, tuple[jax.Array, jax.Array, jax.Array]]:
            drawn = orders(jax.random.fold_in(order_key, index))
            value, slope = mean_gradient(weights, graphs, labels, drawn, steps.batch_size)
            slope = project(slope, nodes) if mode == "equivariant" else slope
            weights = GraphWeights(*(a - steps.learning_rate * b for a, b in zip(weights, slope, strict=True)))
            rest = difference(weights, project(weights, nodes))
            return weights, (norm(difference(weights, start)), norm(rest), value)

        return jax.lax.scan(step, start, jnp.arange(steps.num_steps))[1]

    return run


def permutation_arrays(
    config: Mapping[str, Any], members: Sequence[int], on_progress: Callable[[int], None] | None = None
) -> dict[str, Array]:
    """Returns a trained block as arrays to be stored.

    Args:
        config: stage ``train`` of one arm.
        members: indices over all runs.
        on_progress: called with the number of runs just finished.

    Raises:
        DataError: a run's loss is not finite (names run and step).
    """
    task = PermutationTask.model_validate(config["task"])
    run = jax.jit(make_run(task, config["mode"]))
    results: list[Float[np.ndarray, "3 S"]] = []
    with jax.default_matmul_precision(task.train.matmul_precision), jax.threefry_partitionable(True):
        for member in members:

            def key(name: str, purpose: Any, member: int = member) -> jax.Array:
                return member_key(config["seed"], config["experiment"], name, member, purpose)

            seed = np.asarray(jax.random.key_data(key(GRAPHS, "initialise")))
            drawn = block_graphs(**task.graphs.model_dump(), generator=np.random.default_rng(seed))
            found = run(key(START, "initialise"), key(config["arm"], "augment"), *map(jnp.asarray, drawn))
            results.append(np.stack([np.asarray(part) for part in found]))
            bad = np.flatnonzero(~np.isfinite(results[-1]).all(0))
            if bad.size:
                raise DataError(
                    f"run {member} of arm {config['arm']}: the loss or the weights are not finite after step "
                    f"{bad[0] + 1}; nothing was written. Lower train.learning_rate ({task.train.learning_rate})."
                )
            if on_progress:
                on_progress(1)
    moved, distance, losses = np.stack(results, 2)
    dims = ("step", "member")
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all runs"),
        "moved": Array(moved, dims, "1", "distance from the start after every step"),
        "distance": Array(distance, dims, "1", "distance from the equivariant weights after every step"),
        "loss": Array(losses, dims, "1", "cross-entropy before every step, on the data of that step"),
    }
