"""Networks that fill in the missing square of images, under nested groups of permutations of pixels.

In: the stage of an arm and its images. Out: for every run and group the test error at the best epoch on validation
images, how far the networks are from equivariant, the same of ensembles, and a few in-painted images. The engine takes
the steps.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.inpainting import InpaintingStage
from emergent.config.training import Training
from emergent.domains.inpainting import InpaintingData, Pool, Run, draw_run
from emergent.errors import DataError
from emergent.groups.blocks import draw_permutations, mirror, move
from emergent.models.block_network import block_network
from emergent.models.size import multiplications
from emergent.prng import member_key
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.storage import Array
from emergent.training.engine import Divergence, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner, batch_gradient, make_optimiser

# All arms of a run share its split and holes.
RUN, CHECK = "run", "check"
TEST_BATCH = 250
TINY = 1e-12


class Trained(NamedTuple):
    """Parameters of a network, and the best that it had so far.

    Attributes:
        network: as they are.
        best: those with the smallest error on validation images.
        steps: taken.
        best_step: after which they were best.
    """

    network: Any
    best: Any
    steps: JaxArray
    best_step: JaxArray


Validate = Callable[[Any, InpaintingData], JaxArray]
"""Parameters of a network and data to its error on validation images."""


def mean_squared(outputs: Float[JaxArray, "N P"], targets: Float[JaxArray, "N P"]) -> Float[JaxArray, ""]:
    """Returns the squared error, mean over pixels and images."""
    return jnp.square(outputs - targets).mean()


def keep_best(optimiser: optax.GradientTransformation, validate: Validate) -> optax.GradientTransformationExtraArgs:
    """Returns an optimiser of ``Trained.network`` that keeps the best parameters beside them."""

    def update(
        updates: Any, state: Any, params: Trained | None = None, *, data: InpaintingData, **further: Any
    ) -> tuple[Trained, Any]:
        del further
        assert params is not None
        moves, state = optimiser.update(updates, state, params.network)
        after = optax.apply_updates(params.network, moves)
        # Both are computed: an error that is kept would be a number to which differences are added, and lose digits.
        better = validate(after, data) < validate(params.best, data)
        change = jax.tree.map(lambda new, old: jnp.where(better, new - old, 0), after, params.best)
        later = jnp.where(better, params.steps + 1 - params.best_step, 0)
        return Trained(moves, change, jnp.ones_like(params.steps), later), state

    return optax.GradientTransformationExtraArgs(lambda params: optimiser.init(params.network), update)


def learner(module: nn.Module, learning_rate: float) -> Learner:
    """Returns how a network learns."""

    def objective(parameters: Any, held: Any, inputs: JaxArray, targets: JaxArray) -> JaxArray:
        del held
        return mean_squared(module.apply(parameters, inputs), targets)  # pyright: ignore[reportArgumentType]

    of_network = batch_gradient(objective)

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Trained, tuple[()]]:
        del given
        start = module.init(key, sample)
        return Trained(start, start, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)), ()

    def gradient(
        parameters: Trained, held: Any, data: InpaintingData, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        return of_network(parameters.network, held, data, indices, key)

    def validate(parameters: Any, data: InpaintingData) -> JaxArray:
        return objective(parameters, (), data.validation_inputs, data.validation_targets)

    return Learner(initialise, gradient, keep_best(make_optimiser("adam", learning_rate), validate))


def step_multiplications(module: nn.Module, data: InpaintingData) -> int:
    """Returns the multiplications in matrix products of one step of one network on all training images."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), data.example())
    return multiplications(
        jax.grad(lambda parameters, images: mean_squared(module.apply(parameters, images), images)),  # pyright: ignore[reportArgumentType]
        shapes,
        data.images,
    )


Apply = Callable[[Any, np.ndarray], np.ndarray]


