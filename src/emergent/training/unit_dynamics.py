"""One way to learn the dynamics of many pendulums: networks trained on pieces of trajectories, and followed for long.

In: the stage of an arm. Out: for a block of trials the errors of rollouts in three tests, of single networks and of
ensembles. The engine trains all networks of a block as members of one program; what is here is how they learn.

References:
    arXiv 2204.00887, experiment on a double pendulum of springs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float, PRNGKeyArray

from emergent.config.training import Training
from emergent.config.unit_dynamics_training import TESTS, UnitStage
from emergent.dynamics.integrators import runge_kutta
from emergent.dynamics.springs import Springs
from emergent.models.unit_energies import Scaling
from emergent.storage import Array
from emergent.training.engine import default_strategy, train_members
from emergent.training.motion_trials import divergence_words, of_trial
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner
from emergent.training.unit_dynamics_data import draw_trial
from emergent.training.unit_dynamics_methods import UnitMethod
from emergent.training.unit_dynamics_tests import UnitTests, require_equivariant
from emergent.training.work import batch_training_multiplications


class Pieces(NamedTuple):
    """Resident data of R trials.

    Attributes:
        states: pieces of trajectories [R, N, P, 12].
        springs: constants of their pendulums [R, N, ...].
    """

    states: Float[JaxArray, "R N P 12"]
    springs: Springs

    def example(self) -> tuple[Float[JaxArray, "1 12"], Springs]:
        """Returns one state and its pendulum."""
        return self.states[0, :1, 0], Springs(*(part[0, :1] for part in self.springs))


class Held(NamedTuple):
    """What a network has beside its parameters: which trial's pieces it sees, and by what its inputs are scaled."""

    trial: JaxArray
    scaling: Scaling


def learner(method: UnitMethod, stage: UnitStage) -> Learner:
    """Returns how networks learn: by the mean squared error of pieces, integrated from their first points."""
    train, interval = stage.train, stage.pendulums.interval

    def initialise(key: JaxArray, sample: Any, held: Any) -> tuple[Any, Held]:
        del sample
        return method.initialise(key), held

    def gradient(
        parameters: Any, held: Held, data: Pieces, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        pieces = data.states[held.trial, indices]
        springs = Springs(*(part[held.trial, indices] for part in data.springs))
        change = method.draw(key, len(pieces)) if method.augmented else None

        def loss(parameters: Any) -> JaxArray:
            field = method.field(parameters, springs, held.scaling, change)
            found = runge_kutta(field, pieces[:, 0], pieces.shape[1], interval, train.integration_steps)
            return jnp.square(found - pieces).mean()

        value, slope = jax.value_and_grad(loss)(parameters)
        # The optimiser leaves such a step out; no other has a loss of exactly 0.
        return jnp.where(jnp.isfinite(optax.tree.norm(slope)), value, 0.0), slope

    def observe(parameters: Any, held: Held, loss: JaxArray) -> dict[str, JaxArray]:
        del held
        # At every step, so that one that leaves the range of numbers is named with its own.
        return {"loss": loss, "norm": optax.tree.norm(parameters)}

    optimiser = optax.chain(optax.clip_by_global_norm(train.largest_gradient), optax.adam(train.learning_rate))
    return Learner(initialise, gradient, optax.apply_if_finite(optimiser, train.left_out), observe=observe)


def program(stage: UnitStage, method: UnitMethod, vectorised: bool) -> Program:
    """Returns the program that trains networks."""
    train = stage.train
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=train.learning_rate,
        batch_size=train.batch_size,
        last_batch="keep",
        num_epochs=train.num_epochs,
        matmul_precision=train.matmul_precision,
    )
    return Program(settings, learner(method, stage), stage.pendulums.num_train, vectorised)


