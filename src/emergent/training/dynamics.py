"""One way to learn the dynamics of a pendulum: networks trained on pieces of trajectories, and followed for long.

In: the stage of an arm. Out: for a block of trials the errors of rollouts, of single networks and of ensembles. The
engine trains all networks of a block as members of one program; what is here is how they learn.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on a double pendulum of springs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.dynamics_training import DynamicsStage, PieceDescent, Trajectories
from emergent.config.training import Training
from emergent.dynamics.springs import STATE
from emergent.dynamics.trajectories import draw_pieces
from emergent.models.scalar_dynamics import scalar_products
from emergent.models.size import multiplications
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.dynamics_methods import (
    LearnedDynamics,
    draw_about_z,
    make_dynamics,
    move_states,
    piece_error,
)
from emergent.training.dynamics_tests import Rollouts, require_equivariant
from emergent.training.engine import default_strategy, train_members
from emergent.training.motion_trials import divergence_words, named_trial, of_trial
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner

# All arms learn from the same trajectories, and are tested with the same elements of the group.
DATA, ELEMENTS = "data", "elements"


class Pieces(NamedTuple):
    """Resident data of T trials.

    Attributes:
        train: pieces of trajectories [T, N, P, 12].
    """

    train: Float[JaxArray, "T N P 12"]

    def example(self) -> Float[JaxArray, "1 12"]:
        """Returns one state."""
        return self.train[0, :1, 0]


class Held(NamedTuple):
    """What a network has beside its parameters: which trial's pieces it sees, and the span of the scalars in them."""

    trial: JaxArray
    span: Float[JaxArray, "2"]


def draw_trial(stage: DynamicsStage, trial: int) -> tuple[Float[np.ndarray, "N P 12"], Float[np.ndarray, "S T 12"]]:
    """Returns the pieces that a trial learns from, and the true trajectories of its test, alike for all arms.

    These begin where pieces of further trajectories do, at random times of theirs.

    Raises:
        DataError: a trajectory leaves the range of numbers (names trial, arm, trajectory and time).
    """
    given = stage.trajectories
    key = member_key(stage.seed, stage.experiment, DATA, trial, "initialise")
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    num = given.num_test + given.num_train
    with named_trial(stage.arm, trial):
        pieces, followed = draw_pieces(num, given.num_times, given.piece, given.interval, given.tolerance, generator)
    return pieces[given.num_test :], followed[: given.num_test]


def learner(method: LearnedDynamics, given: Trajectories, train: PieceDescent) -> Learner:
    """Returns how networks learn: by the mean squared error of pieces, integrated from their first points."""
    rate: Any = train.learning_rate
    if train.milestones:
        # Optax multiplies by one factor after another, and settings say what all of them are together.
        changes = zip(train.milestones, train.factors, (1.0, *train.factors[:-1]), strict=True)
        rate = optax.piecewise_constant_schedule(rate, {step: factor / before for step, factor, before in changes})

    def initialise(key: JaxArray, sample: JaxArray, held: Any) -> tuple[Any, Held]:
        del sample
        return method.initialise(key), held

    def gradient(
        parameters: Any, held: Held, data: Pieces, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        del indices
        pieces = data.train[held.trial]
        if method.augmented:
            pieces = move_states(pieces, draw_about_z(key, len(pieces)))

        def loss(parameters: Any) -> JaxArray:
            return piece_error(method.field(parameters, held.span), pieces, given.interval, train.integration_steps)

        return jax.value_and_grad(loss)(parameters)

    # Observed at every step, so that one that leaves the range of numbers is named with its own.
    return Learner(initialise, gradient, optax.adam(rate), observe=lambda parameters, held, loss: loss)


def program(stage: DynamicsStage, method: LearnedDynamics, vectorised: bool) -> Program:
    """Returns the program that trains networks."""
    train = stage.train
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=train.learning_rate,
        batch_size=None,
        num_epochs=train.num_epochs,
        matmul_precision=train.matmul_precision,
    )
    return Program(settings, learner(method, stage.trajectories, train), stage.trajectories.num_train, vectorised)


def training_multiplications(stage: DynamicsStage, method: LearnedDynamics) -> float:
    """Returns the multiplications in matrix products of the training of one network."""
    given, train = stage.trajectories, stage.train
    pieces = jax.ShapeDtypeStruct((given.num_train, given.piece, STATE), jnp.float32)
    parameters = jax.eval_shape(method.initialise, jax.random.key(0))

    def loss(parameters: Any, pieces: JaxArray) -> JaxArray:
        return piece_error(method.field(parameters, jnp.zeros(2)), pieces, given.interval, train.integration_steps)

    return float(train.num_epochs * multiplications(jax.grad(loss), parameters, pieces))


