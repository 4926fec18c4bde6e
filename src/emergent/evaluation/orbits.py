"""Evaluation of trained members on the orbits of evaluation sets, streamed and reduced to what metrics need.

For every member and checkpoint the logits of one orbit chunk exist at a time. Kept are metrics per member and sample,
and sums of outputs over the runs of members that make up ensembles (``emergent.statistics.ensembles``).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from emergent.config.models import NetworkModel
from emergent.domains.samples import Samples
from emergent.groups.images import ImageAction, orbit
from emergent.metrics.registry import member_metric
from emergent.models.registry import build
from emergent.statistics.ensembles import Run, runs_in_block
from emergent.storage import Array

SAMPLE_DIMS = ("member", "epoch", "sample")
SUM_DIMS = ("run", "epoch", "sample", "element", "output")
OUTPUT_DIMS = ("member", "output_epoch", "sample", "element", "output")
Forward = Callable[[Any, jax.Array], jax.Array]
# Float32, where the default of recent accelerators is less: metrics look at small differences, and blocks evaluated on
# different machines belong to one pool.
MATMUL_PRECISION = "highest"
# Inputs per forward pass where none is configured: small batches stay in a processor's caches, accelerators want work.
CPU_BATCH, ACCELERATOR_BATCH = 128, 8192


def unflatten(parameters: Mapping[str, np.ndarray], epoch: int, member: int) -> Any:
    """Returns the parameter pytree of one member at one checkpoint from arrays [E, M, ...]."""
    return traverse_util.unflatten_dict({name: value[epoch, member] for name, value in parameters.items()}, sep="/")


@jax.jit
def _orbits(action: ImageAction, inputs: jax.Array) -> jax.Array:
    return jnp.swapaxes(orbit(action, inputs), 0, 1)


def orbit_inputs(samples: Samples, action: ImageAction) -> jax.Array:
    """Returns the inputs [N, G, H, W, C] on the orbits."""
    return _orbits(action, jnp.asarray(samples.inputs))


class OrbitPredictor:
    """Runs one architecture on a fixed set of orbits, in batches of equal shape so that it compiles once."""

    def __init__(self, apply: Forward, inputs: jax.Array, batch_size: int | None) -> None:
        """Lays out the orbits in batches.

        Args:
            apply: parameters and inputs [B, H, W, C] to outputs [B, K], compiled; predictors of several sets share it.
            inputs: [N, G, H, W, C].
            batch_size: inputs per forward pass; None chooses by backend.
        """
        self._shape = inputs.shape[:2]
        # Cut up by NumPy: every operation on arrays of JAX outside a compiled function is compiled for itself.
        flat = np.asarray(inputs).reshape(-1, *inputs.shape[2:])
        self._num = flat.shape[0]
        default = CPU_BATCH if jax.default_backend() == "cpu" else ACCELERATOR_BATCH
        size = min(batch_size or default, self._num)
        flat = np.pad(flat, ((0, -self._num % size), *[(0, 0)] * (flat.ndim - 1)))
        self._batches = [jnp.asarray(batch) for batch in flat.reshape(-1, size, *flat.shape[1:])]
        self._apply = apply

    def __call__(self, parameters: Any) -> np.ndarray:
        """Returns the outputs [N, G, K] of one member."""
        with jax.default_matmul_precision(MATMUL_PRECISION):
            outputs = [self._apply(parameters, batch) for batch in self._batches]
        return np.concatenate([np.asarray(part) for part in outputs])[: self._num].reshape(*self._shape, -1)


def evaluate_set(
    predict: Callable[[Any], np.ndarray],
    parameters: Mapping[str, np.ndarray],
    members: tuple[int, ...],
    labels: np.ndarray | None,
    metrics: tuple[str, ...],
    runs: list[Run],
    kept: tuple[int, ...] = (),
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Returns the reduced outputs of a block of members on one evaluation set.

    Args:
        predict: parameters of a member to outputs [N, G, K].
        parameters: flat name to [E, M, ...].
        members: indices of the block's members over the whole ensemble, consecutive.
        labels: [N], or None where metrics need none.
        metrics: names in ``emergent.metrics.registry.MEMBER_METRICS``.
        runs: ranges of members whose outputs are summed.
        kept: positions of the checkpoints at which every member's outputs are kept.
        on_progress: called with the number of member-checkpoints just finished.

    Returns:
        ``metric/<name>`` [M, E, N], ``sums`` [R, E, N, G, K] float32 with ``runs`` [R, 2], and ``outputs``
        [M, E', N, G, K] float32 if any are kept.
    """
    num_epochs = next(iter(parameters.values())).shape[0]
    sums: np.ndarray | None = None
    stored = np.zeros(0, np.float32)
    reduced: dict[str, np.ndarray] = {}
    for position, member in enumerate(members):
        for epoch in range(num_epochs):
            outputs = predict(unflatten(parameters, epoch, position))
            if sums is None:
                sums = np.zeros((len(runs), num_epochs, *outputs.shape), np.float32)
                shape = (len(members), num_epochs, outputs.shape[0])
                reduced = {name: np.zeros(shape, member_metric(name).dtype) for name in metrics}
                stored = np.zeros((len(members), len(kept), *outputs.shape), np.float32)
            if epoch in kept:
                stored[position, kept.index(epoch)] = outputs
            for name in metrics:
                reduced[name][position, epoch] = member_metric(name)(outputs, labels, None)
            for index, (start, stop) in enumerate(runs):
                if start <= member < stop:
                    sums[index, epoch] += outputs
            if on_progress:
                on_progress(1)
    assert sums is not None
    arrays = {f"metric/{name}": Array(value, SAMPLE_DIMS) for name, value in reduced.items()}
    arrays["sums"] = Array(sums, SUM_DIMS, "1", "outputs summed over the members of each run")
    arrays["runs"] = Array(np.asarray(runs, np.int64).reshape(-1, 2), ("run", "bound"), "1", "members [start, stop)")
    if kept:
        arrays["outputs"] = Array(stored, OUTPUT_DIMS, "1", "outputs of every member")
    return arrays