def compiled(module: nn.Module) -> Apply:
    """Returns parameters and images [N, P] to outputs [N, P], some at a time."""
    forward = jax.jit(module.apply)

    def apply(parameters: Any, images: np.ndarray) -> np.ndarray:
        parts = [images[first : first + TEST_BATCH] for first in range(0, len(images), TEST_BATCH)]
        return np.concatenate([np.asarray(forward(parameters, part)) for part in parts])

    return apply


def require_equivariant(
    apply: Apply, parameters: Any, images: np.ndarray, stage: InpaintingStage, blocks: int, key: JaxArray
) -> float:
    """Returns the error of equivariance of a network that starts with it, relative to the size of its outputs.

    Raises:
        DataError: it is larger than the tolerance.
    """
    moved = draw_permutations(key, len(images), stage.data.side, blocks)
    found = relative_error(apply(parameters, np.asarray(move(images, moved))),
                           np.asarray(move(apply(parameters, images), moved)))  # fmt: skip
    if stage.network.reflected:
        turned = np.asarray(mirror(jnp.asarray(apply(parameters, images))))
        found = max(found, relative_error(apply(parameters, np.asarray(mirror(jnp.asarray(images)))), turned))
    if not found <= stage.tolerance:
        raise DataError(
            f"arm {stage.arm}, {blocks} blocks a side: expected a network that commutes with its group up to "
            f"{stage.tolerance:g}, found an error of {found:.3g} before training; nothing was written."
        )
    return found


def relative_error(left: np.ndarray, right: np.ndarray) -> float:
    """Returns the root mean square of a difference, relative to that of the second."""
    difference = np.square(left.astype(np.float64) - right).mean()
    return float(np.sqrt(difference / max(np.square(right.astype(np.float64)).mean(), TINY)))


class Tested(NamedTuple):
    """What the networks of one run and group give: by ensemble size m = 1 ... M, mean over disjoint ensembles.

    Attributes:
        error: [M] on test images.
        asymmetry: [M], relative error of equivariance under the measured group.
        validation: on validation images, mean over networks.
        best_step: mean over networks.
        start: error of equivariance under the own group before training, the largest.
        examples: [X, P] outputs of the ensemble of all.
    """

    error: np.ndarray
    asymmetry: np.ndarray
    validation: float
    best_step: float
    start: float
    examples: np.ndarray


