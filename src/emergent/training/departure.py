"""Gradient descent from one equivariant point, three ways: equivariant, augmented and nominal.

In: the stage of an arm. Out: after every step of every run, how far the weights moved and how far they are from the
subspace E of weights that commute with the group. The engine takes the steps; what is here are network, data and moves.

References:
    arXiv 2303.13458, first version.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float, Int

from emergent.config.departure_training import MODES, BlockGraphs, DepartureStage, DepartureTask, Images, Mode, Shapes
from emergent.config.training import Training
from emergent.datasets.block_graphs import block_graphs
from emergent.datasets.shapes import CORNERS, shapes
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.groups.permutations import elements, pixel_generators, relabelling, relabelling_generators
from emergent.models.orbit_network import Orbits, OrbitWeights, difference, initial_weights, norm, outputs, project
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.engine import Divergence, train_members
from emergent.training.program import KeyNames, Program
from emergent.training.step import Learner, make_optimiser

# All ways of training start from the same point, on the same data.
START, DATA = "start", "data"
Loss = Callable[[JaxArray, JaxArray], JaxArray]
Curves = tuple[JaxArray, JaxArray, JaxArray]


class Problem(NamedTuple):
    """What is trained, apart from weights and data.

    Attributes:
        symmetry: orbits of the group.
        draw: key to an element of the group, uniformly, as a permutation [P] of the points.
        loss: outputs and targets to a number, averaged over samples.
        num_outputs: of the network, per sample or point.
    """

    symmetry: Orbits
    draw: Callable[[JaxArray], Int[JaxArray, " P"]]
    loss: Loss
    num_outputs: int


def connected_loss(logits: Float[JaxArray, "N 1"], labels: Int[JaxArray, " N"]) -> JaxArray:
    """Returns the mean binary cross-entropy."""
    return optax.sigmoid_binary_cross_entropy(logits[:, 0], labels.astype(logits.dtype)).mean()


def class_loss(logits: Float[JaxArray, "N K"], labels: Int[JaxArray, " N"]) -> JaxArray:
    """Returns the mean cross-entropy of the softmax of the softmax, as published."""
    return optax.softmax_cross_entropy_with_integer_labels(jax.nn.softmax(logits), labels).mean()


def mask_loss(logits: Float[JaxArray, "N P K"], masks: Float[JaxArray, "N P K"]) -> JaxArray:
    """Returns the binary cross-entropy, averaged over samples and points and summed over masks."""
    return optax.sigmoid_binary_cross_entropy(logits, masks).mean((0, 1)).sum()


def problem(task: DepartureTask, side: int) -> Problem:
    """Returns what is trained.

    Args:
        task: settings.
        side: of the square of pixels; not used for graphs.
    """
    if isinstance(task.inputs, BlockGraphs):
        nodes = 2 * task.inputs.block_size
        symmetry = Orbits.of(relabelling_generators(nodes))
        return Problem(symmetry, lambda key: relabelling(jax.random.permutation(key, nodes)), connected_loss, 1)
    generators = pixel_generators(task.group, side)
    table = jnp.asarray(elements(generators))

    def draw(key: JaxArray) -> JaxArray:
        # Uniform. The released code draws one number too many, so that the identity comes twice as often as the others.
        return table[jax.random.randint(key, (), 0, len(table))]

    if isinstance(task.inputs, Images):
        return Problem(Orbits.of(generators), draw, class_loss, task.inputs.num_classes)
    return Problem(Orbits.of(generators), draw, mask_loss, len(CORNERS))


def draw_data(task: DepartureTask, seed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs [N, P] and targets ([N], or [N, P, K] that move with the inputs) of one run."""
    generator = np.random.default_rng(seed)
    if isinstance(task.inputs, BlockGraphs):
        drawn = task.inputs
        graphs, labels = block_graphs(drawn.num, drawn.block_size, drawn.inside, drawn.across, generator)
        # Centred, as published.
        return graphs.reshape(drawn.num, -1) - np.float32(0.5), labels
    assert isinstance(task.inputs, Shapes)
    images, masks = shapes(task.inputs.num, task.inputs.side, float(task.inputs.absent), generator)
    return images.reshape(len(images), -1), masks.reshape(len(masks), -1, masks.shape[-1])


