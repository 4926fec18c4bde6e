"""Fixed steps against adaptive ones for the springy double pendulum: times and errors, in training and in rollouts.

The settings of the experiment ``double_pendulum`` rest on this: training goes through fixed steps of Runge and Kutta's
method, and rollouts take them too. Both methods run in turn in the same process, on the same states; compiling is not
timed. Errors are those of the true dynamics against steps of a tolerance of 1e-10 in double precision.

training  loss and gradient of an energy by a fully connected network, trained for a while so that it moves as the truth
          does, on pieces of 5 points: fixed steps of 0.2 and 0.1, and diffrax's adaptive steps of the published
          relative error of 1e-4, with its checkpointed adjoint
rollouts  150 points of the true dynamics: fixed steps of 0.05, and adaptive ones of 2e-6, as published

    python benchmarks/pendulum.py
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from emergent.cli._run import prepare_xla


def best_time(function: Callable[[], Any], repeats: int) -> float:
    """Returns the smallest time of a call, in seconds; the first one compiles."""
    import jax

    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - begin)
    return min(times)


def error(found: Any, exact: np.ndarray) -> float:
    """Returns the relative error of trajectories, geometric mean over these and their times after the first."""
    from emergent.metrics.rollouts import geometric_mean, relative_error

    return float(geometric_mean(relative_error(np.asarray(found), exact)[:, 1:], 1e-9))


def main() -> None:
    """Prints times, errors and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="of training before times are taken")
    arguments = parser.parse_args()
    prepare_xla(1)
    import jax
    import jax.numpy as jnp
    import optax

    from emergent.config.dynamics_training import PlainDynamics
    from emergent.dynamics.integrators import adaptive, hamiltonian_field, runge_kutta
    from emergent.dynamics.springs import Springs, energy, initial_states
    from emergent.training.dynamics_methods import make_dynamics

    start = initial_states(arguments.states, np.random.default_rng(0))
    method = make_dynamics("hamiltonian", PlainDynamics(method="mlp"))

    def true_field(states: Any) -> Any:
        return hamiltonian_field(lambda values: energy(values, Springs.of_ones()))(states)

    with jax.enable_x64(True):
        exact = np.asarray(jax.jit(lambda z: adaptive(true_field, z, 150, 0.2, 1e-10, 1e-10))(jnp.asarray(start)))
    states, pieces = jnp.asarray(start, jnp.float32), jnp.asarray(exact[:, :5], jnp.float32)

    def gradient(solve: Callable[..., Any]) -> Callable[[Any], Any]:
        def loss(parameters: Any) -> Any:
            return jnp.square(solve(method.field(parameters, jnp.zeros(2)), pieces[:, 0]) - pieces).mean()

        return jax.jit(jax.value_and_grad(loss))

    training = {
        "adaptive, 1e-4": lambda field, z: adaptive(field, z, 5, 0.2, 1e-4, 1e-6, 64),
        "fixed, 0.2": lambda field, z: runge_kutta(field, z, 5, 0.2, 1),
        "fixed, 0.1": lambda field, z: runge_kutta(field, z, 5, 0.2, 2),
    }
    rollouts = {
        "adaptive, 2e-6": lambda field, z: adaptive(field, z, 150, 0.2, 2e-6, 2e-6),
        "fixed, 0.05": lambda field, z: runge_kutta(field, z, 150, 0.2, 4),
    }
    parameters, optimiser = jax.jit(method.initialise)(jax.random.key(0)), optax.adam(3e-3)
    state, of_loss = optimiser.init(parameters), gradient(training["fixed, 0.2"])
    for _ in range(arguments.steps):
        updates, state = optimiser.update(of_loss(parameters)[1], state)
        parameters = optax.apply_updates(parameters, updates)
    print(f"loss {float(of_loss(parameters)[0]):.2g} after {arguments.steps} steps of training")
    print(f"{'':10s}  {'steps':16s}  {'ms':>8s}  {'error':>8s}  times as fast")
    for name, solvers, points in (("training", training, 5), ("rollouts", rollouts, 150)):
        slowest = None
        for words, solve in solvers.items():
            compiled = jax.jit(lambda z, solve=solve: solve(true_field, z))
            found = error(compiled(states), exact[:, :points])
            work, argument = (gradient(solve), parameters) if name == "training" else (compiled, states)
            taken = best_time(partial(work, argument), arguments.repeats)
            slowest = slowest or taken
            print(f"{name:10s}  {words:16s}  {1e3 * taken:8.1f}  {found:8.1e}  {slowest / taken:.1f}", flush=True)


if __name__ == "__main__":
    main()
