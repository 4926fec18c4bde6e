"""Evaluation of many members at a time on an accelerator, where outputs are reduced before they leave it.

The same numbers as ``emergent.evaluation.orbits`` collects member by member, up to the rounding of metrics in float32.
One member and checkpoint are a few milliseconds of an accelerator: its metrics on the host, and the way there of its
outputs, would take longer.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jaxtyping import Array, Float

from emergent.domains.arrays import ArrayOrbits
from emergent.domains.protocols import Apply
from emergent.metrics.output_actions import Invariant, OutputAction
from emergent.metrics.registry import member_metric
from emergent.statistics.ensembles import Run

# Network inputs in flight: enough work for every multiprocessor; of the networks here some 6 GB of activations, so that
# several jobs share a device.
INPUTS_IN_FLIGHT = 2**16


class Reduced(NamedTuple):
    """What is kept of the outputs of a block of members on one evaluation set.

    Attributes:
        metrics: name to values [M, E, N].
        sums: outputs summed over each run of members, [R, E, N, G, K].
        outputs: of every member at the checkpoints that are kept, [M, E', N, G, K].
    """

    metrics: dict[str, np.ndarray]
    sums: np.ndarray
    outputs: np.ndarray


def can_vectorise(part: ArrayOrbits, metrics: tuple[str, ...], num_outputs: int) -> bool:
    """Returns whether outputs do not move, or nobody knows how, and all metrics can be compiled.

    Other actions on outputs are NumPy's, and so may be a metric that somebody has added.
    """
    if not (part.output_action is None or isinstance(part.output_action, Invariant)):
        return False
    outputs: Any = jax.ShapeDtypeStruct((1, *part.shape, num_outputs), jnp.float32)
    try:
        for name in metrics:
            jax.eval_shape(
                lambda values, name=name: member_metric(name)(values, part.labels, part.output_action), outputs
            )
    except jax.errors.JAXTypeError:
        return False
    return True


def group_size(num_members: int, batch_size: int) -> int:
    """Returns how many members to evaluate at a time: as equal groups as possible that fit."""
    most = max(1, INPUTS_IN_FLIGHT // batch_size)
    return -(-num_members // -(-num_members // most))


def evaluate_vectorised(
    apply: Apply,
    part: ArrayOrbits,
    parameters: Mapping[str, np.ndarray],
    members: tuple[int, ...],
    metrics: tuple[str, ...],
    runs: list[Run],
    kept: tuple[int, ...] = (),
    on_progress: Callable[[int], None] | None = None,
) -> Reduced:
    """Returns the reduced outputs of a block of members on one evaluation set.

    Args:
        apply: the network.
        part: evaluation set that ``can_vectorise``.
        parameters: flat name to [E, M, ...].
        members: indices of the block's members over the whole ensemble, consecutive.
        metrics: names in ``emergent.metrics.registry.MEMBER_METRICS``.
        runs: ranges of members whose outputs are summed.
        kept: positions of the checkpoints at which every member's outputs are kept.
        on_progress: called with the number of member-checkpoints just finished.
    """
    num, num_epochs = len(members), next(iter(parameters.values())).shape[0]
    batches, shape = part.batches(), part.shape
    size = group_size(num, batches.shape[1])
    labels = None if part.labels is None else jnp.asarray(part.labels)
    inside = np.array([[start <= member < stop for member in members] for start, stop in runs], np.float32)
    step = jax.jit(partial(_reduce, apply, part.output_action, shape, metrics), donate_argnums=(0,))
    one = traverse_util.unflatten_dict({name: value[0, 0] for name, value in parameters.items()}, sep="/")
    outputs_shape = (*shape, jax.eval_shape(apply, one, batches[0]).shape[-1])
    found = {name: np.zeros((num, num_epochs, shape[0]), member_metric(name).dtype) for name in metrics}
    sums = np.zeros((len(runs), num_epochs, *outputs_shape), np.float32)
    outputs = np.zeros((num, len(kept), *outputs_shape), np.float32)
    for epoch in range(num_epochs):
        total = jnp.zeros((len(runs), *outputs_shape), jnp.float32)
        for first in range(0, num, size):
            # The last group is filled up with its last member, so that one program does for all; fillers count nowhere.
            rows = np.minimum(np.arange(first, first + size), num - 1)
            real = min(size, num - first)
            weights = inside[:, rows] * (np.arange(size) < real)
            group = traverse_util.unflatten_dict({name: v[epoch, rows] for name, v in parameters.items()}, sep="/")
            total, values, every = step(total, group, weights, batches, labels)
            for name in metrics:
                found[name][first : first + real, epoch] = np.asarray(values[name])[:real]
            if epoch in kept:
                outputs[first : first + real, kept.index(epoch)] = np.asarray(every)[:real]
            if on_progress:
                on_progress(real)
        sums[:, epoch] = np.asarray(total)
    return Reduced(found, sums, outputs)


def _reduce(
    apply: Apply,
    action: OutputAction | None,
    shape: tuple[int, int],
    metrics: tuple[str, ...],
    total: Float[Array, "R N G K"],
    parameters: Any,
    weights: Float[Array, "R m"],
    batches: Float[Array, "B b ..."],
    labels: Any,
) -> tuple[Array, dict[str, Any], Float[Array, "m N G K"]]:
    """Returns the sums with a group of members added to them, its metrics [m, N], and its outputs."""
    parts = jax.lax.map(lambda batch: jax.vmap(apply, (0, None))(parameters, batch), batches)
    flat = jnp.moveaxis(parts, 1, 0).reshape(parts.shape[1], -1, parts.shape[-1])
    # Metrics are written for NumPy and for JAX.
    outputs: Any = flat[:, : shape[0] * shape[1]].reshape(-1, *shape, parts.shape[-1])
    values = {name: member_metric(name)(outputs, labels, action) for name in metrics}
    return total + jnp.tensordot(weights, outputs, 1), values, outputs