def by_size(outputs: np.ndarray, moved: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns errors and asymmetries of ensembles of each size; the networks [M, N, P], moved ones back in place."""
    num = len(outputs)
    rows = []
    for size in range(1, num + 1):
        groups = [slice(*ensemble) for ensemble in disjoint_ensembles(size, num)]
        means = [(outputs[group].mean(0), moved[group].mean(0)) for group in groups]
        rows.append([
            (float(np.square(own - targets).mean()), relative_error(other, own)) for own, other in means
        ])  # fmt: skip
    columns = [np.mean(row, axis=0) for row in rows]
    return np.array([column[0] for column in columns]), np.array([column[1] for column in columns])


class _Group(NamedTuple):
    """Compiled functions of the networks under one group."""

    blocks: int
    program: Program
    apply: Apply


def _networks(stage: InpaintingStage, group: _Group, number: int, run: Run, advance: Callable[[int], None]) -> Tested:
    """Returns the test of all networks of one run under one group."""
    names = KeyNames(stage.seed, stage.experiment, f"{stage.arm}/{group.blocks}", f"{stage.arm}/{group.blocks}")
    check = member_key(stage.seed, stage.experiment, CHECK, number, "augment")
    moved = draw_permutations(check, len(run.test_inputs), stage.data.side, stage.measured)
    back = jnp.argsort(moved, -1)
    test_moved = np.asarray(move(jnp.asarray(run.test_inputs), moved))
    outputs, others, errors, steps, starts = [], [], [], [], []
    for index in range(number * stage.ensemble, (number + 1) * stage.ensemble):
        key = member_keys(names, jnp.asarray(index)).initialise
        start, _ = group.program.initialise(key, run.data.example(), None)
        few = run.test_inputs[: stage.examples]
        starts.append(require_equivariant(group.apply, start.parameters.network, few, stage, group.blocks, check))
        found = train_members(group.program, names, (index,), run.data, partial(_words, stage, group.blocks), 1)
        flat = {name: value[-1, 0] for name, value in found.parameters.items()}
        trained = from_flat(start.parameters, flat)
        outputs.append(group.apply(trained.best, run.test_inputs))
        others.append(np.asarray(move(jnp.asarray(group.apply(trained.best, test_moved)), back)))
        validated = group.apply(trained.best, np.asarray(run.data.validation_inputs))
        errors.append(np.square(validated - np.asarray(run.data.validation_targets)).mean())
        steps.append(float(trained.best_step))
        advance(1)
    error, asymmetry = by_size(np.stack(outputs), np.stack(others), run.test_targets)
    examples = np.mean(outputs, 0)[: stage.examples]
    return Tested(error, asymmetry, float(np.mean(errors)), float(np.mean(steps)), max(starts), examples)


def inpainting_arrays(
    stage: InpaintingStage, members: Sequence[int], pool: Pool, advance: Callable[[int], None] = lambda _: None
) -> dict[str, Array]:
    """Returns what a block of runs gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        members: indices over all runs.
        pool: images.
        advance: called with the number of networks just finished.

    Raises:
        DataError: a network diverges (names run, blocks and step), or one is not equivariant that should be.
    """
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=stage.train.learning_rate,
        batch_size=None,
        num_epochs=stage.train.num_epochs,
        matmul_precision=stage.train.matmul_precision,
    )
    rows, runs, work = [], [], []
    for number in members:
        key = member_key(stage.seed, stage.experiment, RUN, number, "initialise")
        seed = [int(word) for word in np.asarray(jax.random.key_data(key))]
        runs.append(draw_run(pool, stage.data, stage.permuted, seed))
    for blocks in stage.blocks:
        module = block_network(stage.network, blocks, stage.data.side)
        program = Program(settings, learner(module, stage.train.learning_rate),
                          runs[0].data.num_samples, vectorised=False)  # fmt: skip
        group = _Group(blocks, program, compiled(module))
        work.append(stage.train.num_epochs * step_multiplications(module, runs[0].data))
        rows.append([_networks(stage, group, number, run, advance) for number, run in zip(members, runs, strict=True)])

    def stored(name: str) -> np.ndarray:
        return np.stack([[getattr(found, name) for found in row] for row in rows], 1)

    few = slice(0, stage.examples)
    products = "in matrix products, training one network"
    dims = ("member", "group")
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all runs"),
        "blocks": Array(np.asarray(stage.blocks), ("group",), "1", "blocks a side"),
        "multiplications": Array(np.asarray(work, float), ("group",), "1", products),
        "error": Array(stored("error"), (*dims, "size"), "1", "mean squared error on test images by ensemble size"),
        "asymmetry": Array(stored("asymmetry"), (*dims, "size"), "1", "relative error of equivariance"),
        "validation": Array(stored("validation"), dims, "1", "mean squared error on validation images"),
        "best_step": Array(stored("best_step"), dims, "steps", "when parameters were kept"),
        "start": Array(stored("start"), dims, "1", "relative error of equivariance under the own group at the start"),
        "examples": Array(stored("examples"), (*dims, "image", "pixel"), "1", "in-painted images"),
        "targets": Array(np.stack([run.test_targets[few] for run in runs]), ("member", "image", "pixel"), "1", "whole"),
        "inputs": Array(np.stack([run.test_inputs[few] for run in runs]), ("member", "image", "pixel"), "1", "masked"),
    }


def _words(stage: InpaintingStage, blocks: int, found: Divergence) -> str:
    return (
        f"network {found.member} of arm {stage.arm}, {blocks} blocks a side: the training loss is {found.loss} by "
        f"epoch {found.epoch}; nothing was written. Lower train.learning_rate ({stage.train.learning_rate})."
    )