def dynamics_arrays(
    stage: DynamicsStage,
    trials: Sequence[int],
    on_progress: Callable[[int], None] | None = None,
    vectorised: bool | None = None,
) -> dict[str, Array]:
    """Returns the errors of a block of trials as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        on_progress: called with the number of network-steps just finished.
        vectorised: networks of a block train together; None chooses by backend.

    Raises:
        DataError: a loss is not finite (names trial, network and step), a true trajectory leaves the range of numbers,
            or a network that is called equivariant is not (names trial and network).
    """
    vectorised = default_strategy() == "block" if vectorised is None else vectorised
    method, networks = make_dynamics(stage.family, stage.network), stage.network.networks
    drawn = [draw_trial(stage, trial) for trial in trials]
    data = Pieces(jnp.asarray(np.stack([learnt for learnt, _ in drawn]), jnp.float32))
    members = tuple(trial * networks + index for trial in trials for index in range(networks))
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    keys = [member_key(stage.seed, stage.experiment, ELEMENTS, trial, "augment") for trial in trials]
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        spans = jax.jit(jax.vmap(lambda pieces: _span(pieces[:, 0])))(data.train)
        start = jax.jit(jax.vmap(method.initialise))(member_keys(names, jnp.asarray(members)).initialise)
        before = require_equivariant(stage, method, trials, start, spans, data.train[:, :, 0], keys)
    held = Held(jnp.repeat(jnp.arange(len(trials)), networks), jnp.repeat(spans, networks, 0))
    words = partial(divergence_words, stage.arm, networks, stage.train.learning_rate)
    result = train_members(
        program(stage, method, vectorised), names, members, data, words, len(members),
        on_progress, given=held,
    )  # fmt: skip
    parameters = from_flat(start, {name: value[-1] for name, value in result.parameters.items()})
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        rollouts = Rollouts(stage, method)
        found = [
            rollouts.test(of_trial(parameters, index, networks), spans[index], truth, keys[index])
            for index, (_, truth) in enumerate(drawn)
        ]
    stored = _stored(stage, trials, before, start, result.observed, found, drawn[0][1])
    work = np.asarray([training_multiplications(stage, method)])
    return stored | {"multiplications": Array(work, ("one",), "1", "in matrix products, training one network")}


def _span(states: Float[JaxArray, "N 12"]) -> Float[JaxArray, "2"]:
    scalars = scalar_products(states)
    return jnp.stack([scalars.min(), scalars.max()])


def _stored(
    stage: DynamicsStage,
    trials: Sequence[int],
    before: Float[np.ndarray, " T"],
    start: Any,
    losses: Float[np.ndarray, "steps members"],
    found: Sequence[Any],
    truth: Float[np.ndarray, "S T 12"],
) -> dict[str, Array]:
    def stacked(name: str) -> np.ndarray:
        return np.stack([getattr(one, name) for one in found])

    dims, shown = ("member", "ensemble_size"), slice(0, stage.trajectories.shown)
    by_time = (*dims, "time")
    num_parameters = sum(leaf[0].size for leaf in jax.tree.leaves(start))
    last = losses[-1].reshape(len(trials), -1).mean(1)
    pictured = ("trajectory", "time", "state")
    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        "ensemble_sizes": Array(np.asarray(stage.ensemble_sizes), ("ensemble_size",), "1", "networks averaged"),
        "score": Array(
            stacked("score"), dims, "1", "relative error of rollouts, geometric mean over trajectories and times"
        ),
        "error_by_time": Array(stacked("by_time"), by_time, "1", "the same over trajectories"),
        "momentum_error": Array(stacked("momentum"), dims, "1", "relative change of angular momentum, in the same way"),
        "equivariance_error": Array(stacked("equivariance"), dims, "1", "of velocities under O(2) about z"),
        "lost": Array(stacked("lost"), dims, "1", "fraction of rollouts that left the range of numbers"),
        "loss": Array(last, ("member",), "1", "training loss before the last step, mean over networks"),
        "initial_equivariance_error": Array(
            before, ("member",), "1", "before training, largest of networks; -1 where none is due"
        ),
        "num_parameters": Array(np.asarray([num_parameters]), ("one",), "1", "of one network"),
        "rollouts": Array(found[0].states[shown], pictured, "1", "of the first network of the block's first trial"),
        "true_rollouts": Array(truth[shown], pictured, "1", "the true ones"),
    }