def evaluate_block(
    model: NetworkModel,
    block: tuple[Mapping[str, np.ndarray], tuple[int, ...], tuple[int, ...]],
    samples: Mapping[str, Samples],
    actions: Mapping[str, ImageAction],
    settings: Mapping[str, Any],
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Returns the reduced outputs of a block on all evaluation sets, as arrays to be stored.

    Args:
        model: architecture.
        block: parameters [E, M, ...] by name, member indices, epochs.
        samples: evaluation sets by name.
        actions: for each set the group on whose orbits the network is evaluated.
        settings: the ``evaluate`` section of the stage configuration.
        on_progress: called with the number of member-checkpoints just finished.
    """
    parameters, members, epochs = block
    first, stop = members[0], members[-1] + 1
    runs = set(runs_in_block(tuple(settings["ensemble_sizes"]), settings["max_ensembles"], first, stop))
    runs |= {(first, stop)} if settings["whole_blocks"] else set()
    kept = tuple(epochs.index(epoch) for epoch in settings["output_epochs"])
    arrays = {
        "members": Array(np.asarray(members), ("member",), "1", "index over the whole ensemble"),
        "epochs": Array(np.asarray(epochs), ("epoch",), "epochs", "training time"),
    }
    apply = jax.jit(build(model).apply)
    for name, part in samples.items():
        predict = OrbitPredictor(apply, orbit_inputs(part, actions[name]), settings["batch_size"])
        metrics = tuple(
            m for m in settings["member_metrics"] if not member_metric(m).needs_labels or part.labels is not None
        )
        reduced = evaluate_set(predict, parameters, members, part.labels, metrics, sorted(runs), kept, on_progress)
        if kept:
            arrays[f"{name}/output_epochs"] = Array(
                np.asarray(settings["output_epochs"]), ("output_epoch",), "epochs", "when outputs were kept"
            )
        arrays |= {f"{name}/{key}": value for key, value in reduced.items()}
        if part.labels is not None:
            arrays[f"{name}/labels"] = Array(part.labels, ("sample",), "1", "class labels")
    return arrays
