"""Risks of linear estimators under groups of permutations, over many drawn training sets, in float64.

In: the stage of an arm. Out: for every member mean excess risks, by size, estimator and group; test errors of its first
training set, one trial of the published figure; and how far augmentation is from projection.

Systems are small and there are many of them: NumPy solves them in stacks, and nothing but the descent is compiled.

References:
    S. Villar's talk "Exact and approximate symmetries in machine learning models": risk gap, linear regression.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.risk_gap import ESTIMATORS, Descent, GapStage, LinearTask
from emergent.groups.permutations import cluster_generators
from emergent.linear.equivariant import Symmetry, averaging, dimension_by_characters
from emergent.prng import member_key
from emergent.storage import Array

TRUTH = "truth"
AT_A_TIME = 1000
"""Training sets in memory."""

Stack = Float[np.ndarray, "... R C"]
"""Matrices, one for each training set."""


class Means(NamedTuple):
    """Averages over a group, and a basis of its maps.

    Attributes:
        maps: [D K, D K], Psi_G on weights, row by row.
        pairs: [D D, D D], the mean over moved second moments.
        basis: [B, D, K], one on each orbit of weights, zero elsewhere: the equivariant maps are its sums.
    """

    maps: Float[np.ndarray, "DK DK"]
    pairs: Float[np.ndarray, "DD DD"]
    basis: Float[np.ndarray, "B D K"]

    @classmethod
    def of(cls, symmetry: Symmetry) -> "Means":
        """Returns the averages over a group."""
        numbers = symmetry.on_maps
        basis = (np.unique(numbers)[:, None] == numbers).astype(float)
        shaped = basis.reshape(len(basis), len(symmetry.on_points), -1)
        return cls(averaging(numbers), averaging(symmetry.on_pairs), shaped)

    def project(self, weights: Stack) -> Stack:
        """Returns Psi_G of weights [..., D, K]."""
        return _mean(weights, self.maps)


def _mean(matrices: Stack, mean: Float[np.ndarray, "P P"]) -> Stack:
    return (matrices.reshape(*matrices.shape[:-2], -1) @ mean.T).reshape(matrices.shape)


def symmetries(task: LinearTask) -> dict[str, Symmetry]:
    """Returns the symmetry of each group of a task."""
    return {name: Symmetry.of(cluster_generators(group.clusters), task.outputs) for name, group in task.groups.items()}


def draw_truth(task: LinearTask, seed: int) -> Float[np.ndarray, "D K"]:
    """Returns the weights of the truth; those that are drawn depend on the seed alone."""
    shape = (task.dimension, task.num_outputs)
    # In float32, so that it does not matter whether x64 is on.
    key = member_key(seed, TRUTH, task.outputs, 0, "initialise")
    drawn = np.asarray(jax.random.normal(key, shape, jnp.float32), np.float64)
    if task.truth is not None:
        given = np.array([np.nan if weight is None else weight for weight in task.truth]).reshape(shape)
        drawn = np.where(np.isnan(given), drawn, given)
    return drawn / np.linalg.norm(drawn) if task.unit else drawn


def least_squares(inputs: Stack, targets: Stack) -> Stack:
    """Returns the weights of least squares [..., D, K], of inputs [..., N, D] of full rank."""
    # By QR: normal equations would square the condition number.
    basis, triangle = np.linalg.qr(inputs)
    return np.linalg.solve(triangle, basis.mT @ targets)


def augmented(inputs: Stack, targets: Stack, means: Means) -> Stack:
    """Returns the weights of least squares on all permuted copies of the samples, none of which is made.

    Their second moments are the means over the group of those of the samples.
    """
    return np.linalg.solve(_mean(inputs.mT @ inputs, means.pairs), means.project(inputs.mT @ targets))


def tied_system(
    inputs: Stack, targets: Stack, means: Means
) -> tuple[Float[np.ndarray, "... B B"], Float[np.ndarray, "... B"]]:
    """Returns matrix and right side of the normal equations of least squares among the equivariant maps."""
    moved = np.einsum("...de,bek->...bdk", inputs.mT @ inputs, means.basis)
    system = np.einsum("adk,...bdk->...ab", means.basis, moved)
    return system, np.einsum("bdk,...dk->...b", means.basis, inputs.mT @ targets)


def tied(inputs: Stack, targets: Stack, means: Means) -> Stack:
    """Returns the weights of least squares among the equivariant maps."""
    system, right = tied_system(inputs, targets, means)
    return np.tensordot(np.linalg.solve(system, right[..., None])[..., 0], means.basis, 1)


@partial(jax.jit, static_argnames="settings")
def descend(
    system: Float[JaxArray, "R B B"], right: Float[JaxArray, "R B"], start: Float[JaxArray, "R B"], settings: Descent
) -> Float[JaxArray, "R B"]:
    """Returns weights after some steps of full-batch gradient descent on mean squared errors.

    Args:
        system: second moments of what the weights multiply, means over samples.
        right: mean products with the targets; the mean squared error is w' system w - 2 right' w, and a constant.
        start: first weights.
        settings: of the steps.
    """
    optimiser = optax.sgd(settings.learning_rate)

    def of_one(system: JaxArray, right: JaxArray, start: JaxArray) -> JaxArray:
        gradient = jax.grad(lambda weights: weights @ system @ weights - 2 * right @ weights)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            weights, state = carry
            updates, state = optimiser.update(gradient(weights), state, weights)
            return (optax.apply_updates(weights, updates), state), None

        (weights, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), None, settings.num_steps)
        return weights

    return jax.vmap(of_one)(system, right, start)


def _descended(inputs: Stack, targets: Stack, means: Means, start: np.ndarray, settings: Descent) -> Stack:
    """Returns the weights of gradient descent on tied weights, from uniform ones [R, D]."""
    num, most = len(means.basis), start.shape[1]
    # Filled up with weights that move nothing, so that all groups are one program.
    fill = most - num
    system, right = tied_system(inputs, targets, means)
    system = np.pad(system / inputs.shape[1], ((0, 0), (0, fill), (0, fill)))
    right = np.pad(right / inputs.shape[1], ((0, 0), (0, fill)))
    return np.tensordot(np.asarray(descend(system, right, start, settings))[:, :num], means.basis, 1)


class Found(NamedTuple):
    """What training sets give, one on each row.

    Attributes:
        excess: [R, estimators, groups], risk above the noise.
        test_error: [R, estimators, groups], mean squared error per sample on test samples.
        asymmetry: [R, groups], distance of augmented weights from their projection.
        from_tied: [R, groups], of augmented weights from tied ones.
        apart: [R, groups], of augmented weights from projected ones.
        apart_invariant: [R, groups], the same where the inputs' second moment is invariant.
    """

    excess: np.ndarray
    test_error: np.ndarray
    asymmetry: np.ndarray
    from_tied: np.ndarray
    apart: np.ndarray
    apart_invariant: np.ndarray


def _distance(left: Stack, right: Stack, plain: Stack) -> np.ndarray:
    """Returns how far weights are apart, in units of those of plain least squares; averages over a group may vanish."""
    return np.linalg.norm(left - right, axis=(-2, -1)) / np.linalg.norm(plain, axis=(-2, -1))


def training_sets(
    generator: np.random.Generator,
    num: int,
    size: int,
    truth: Float[np.ndarray, "D K"],
    means: Sequence[Means],
    stage: GapStage,
) -> Found:
    """Returns what some training sets of one size give.

    Args:
        generator: draws them.
        num: how many.
        size: n of each.
        truth: what they are samples of.
        means: of every group.
        stage: settings.
    """
    task, sampling, (dimension, outputs) = stage.task, stage.sampling, truth.shape
    draws = generator.standard_normal((num, size + sampling.num_test, dimension + outputs))
    inputs, noise = draws[:, :size, :dimension], task.noise_std * draws[:, :size, dimension:]
    targets = inputs @ truth + noise
    plain = least_squares(inputs, targets)
    # Of second moment one, which every group leaves as it is.
    white = np.linalg.qr(inputs)[0]
    white_targets = white @ truth + noise
    white_plain = least_squares(white, white_targets)
    weights, others = [], []
    for group in means:
        projected, solution = group.project(plain), augmented(inputs, targets, group)
        row = {"projected": projected, "tied": tied(inputs, targets, group), "augmented": solution}
        if "descent" in ESTIMATORS[task.outputs]:
            start = generator.uniform(size=(num, dimension))
            row["descent"] = _descended(inputs, targets, group, start, stage.descent)
        weights.append(np.stack([row[name] for name in ESTIMATORS[task.outputs]], 1))
        white_solution = augmented(white, white_targets, group)
        others.append((_distance(solution, group.project(solution), plain), _distance(solution, row["tied"], plain),
                       _distance(solution, projected, plain),
                       _distance(white_solution, group.project(white_plain), white_plain)))  # fmt: skip
    wrong = np.stack(weights, 2) - truth
    test_inputs, test_noise = draws[:, size:, :dimension], task.noise_std * draws[:, size:, dimension:]
    misses = np.einsum("rnd,regdk->regnk", test_inputs, wrong, optimize=True) - test_noise[:, None, None]
    distances = (np.stack(parts, 1) for parts in zip(*others, strict=True))
    return Found(np.square(wrong).sum((-2, -1)), np.square(misses).sum(-1).mean(-1), *distances)


def _member(seed: np.ndarray, truth: np.ndarray, means: Sequence[Means], stage: GapStage) -> dict[str, np.ndarray]:
    """Returns what one member finds, with the sizes on the first axis."""
    rows = []
    for size in stage.sampling.sizes:
        # A generator for each size, so that sizes are independent of each other.
        generator = np.random.default_rng([*seed.tolist(), size])
        left, parts = stage.sampling.num_draws, []
        while left:
            num = min(left, AT_A_TIME)
            parts.append(training_sets(generator, num, size, truth, means, stage))
            left -= num
        rows.append(_reduced(Found(*(np.concatenate(values) for values in zip(*parts, strict=True)))))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _reduced(found: Found) -> Mapping[str, np.ndarray]:
    return {
        "excess": found.excess.mean(0),
        "median": np.median(found.excess, 0),
        "trial": found.test_error[0],
        "asymmetry": found.asymmetry.max(0),
        "from_tied": found.from_tied.max(0),
        "apart": found.apart.mean(0),
        "apart_invariant": found.apart_invariant.max(0),
    }


BY_ESTIMATOR = {
    "excess": "risk above the noise, mean over training sets",
    "median": "the same, median over training sets",
    "trial": "mean squared error on test samples, first training set",
}
BY_GROUP = {
    "asymmetry": "augmented weights from their projection, largest",
    "from_tied": "augmented weights from tied ones, largest",
    "apart": "augmented weights from projected ones, mean",
    "apart_invariant": "the same for inputs of invariant second moment, largest",
}


def risk_arrays(stage: GapStage, members: Sequence[int]) -> dict[str, Array]:
    """Returns risks of a block of members as arrays to be stored; x64 must be on.

    Args:
        stage: settings of one arm.
        members: indices over all repetitions.
    """
    task, truth, known = stage.task, draw_truth(stage.task, stage.seed), symmetries(stage.task)
    means = [Means.of(symmetry) for symmetry in known.values()]
    keys = [member_key(stage.seed, stage.experiment, stage.arm, member, "initialise") for member in members]
    found = [_member(np.asarray(jax.random.key_data(key)), truth, means, stage) for key in keys]
    characters = [
        dimension_by_characters(cluster_generators(group.clusters), task.outputs) for group in task.groups.values()
    ]
    bias = [float(np.square(truth - group.project(truth)).sum()) for group in means]
    facts = {
        "members": Array(np.asarray(members), ("member",), "1", "index over all repetitions"),
        "truth": Array(truth, ("input", "output"), "1", "weights that are learnt"),
        "dimension": Array(np.array([own.dimension for own in known.values()]), ("group",), "1", "orbits of weights"),
        "characters": Array(np.array(characters), ("group",), "1", "mean product of characters"),
        "bias": Array(np.array(bias), ("group",), "1", "squared distance of the truth from the equivariant maps"),
    }
    axes = {**dict.fromkeys(BY_ESTIMATOR, ("member", "size", "estimator", "group")),
            **dict.fromkeys(BY_GROUP, ("member", "size", "group"))}  # fmt: skip
    words = BY_ESTIMATOR | BY_GROUP
    runs = {name: Array(np.stack([row[name] for row in found]), axes[name], "1", words[name]) for name in words}
    return facts | runs
