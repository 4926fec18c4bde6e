"""Networks trained per hour for the panels on data efficiency: this engine and a sequential Flax loop, on all cores.

Both train the augmented MLP of arXiv 2104.09459 on its O(5)-invariant function: three hidden layers of 384, batches of
min(500, n) samples, each moved by a random element of O(5), Adam, the mean squared error. Compiling is not timed.
Beside times by the clock stand those of the processors, which other programs disturb less: their ratio is
what remains if the loop keeps all cores busy.

engine    this package, as the pipeline runs it: one single-threaded process a core, one network after another in each
flax      one network after another on all cores, one compiled step per batch, elements by ``jax.scipy.linalg.expm``

    python benchmarks/data_efficiency.py
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from emergent.cli._run import prepare_xla

SIZES = (30, 100, 300, 1000, 3000, 10000, 30000)
MEASURED = (30, 100, 300, 1000)
"""Larger training sets have the steps of the last, and as many."""
WIDTH, DEPTH, RATE = 384, 3, 0.003


def _stage(num: int, checks: int) -> Any:
    """Returns the settings of the arm, for a few stretches between looks at the validation samples."""
    from emergent.config.data_efficiency_training import DataEfficiencyStage, Descent, PlainMethod, Task

    train = Descent(learning_rate=RATE, batch_size=500, max_epochs=1000, total_samples=900000)
    train = train.model_copy(update={"max_epochs": checks * train.epochs_between_checks(num), "num_checks": checks})
    task = Task(function="o5_invariant", sizes=(num,), num_validation=1000, num_test=500)
    network = PlainMethod(method="mlp", width=WIDTH, depth=DEPTH, augmented=True)
    return DataEfficiencyStage(
        experiment="benchmark", seed=0, arm="mlp", task=task, network=network, train=train, ensemble_sizes=(1,),
        tolerance=1.0,
    )  # fmt: skip


def steps(num: int) -> int:
    """Returns the steps of the published training on some samples."""
    train = _stage(num, 1).train
    train = train.model_copy(update={"max_epochs": 1000})
    return train.epochs(num) * (num // train.batch(num))


def now() -> np.ndarray:
    """Returns the clock, and the processors' time that this process has had, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def engine(num: int, networks: int, wait: Callable[[], Any]) -> np.ndarray:
    """Returns both times per step and network of one process, looks at the validation samples included."""
    import jax
    import jax.numpy as jnp

    from emergent.training.data_efficiency import program
    from emergent.training.engine import train_members
    from emergent.training.program import KeyNames, member_keys
    from emergent.training.symmetric_methods import make_method
    from emergent.training.trial_data import draw_samples, resident

    stage = _stage(num, 4)
    method = make_method("o5_invariant", stage.network)
    samples, units = draw_samples(stage, [0], method.scaled)
    data = resident(method, samples.part(1500, 1500 + num), samples.part(500, 1500), units)
    names = KeyNames(0, "benchmark", "mlp", "mlp")
    module: Any = method.module
    members = tuple(range(networks))
    keys = member_keys(names, jnp.asarray(members)).initialise
    start = jax.vmap(module.init, (0, None))(keys, jnp.zeros((1, method.num_inputs)))
    times: list[np.ndarray] = []

    def on_progress(_: int) -> None:
        if len(times) == 1:
            # The second stretch compiles what chooses the best parameters.
            wait()
        times.append(now())

    given = start, jnp.zeros(networks, int)
    train_members(program(method, stage.train, num, False), names, members, data, str, 1, on_progress, given=given)
    per_stretch = stage.train.epochs_between_checks(num) * (num // stage.train.batch(num))
    return (times[-1] - times[1]) / ((len(times) - 2) * per_stretch)


def _in_process(num: int, networks: int, wait: Any, results: Any) -> None:
    prepare_xla(1)
    results.put(engine(num, networks, wait.wait))


def engine_on_all_cores(num: int, networks: int) -> np.ndarray:
    """Returns both times per step and network, with a process on each core at the same time."""
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(cores), context.Queue()
    jobs = [context.Process(target=_in_process, args=(num, networks, barrier, results)) for _ in range(cores)]
    for job in jobs:
        job.start()
    found = [results.get() for _ in jobs]
    for job in jobs:
        job.join()
    return np.mean(found, 0) / np.array([cores, 1])


def flax_loop(num: int, num_steps: int) -> np.ndarray:
    """Returns both times per step of one network after another."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import linen as nn
    from flax.training.train_state import TrainState

    from emergent.datasets.symmetric_functions import DRAW
    from emergent.groups.matrix_groups import matrix_group

    group = matrix_group("O(5)")
    algebra, reflection = jnp.asarray(group.lie_algebra, jnp.float32), jnp.asarray(group.discrete[0], jnp.float32)
    drawn = DRAW["o5_invariant"](num + 1000, np.random.default_rng(0))
    inputs = jnp.asarray(drawn.inputs / drawn.input_scale, jnp.float32)[1000:]
    targets = jnp.asarray(drawn.targets, jnp.float32)[1000:]
    mean, scale = float(drawn.target_mean[0]), float(drawn.target_scale[0])
    batch = min(500, num)

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for _ in range(DEPTH):
                x = nn.swish(nn.Dense(WIDTH)(x))
            return nn.Dense(1)(x)

    def element(key: Any) -> Any:
        first, second = jax.random.split(key)
        found = jax.scipy.linalg.expm(jnp.tensordot(jax.random.normal(first, (len(algebra),)), algebra, 1))
        for power in jax.random.randint(second, (3,), -5, 5):
            found = found @ jnp.where(power % 2, reflection, jnp.eye(5))
        return found

    @jax.jit
    def step(state: Any, x: Any, y: Any, key: Any) -> Any:
        elements = jax.vmap(element)(jax.random.split(key, len(x)))
        moved = jnp.einsum("nij,nkj->nki", elements, x.reshape(-1, 2, 5)).reshape(x.shape)

        def loss(parameters: Any) -> Any:
            return jnp.square(mean + scale * state.apply_fn(parameters, moved) - y).mean()

        value, gradients = jax.value_and_grad(loss)(state.params)
        return state.apply_gradients(grads=gradients), value

    network = Network()
    parameters = network.init(jax.random.key(0), inputs[:1])
    state = TrainState.create(apply_fn=network.apply, params=parameters, tx=optax.adam(RATE))
    generator, key, begin = np.random.default_rng(0), jax.random.key(1), now()
    order = np.zeros(0, int)
    for index in range(num_steps + 1):
        if len(order) < batch:
            order = generator.permutation(num)
        chosen, order = order[:batch], order[batch:]
        state, value = step(state, inputs[chosen], targets[chosen], jax.random.fold_in(key, index))
        if index == 0:
            float(value)
            begin = now()
    float(value)
    return (now() - begin) / num_steps


def main() -> None:
    """Prints milliseconds per step and network, and the ratio for the published steps of all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=15, help="of a process: half of the arm's thirty")
    parser.add_argument("--steps", type=int, default=150, help="of the loop")
    parser.add_argument("--repeats", type=int, default=1, help="the smallest time counts")
    arguments = parser.parse_args()
    total = np.zeros((2, 2))
    print("         by the clock               of the processors")
    print("samples  engine ms  flax ms  ratio  engine ms  flax ms  ratio")
    for num in MEASURED:
        ours, theirs = np.full(2, np.inf), np.full(2, np.inf)
        # By turns, so that both see the same other programs.
        for _ in range(arguments.repeats):
            theirs = np.minimum(theirs, flax_loop(num, arguments.steps))
            ours = np.minimum(ours, engine_on_all_cores(num, arguments.networks))
        columns = (f"{1e3 * a:9.2f}  {1e3 * b:7.2f}  {b / a:5.1f}" for a, b in zip(ours, theirs, strict=True))
        print(f"{num:7d}  {'  '.join(columns)}", flush=True)
        weight = sum(steps(size) for size in SIZES if min(size, MEASURED[-1]) == num)
        total += weight * np.stack([ours, theirs])
    clock, processors = total[1] / total[0]
    print(f"all sizes, published steps: {clock:.1f} times as fast as the loop, {processors:.1f} by processors' time")


if __name__ == "__main__":
    main()