def unit_dynamics_arrays(
    stage: UnitStage,
    trials: Sequence[int],
    on_progress: Callable[[int], None] | None = None,
    vectorised: bool | None = None,
) -> dict[str, Array]:
    """Returns the errors of a block of trials as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        on_progress: called with the number of network-epochs just finished.
        vectorised: networks of a block train together; None chooses by backend.

    Raises:
        DataError: a loss is not finite (names trial, network and step), a true trajectory leaves the range of numbers,
            or a network that is called equivariant is not (names trial and network).
    """
    vectorised = default_strategy() == "block" if vectorised is None else vectorised
    method, networks = UnitMethod.of(stage.network), stage.network.networks
    drawn = [draw_trial(stage, trial) for trial in trials]
    data = Pieces(*jax.tree.map(_stacked, *((one.learnt, one.springs) for one in drawn)))
    members = tuple(trial * networks + index for trial in trials for index in range(networks))
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        keys = member_keys(names, jnp.asarray(members))
        trial_of = jnp.repeat(jnp.arange(len(trials)), networks)
        scalings = jax.jit(jax.vmap(lambda key, trial: _scaling(method, key, data, trial)))(keys.augment, trial_of)
        start = jax.jit(jax.vmap(method.initialise))(keys.initialise)
        tests = UnitTests(stage, method)
        before = require_equivariant(stage, method, tests, trials, start, scalings, drawn)
    words = partial(divergence_words, stage.arm, networks, stage.train.learning_rate)
    own, held = program(stage, method, vectorised), Held(trial_of, scalings)
    result = train_members(own, names, members, data, words, len(members), on_progress, given=held)
    parameters = from_flat(start, {name: value[-1] for name, value in result.parameters.items()})
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        found = [
            tests.run(of_trial(parameters, index, networks), of_trial(scalings, index, networks), trial)
            for index, trial in enumerate(drawn)
        ]
    first, beside = jax.eval_shape(lambda leaves: jax.tree.map(lambda leaf: leaf[0], leaves), (start, held))
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(first))
    num = stage.pendulums.num_train
    work = batch_training_multiplications(own.learner, own.training, num, first, beside, data)
    losses = result.observed["loss"].reshape(-1, len(trials), networks)
    last, left_out = result.losses[-1].reshape(len(trials), -1).mean(1), (losses == 0).mean((0, 2))
    dims = ("member", "test", "ensemble_size")

    def stacked(name: str) -> np.ndarray:
        return np.stack([getattr(one, name) for one in found])

    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        "tests": Array(np.arange(len(TESTS)), ("test",), "1", ", ".join(TESTS)),
        "ensemble_sizes": Array(np.asarray(stage.ensemble_sizes), ("ensemble_size",), "1", "networks averaged"),
        "score": Array(
            stacked("score"), dims, "1", "relative error of rollouts, geometric mean over trajectories and times"
        ),
        "error_by_time": Array(stacked("by_time"), (*dims, "time"), "1", "the same over trajectories"),
        "lost": Array(stacked("lost"), dims, "1", "fraction of rollouts that left the range of numbers"),
        "unit_error": Array(
            stacked("unit_error"), ("member", "ensemble_size"), "1", "of velocities under changes of the unit of mass"
        ),
        "loss": Array(last, ("member",), "1", "training loss in the last epoch, mean over networks"),
        "left_out": Array(left_out, ("member",), "1", "fraction of steps whose gradient was not finite"),
        "initial_unit_error": Array(
            before, ("member",), "1", "before training, largest of networks; -1 where none is due"
        ),
        "num_parameters": Array(np.asarray([num_parameters]), ("one",), "1", "of one network"),
        "multiplications": Array(np.asarray([work]), ("one",), "1", "in matrix products, training one network"),
    }


def _scaling(method: UnitMethod, key: PRNGKeyArray, data: Pieces, trial: JaxArray) -> Scaling:
    return method.scaling(key, data.states[trial, :, 0], Springs(*(part[trial] for part in data.springs)))


def _stacked(*parts: np.ndarray) -> JaxArray:
    return jnp.asarray(np.stack(parts), jnp.float32)