def pooled_images(samples: Samples, task: DepartureTask) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs [N, P] and labels [N] from a data set, averaged over boxes.

    Raises:
        DataError: no labels, several channels, or a number of samples that batches do not divide.
    """
    assert isinstance(task.inputs, Images)
    num, height, width, channels = samples.inputs.shape
    if samples.labels is None or channels != 1 or num % task.train.batch_size:
        raise DataError(
            f"expected labelled images of one channel, their number a multiple of batch_size "
            f"{task.train.batch_size}; found {num} of {channels} channel(s), "
            f"{'with' if samples.labels is not None else 'without'} labels."
        )
    pool = task.inputs.pool
    boxes = samples.inputs.reshape(num, height // pool, pool, width // pool, pool).mean((2, 4))
    return boxes.reshape(num, -1), samples.labels


def mean_gradient(
    objective: Callable[[OrbitWeights, JaxArray, JaxArray], JaxArray],
    weights: OrbitWeights,
    data: tuple[JaxArray, JaxArray],
    move: Callable[[JaxArray], Int[JaxArray, " P"]],
    num_batches: int,
    num_passes: int | JaxArray = 1,
) -> tuple[JaxArray, OrbitWeights]:
    """Returns loss and gradient, averaged over passes and batches.

    Args:
        objective: weights, inputs and targets to the loss.
        weights: where.
        data: inputs [N, P] and targets [N] or [N, P, K].
        move: number of a batch, counted through all passes, to the permutation of the points that it undergoes.
        num_batches: equal parts of the data in a pass.
        num_passes: over the data.
    """
    inputs, targets = (part.reshape(num_batches, -1, *part.shape[1:]) for part in data)

    def add(index: JaxArray, total: tuple[JaxArray, OrbitWeights]) -> tuple[JaxArray, OrbitWeights]:
        order, batch = move(index), index % num_batches
        seen = targets[batch]
        seen = seen[:, order] if seen.ndim == 3 else seen
        found = jax.value_and_grad(objective)(weights, inputs[batch][:, order], seen)
        return jax.tree.map(jnp.add, total, found)

    zero = (jnp.zeros((), inputs.dtype), jax.tree.map(jnp.zeros_like, weights))
    # A step looks at all data but holds one batch at a time.
    total = jax.lax.fori_loop(0, num_passes * num_batches, add, zero)
    return jax.tree.map(lambda value: value / (num_passes * num_batches), total)


class Moves(NamedTuple):
    """Resident data of one run and how it is trained on them; as arguments, so that all ways are one program.

    Attributes:
        inputs: [N, P].
        targets: [N], or [N, P, K] that move with the inputs.
        augmented: whether batches are moved, in several passes.
        projected: whether gradients are projected onto E.
    """

    inputs: Float[JaxArray, "N P"]
    targets: JaxArray
    augmented: JaxArray
    projected: JaxArray

    def example(self) -> Float[JaxArray, "1 P"]:
        """Returns the inputs of one sample."""
        return self.inputs[:1]


def projection(symmetry: Orbits) -> optax.GradientTransformationExtraArgs:
    """Returns the projection of gradients onto E, where the data ask for it."""

    def update(updates: Any, state: Any, params: Any = None, *, data: Moves, **further: Any) -> tuple[Any, Any]:
        del params, further
        # Of all layers; the released code leaves the gradient of the last one as it is.
        projected = jax.lax.cond(data.projected, lambda part: project(part, symmetry), lambda part: part, updates)
        return projected, state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def learner(task: DepartureTask, parts: Problem) -> Learner:
    """Returns how weights learn: from an equivariant point, which is held to measure how far they move."""
    steps, points = task.train, len(parts.symmetry.points)

    def initialise(key: JaxArray, sample: JaxArray, given: None) -> tuple[OrbitWeights, OrbitWeights]:
        del given
        start = initial_weights(key, task.network, parts.symmetry, parts.num_outputs, sample.dtype)
        return start, start

    def objective(weights: OrbitWeights, inputs: JaxArray, targets: JaxArray) -> JaxArray:
        return parts.loss(outputs(weights, inputs, task.network.normalise), targets)

    def gradient(
        weights: OrbitWeights, start: OrbitWeights, data: Moves, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, OrbitWeights]:
        del start, indices

        def move(number: JaxArray) -> JaxArray:
            return jnp.where(data.augmented, parts.draw(jax.random.fold_in(key, number)), jnp.arange(points))

        num_batches = len(data.inputs) // steps.batch_size
        num_passes = jnp.where(data.augmented, steps.num_passes, 1)
        return mean_gradient(objective, weights, (data.inputs, data.targets), move, num_batches, num_passes)

    def observe(weights: OrbitWeights, start: OrbitWeights, loss: JaxArray) -> Curves:
        rest = difference(weights, project(weights, parts.symmetry))
        # Of the model itself; the released code shows how far the augmented model moved in place of the nominal one.
        return norm(difference(weights, start)), norm(rest), loss

    optimiser = optax.chain(projection(parts.symmetry), make_optimiser("sgd", steps.learning_rate))
    return Learner(initialise, gradient, optimiser, observe)


def departure_arrays(
    stage: DepartureStage,
    members: Sequence[int],
    samples: Samples | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """Returns a trained block as arrays to be stored, [modes, steps, runs] with the modes in the order of ``MODES``.

    Args:
        stage: settings of one arm.
        members: indices over all runs.
        samples: the data set, where the inputs are its images.
        on_progress: called with the number of trainings just finished, ``len(MODES)`` for each run.

    Raises:
        DataError: the loss of a run is not finite (names run, mode and step), or the data set does not fit.
    """
    task = stage.task
    fixed = None if samples is None else jax.tree.map(jnp.asarray, pooled_images(samples, task))
    side = round(fixed[0].shape[1] ** 0.5) if fixed else getattr(task.inputs, "side", 0)
    # One step per look at all the data: an epoch is a step, and the named losses of the engine are not used.
    settings = Training(
        loss="mse",
        optimiser="sgd",
        learning_rate=task.train.learning_rate,
        batch_size=None,
        num_epochs=task.train.num_steps,
        matmul_precision=task.train.matmul_precision,
    )
    # One sample as far as the engine knows: each step reads all data by itself.
    program = Program(settings, learner(task, problem(task, side)), 1, vectorised=False)
    runs = []
    for member in members:
        ways = []
        for mode in MODES:
            inputs, targets = fixed or draw_data(task, _seed(stage, member))
            is_augmented, is_projected = jnp.asarray(mode == "augmented"), jnp.asarray(mode == "equivariant")
            moves = Moves(jnp.asarray(inputs), jnp.asarray(targets), is_augmented, is_projected)
            names = KeyNames(stage.seed, stage.experiment, f"{stage.arm}/{mode}", START)
            words = partial(_words, stage, mode)
            found = train_members(program, names, (member,), moves, words, 1)
            ways.append(np.stack([curve[:, 0] for curve in found.observed]))
            if on_progress:
                on_progress(1)
        runs.append(np.stack(ways, 1))
    curves = np.stack(runs, -1).astype(np.float32)
    dims = ("mode", "step", "member")
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all runs"),
        "moved": Array(curves[0], dims, "1", "distance from the start after every step"),
        "distance": Array(curves[1], dims, "1", "distance from the equivariant weights after every step"),
        "loss": Array(curves[2], dims, "1", "loss before every step, on the data of that step"),
    }


def _seed(stage: DepartureStage, member: int) -> np.ndarray:
    return np.asarray(jax.random.key_data(member_key(stage.seed, stage.experiment, DATA, member, "initialise")))


def _words(stage: DepartureStage, mode: Mode, found: Divergence) -> str:
    return (
        f"run {found.member} of arm {stage.arm}, {mode} training: the loss or the weights are not finite after step "
        f"{found.step}; nothing was written. Lower train.learning_rate ({stage.task.train.learning_rate})."
    )
