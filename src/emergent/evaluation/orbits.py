"""Evaluation of trained members on the orbits of evaluation sets, streamed and reduced to what metrics need.

For every member and checkpoint the outputs on one set exist at a time. Kept are metrics per member and sample, sums of
outputs over the runs of members that make up ensembles (``emergent.statistics.ensembles``), and where resampling needs
them the outputs themselves. What samples and orbits are is known to the sets (``emergent.domains``) only.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from emergent.config.stages import EvaluateStage
from emergent.domains.arrays import ArrayOrbits
from emergent.domains.protocols import OrbitSet
from emergent.errors import ConfigError, DataError
from emergent.evaluation.forward import forward
from emergent.evaluation.vectorised import Reduced, can_vectorise, evaluate_vectorised
from emergent.metrics.output_actions import OutputAction
from emergent.metrics.registry import member_metric
from emergent.statistics.ensembles import Run, runs_in_block
from emergent.storage import Array

SAMPLE_DIMS = ("member", "epoch", "sample")
SUM_DIMS = ("run", "epoch", "sample", "element", "output")
OUTPUT_DIMS = ("member", "output_epoch", "sample", "element", "output")
ROTATION_DIMS = ("element", "row", "column")
POINT_DIMS = ("sample", "vector", "coordinate")


def unflatten(parameters: Mapping[str, np.ndarray], epoch: int, member: int) -> Any:
    """Returns the parameter pytree of one member at one checkpoint from arrays [E, M, ...]."""
    return traverse_util.unflatten_dict({name: value[epoch, member] for name, value in parameters.items()}, sep="/")


def usable_metrics(names: tuple[str, ...], part: OrbitSet, num_outputs: int, where: str) -> tuple[str, ...]:
    """Returns the metrics that a set has: all, but without labels none that use them.

    Args:
        names: in ``emergent.metrics.registry``.
        part: the set.
        num_outputs: of the network.
        where: name of the set, for messages.

    Raises:
        ConfigError: no metric has such a name, or it compares outputs that have no action of the group.
        DataError: labels beyond the outputs.
    """
    kept = []
    for name in names:
        metric = member_metric(name)
        if metric.needs_action and part.output_action is None:
            raise ConfigError(
                f"evaluate.member_metrics: {name} compares outputs that move with the inputs, but on set {where!r} the "
                f"group has no action on them; leave it out, or say with data.outputs how they move."
            )
        if metric.needs_labels and part.labels is None:
            continue
        if metric.needs_labels and part.labels is not None and part.labels.max(initial=0) >= num_outputs:
            raise DataError(
                f"evaluate.member_metrics: {name} on set {where!r}: labels reach {part.labels.max()}, but the network "
                f"has {num_outputs} outputs."
            )
        kept.append(name)
    return tuple(kept)


def evaluate_set(
    predict: Callable[[Any, int], np.ndarray],
    parameters: Mapping[str, np.ndarray],
    members: tuple[int, ...],
    labels: np.ndarray | None,
    metrics: tuple[str, ...],
    runs: list[Run],
    kept: tuple[int, ...] = (),
    on_progress: Callable[[int], None] | None = None,
    output_action: OutputAction | None = None,
) -> Reduced:
    """Returns the reduced outputs of a block of members on one evaluation set, one member after another.

    Args:
        predict: parameters of a member and its index to outputs [N, G, K].
        parameters: flat name to [E, M, ...].
        members: indices of the block's members over the whole ensemble, consecutive.
        labels: [N], or None where metrics need none.
        metrics: names in ``emergent.metrics.registry.MEMBER_METRICS``.
        runs: ranges of members whose outputs are summed.
        kept: positions of the checkpoints at which every member's outputs are kept.
        on_progress: called with the number of member-checkpoints just finished.
        output_action: how outputs should move with the inputs; None where that is not known.

    """
    num_epochs = next(iter(parameters.values())).shape[0]
    sums: np.ndarray | None = None
    stored = np.zeros(0, np.float32)
    reduced: dict[str, np.ndarray] = {}
    for position, member in enumerate(members):
        for epoch in range(num_epochs):
            outputs = predict(unflatten(parameters, epoch, position), member)
            if sums is None:
                sums = np.zeros((len(runs), num_epochs, *outputs.shape), np.float32)
                shape = (len(members), num_epochs, outputs.shape[0])
                reduced = {name: np.zeros(shape, member_metric(name).dtype) for name in metrics}
                stored = np.zeros((len(members), len(kept), *outputs.shape), np.float32)
            if epoch in kept:
                stored[position, kept.index(epoch)] = outputs
            for name in metrics:
                reduced[name][position, epoch] = member_metric(name)(outputs, labels, output_action)
            for index, (start, stop) in enumerate(runs):
                if start <= member < stop:
                    sums[index, epoch] += outputs
            if on_progress:
                on_progress(1)
    assert sums is not None
    return Reduced(reduced, sums, stored)


def stored_arrays(found: Reduced, runs: list[Run]) -> dict[str, Array]:
    """Returns ``metric/<name>`` [M, E, N], ``sums`` [R, E, N, G, K] with ``runs`` [R, 2], and ``outputs`` if kept."""
    arrays = {f"metric/{name}": Array(value, SAMPLE_DIMS) for name, value in found.metrics.items()}
    arrays["sums"] = Array(found.sums, SUM_DIMS, "1", "outputs summed over the members of each run")
    arrays["runs"] = Array(np.asarray(runs, np.int64).reshape(-1, 2), ("run", "bound"), "1", "members [start, stop)")
    if found.outputs.size:
        arrays["outputs"] = Array(found.outputs, OUTPUT_DIMS, "1", "outputs of every member")
    return arrays


def evaluate_block(
    stage: EvaluateStage,
    block: tuple[Mapping[str, np.ndarray], tuple[int, ...], tuple[int, ...]],
    sets: Mapping[str, OrbitSet],
    on_progress: Callable[[int], None] | None = None,
    vectorised: bool | None = None,
) -> dict[str, Array]:
    """Returns the reduced outputs of a block on all evaluation sets, as arrays to be stored.

    Args:
        stage: settings of the arm.
        block: parameters [E, M, ...] by name, member indices, epochs.
        sets: evaluation sets by name, on the orbits of their samples.
        on_progress: called with the number of member-checkpoints just finished.
        vectorised: many members at a time, on sets that allow it; None chooses by backend.
    """
    parameters, members, epochs = block
    vectorised = jax.default_backend() != "cpu" if vectorised is None else vectorised
    settings = stage.evaluate
    absent = sorted(set(settings.output_epochs) - set(epochs))
    if absent:
        raise DataError(
            f"arm {stage.arm}: no checkpoint at epoch {absent[0]}, whose outputs are kept; it has {epochs}."
        )
    first, stop = members[0], members[-1] + 1
    runs = set(runs_in_block(settings.ensemble_sizes, settings.max_ensembles, first, stop))
    # From these come the ensemble of all members, and what is left of it without one block.
    runs |= {(first, stop)} if settings.whole_blocks else set()
    kept = tuple(epochs.index(epoch) for epoch in settings.output_epochs)
    arrays = {
        "members": Array(np.asarray(members), ("member",), "1", "index over the whole ensemble"),
        "epochs": Array(np.asarray(epochs), ("epoch",), "epochs", "training time"),
        "num_parameters": Array(np.asarray([_num_parameters(parameters)]), ("one",), "1", "of one member"),
    }
    # Compiled once for all members and checkpoints: parameters are an argument.
    apply = forward(stage.model)
    # Float32 products, where the default of recent accelerators is less: metrics look at small differences, and blocks
    # evaluated on different machines belong to one pool. The layout of random numbers is pinned as in training.
    with jax.default_matmul_precision(stage.matmul_precision), jax.threefry_partitionable(True):
        for name, part in sets.items():
            metrics = usable_metrics(settings.member_metrics, part, stage.model.num_outputs, name)
            ordered = sorted(runs)
            fixed = part if vectorised and isinstance(part, ArrayOrbits) else None
            if fixed and can_vectorise(fixed, metrics, stage.model.num_outputs):
                found = evaluate_vectorised(apply, fixed, parameters, members, metrics, ordered, kept, on_progress)
            else:
                predict = partial(part.outputs, apply)
                found = evaluate_set(
                    predict, parameters, members, part.labels, metrics, ordered, kept, on_progress, part.output_action
                )
            reduced = stored_arrays(found, ordered)
            arrays |= {f"{name}/{key}": value for key, value in (reduced | _facts(stage, part)).items()}
    return arrays


def _num_parameters(parameters: Mapping[str, np.ndarray]) -> int:
    """Returns the parameters of one member, from those of a block [E, M, ...]."""
    return sum(math.prod(values.shape[2:]) for values in parameters.values())


def _facts(stage: EvaluateStage, part: OrbitSet) -> dict[str, Array]:
    """Returns what is stored of a set besides the outputs on it."""
    arrays, epochs = {}, stage.evaluate.output_epochs
    if epochs:
        arrays["output_epochs"] = Array(np.asarray(epochs), ("output_epoch",), "epochs", "when outputs were kept")
    if part.labels is not None:
        arrays["labels"] = Array(part.labels, ("sample",), "1", "class labels")
    elif part.targets is not None:
        arrays["targets"] = Array(part.targets, ("sample", "output"), "1", "what was to be predicted")
    if part.rotations is not None:
        arrays["rotations"] = Array(part.rotations, ROTATION_DIMS, "1", "elements of the orbits, the identity first")
    if part.points is not None:
        arrays["points"] = Array(part.points, POINT_DIMS, "1", "untransformed inputs")
    return arrays
