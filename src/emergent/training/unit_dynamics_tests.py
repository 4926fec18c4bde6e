"""Learnt dynamics of many pendulums on their tests: rollouts of networks and ensembles, and changes of units."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from emergent.config.unit_dynamics_training import UnitStage
from emergent.dynamics.integrators import runge_kutta
from emergent.dynamics.springs import Springs, UnitChange
from emergent.metrics.rollouts import geometric_mean, relative_error
from emergent.models.unit_energies import Scaling
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.training.built_in import NOT_DUE, require_built_in
from emergent.training.motion_trials import of_trial
from emergent.training.unit_dynamics_data import Followed, Trial, mass_change
from emergent.training.unit_dynamics_methods import UnitMethod


class Tested(NamedTuple):
    """What the networks of one trial give: by test and ensemble size, a (geometric) mean over disjoint ones.

    Attributes:
        score: [Q, E] error of rollouts.
        by_time: [Q, E, T] the same at each time.
        lost: [Q, E] fraction of rollouts that left the range of numbers.
        unit_error: [E] error of velocities under changes of the unit of mass, as in the second test.
    """

    score: Float[np.ndarray, "Q E"]
    by_time: Float[np.ndarray, "Q E T"]
    lost: Float[np.ndarray, "Q E"]
    unit_error: Float[np.ndarray, " E"]


class UnitTests:
    """Rollouts from the starts of tests, compiled once for every ensemble size."""

    def __init__(self, stage: UnitStage, method: UnitMethod) -> None:
        """Compiles nothing yet."""
        self._stage, self._method = stage, method
        self._roll, self._compare = jax.jit(self._rollouts), jax.jit(self._unit_error)

    def _rollouts(
        self, parameters: Any, scalings: Scaling, start: Float[Array, "S 12"], springs: Springs
    ) -> Float[Array, "S T 12"]:
        given = self._stage.pendulums
        field = self._method.mean_field(parameters, springs, scalings)
        return runge_kutta(field, start, given.num_times, given.interval, given.rollout_steps)

    def _unit_error(
        self, parameters: Any, scalings: Scaling, states: Float[Array, "S 12"], springs: Springs, change: UnitChange
    ) -> Float[Array, ""]:
        given = self._method.mean_field(parameters, springs, scalings)(states)
        moved = self._method.mean_field(parameters, change.of_springs(springs), scalings)(states * change.of_state())
        # In the given units, so that no state counts more than others.
        back = moved / change.of_velocity()

        def root(values: Array) -> Array:
            return jnp.sqrt(jnp.square(values).mean())

        return root(back - given) / (root(back) + root(given))

    def unit_error(self, parameters: Any, scalings: Scaling, trial: Trial) -> float:
        """Returns RMS(a - b) / (RMS(a) + RMS(b)) over test states, for velocities a in given and b in other units.

        Units of mass change by the factors of the trial's second test.
        """
        states, springs = _on_device(trial.tests[0])
        change = mass_change(jnp.asarray(trial.mass_units, jnp.float32))  # pyright: ignore[reportArgumentType]
        return float(self._compare(parameters, scalings, states[:, 0], springs, change))

    def run(self, parameters: Any, scalings: Scaling, trial: Trial) -> Tested:
        """Returns the tests of networks [M, ...] of a trial against its true trajectories."""
        networks, errors, units = self._stage.network.networks, [], []
        for size in self._stage.ensemble_sizes:
            row, own = [], []
            for begin, stop in disjoint_ensembles(size, networks):
                chosen = partial(jax.tree.map, lambda leaf, begin=begin, stop=stop: leaf[begin:stop])
                some, scaled = chosen(parameters), chosen(scalings)
                row.append([self._errors(some, scaled, test) for test in trial.tests])
                own.append(max(self.unit_error(some, scaled, trial), float(np.finfo(np.float32).tiny)))
            # Errors are of any size: their logarithms are averaged, apart from fractions.
            both = [[[one[i] for one in tests] for tests in row] for i in range(3)]
            logs = [np.exp(np.mean(np.log(part), 0)) for part in both[:2]]
            errors.append([*logs, np.mean(both[2], 0)])
            units.append(np.exp(np.mean(np.log(own))))
        score, by_time, lost = (np.stack([size[i] for size in errors], 1) for i in range(3))
        return Tested(score, by_time, lost, np.asarray(units))

    def _errors(self, parameters: Any, scalings: Scaling, test: Followed) -> tuple[np.ndarray, np.ndarray, float]:
        truth, springs = _on_device(test)
        states = np.asarray(self._roll(parameters, scalings, truth[:, 0], springs))
        units = 1.0 if test.units is None else test.units
        errors = relative_error(states / units, test.truth / units)
        lost = ~np.isfinite(states).all((1, 2))
        return geometric_mean(errors), geometric_mean(errors, axis=0), float(lost.mean())


def _on_device(test: Followed) -> tuple[Float[Array, "S T 12"], Springs]:
    return jnp.asarray(test.truth, jnp.float32), Springs(*(jnp.asarray(part, jnp.float32) for part in test.springs))


def require_equivariant(
    stage: UnitStage,
    method: UnitMethod,
    tests: UnitTests,
    trials: Sequence[int],
    parameters: Any,
    scalings: Scaling,
    drawn: Sequence[Trial],
) -> Float[np.ndarray, " T"]:
    """Returns the error of networks under changes of units before training.

    Args:
        stage: settings of the arm.
        method: how it learns.
        tests: of this stage.
        trials: indices over all trials.
        parameters: of all networks, [trials * networks, ...].
        scalings: of their inputs, alike.
        drawn: pendulums of each trial.

    Returns:
        The largest of each trial; -1 where none is due.

    Raises:
        DataError: it is above the tolerance; names trial and network.
    """
    if not method.equivariant:
        return np.full(len(trials), NOT_DUE)
    networks = stage.network.networks
    # One network after another: in a mean errors may cancel.
    errors = np.asarray([
        tests.unit_error(of_trial(parameters, index, 1), of_trial(scalings, index, 1), drawn[index // networks])
        for index in range(len(trials) * networks)
    ]).reshape(len(trials), networks)  # fmt: skip
    require_built_in(stage.arm, "velocities that are the same in all units of mass", stage.tolerance, trials, errors)
    return errors.max(1)
