"""Learnt dynamics on test trajectories: rollouts of networks and ensembles, equivariance of their velocities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from emergent.config.dynamics_training import DynamicsStage
from emergent.dynamics.integrators import VectorField, runge_kutta
from emergent.dynamics.springs import angular_momentum
from emergent.groups.matrix_groups import matrix_group
from emergent.groups.tensors import TensorAction
from emergent.metrics.rollouts import MOMENTUM_CLAMP, geometric_mean, relative_error
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.training.built_in import NOT_DUE, require_built_in
from emergent.training.dynamics_methods import STATES, LearnedDynamics, draw_about_z, move_states
from emergent.training.motion_trials import of_trial


class Tested(NamedTuple):
    """What the networks of one trial give: by ensemble size, mean over disjoint ensembles (geometric of errors).

    Attributes:
        score: [E] error of rollouts.
        by_time: [E, T] the same at each time.
        momentum: [E] relative change of angular momentum.
        equivariance: [E] error of velocities under O(2) about z.
        lost: [E] fraction of rollouts that left the range of numbers.
        states: [S, T, 12] rollouts of the first network.
    """

    score: Float[np.ndarray, " E"]
    by_time: Float[np.ndarray, "E T"]
    momentum: Float[np.ndarray, " E"]
    equivariance: Float[np.ndarray, " E"]
    lost: Float[np.ndarray, " E"]
    states: Float[np.ndarray, "S T 12"]


def equivariance_error(
    field: VectorField, states: Float[Array, "N 12"], elements: Float[Array, "N 3 3"]
) -> Float[Array, ""]:
    """Returns RMS(f(g z) - g f(z)) / (RMS(f(g z)) + RMS(g f(z))) over states, with an element for each."""
    moved, expected = field(move_states(states, elements)), move_states(field(states), elements)

    def root(values: Array) -> Array:
        return jnp.sqrt(jnp.square(values).mean())

    return root(moved - expected) / (root(moved) + root(expected))


class Rollouts:
    """Rollouts from the starts of a trial, compiled once for every ensemble size."""

    def __init__(self, stage: DynamicsStage, method: LearnedDynamics) -> None:
        """Compiles nothing yet."""
        self._stage, self._method = stage, method
        self._run = jax.jit(self._compute)

    def _compute(
        self, parameters: Any, span: Float[Array, "2"], start: Float[Array, "S 12"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "S T 12"], Float[Array, ""]]:
        given, field = self._stage.trajectories, self._method.mean_field(parameters, span)
        found = runge_kutta(field, start, given.num_times, given.interval, given.rollout_steps)
        return found, equivariance_error(field, start, draw_about_z(key, len(start)))

    def test(
        self, parameters: Any, span: Float[Array, "2"], truth: Float[np.ndarray, "S T 12"], key: PRNGKeyArray
    ) -> Tested:
        """Returns the test of networks [M, ...] of a trial against its true trajectories."""
        networks, rows, first = self._stage.network.networks, [], None
        start = jnp.asarray(truth[:, 0])
        for size in self._stage.ensemble_sizes:
            row = []
            for begin, stop in disjoint_ensembles(size, networks):
                some = jax.tree.map(lambda leaf, begin=begin, stop=stop: leaf[begin:stop], parameters)
                states, asymmetry = map(np.asarray, self._run(some, span, start, key))
                first = states if first is None else first
                row.append(_errors(states, truth, float(asymmetry)))
            # Errors are of any size: their logarithms are averaged, apart from fractions.
            logs = [np.exp(np.mean([np.log(errors[i]) for errors in row], 0)) for i in range(4)]
            rows.append([*logs, np.mean([errors[4] for errors in row])])
        columns = [np.asarray(column) for column in zip(*rows, strict=True)]
        assert first is not None
        return Tested(*columns[:5], states=first)


def _errors(
    states: Float[np.ndarray, "S T 12"], truth: Float[np.ndarray, "S T 12"], asymmetry: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    errors = relative_error(states, truth)
    with np.errstate(invalid="ignore", over="ignore"):
        momenta = angular_momentum(states)
    changes = relative_error(momenta[..., None], np.broadcast_to(momenta[:, :1, None], (*momenta.shape, 1)))
    lost = ~np.isfinite(states).all((1, 2))
    return (
        geometric_mean(errors),
        geometric_mean(errors, axis=0),
        geometric_mean(changes, MOMENTUM_CLAMP),
        max(asymmetry, float(np.finfo(np.float32).tiny)),
        float(lost.mean()),
    )


def require_equivariant(
    stage: DynamicsStage,
    method: LearnedDynamics,
    trials: Sequence[int],
    parameters: Any,
    spans: Float[Array, "T 2"],
    states: Float[Array, "T N 12"],
    keys: Sequence[PRNGKeyArray],
) -> Float[np.ndarray, " T"]:
    """Returns the equivariance error of networks before training, under the group that they are built for.

    Args:
        stage: settings of the arm.
        method: how it learns.
        trials: indices over all trials.
        parameters: of all networks, [trials * networks, ...].
        spans: of the scalars of each trial.
        states: of each trial, at which velocities are compared.
        keys: of elements of the group, for each trial.

    Returns:
        The largest of each trial; -1 where they are built for none.

    Raises:
        DataError: it is above the tolerance; names trial and network.
    """
    if method.group is None:
        return np.full(len(trials), NOT_DUE)
    action, networks = TensorAction.of(matrix_group(method.group), STATES), stage.network.networks

    @jax.jit
    def of_networks(
        parameters: Any, span: Float[Array, "2"], states: Float[Array, "N 12"], key: PRNGKeyArray
    ) -> Float[Array, " M"]:
        elements = action.draw(key, len(states))
        return jax.lax.map(lambda one: equivariance_error(method.field(one, span), states, elements), parameters)

    own = [of_trial(parameters, index, networks) for index in range(len(trials))]
    errors = np.stack([np.asarray(of_networks(*given)) for given in zip(own, spans, states, keys, strict=True)])
    words = f"a vector field that is equivariant under {method.group}"
    require_built_in(stage.arm, words, stage.tolerance, trials, errors)
    return errors.max(1)
