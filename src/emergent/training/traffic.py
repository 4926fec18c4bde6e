"""Speeds at sensors a few steps ahead, by recurrent networks on their graph, with weights by clusters; and ensembles.

In: the stage of an arm and its series. Out: for every trial the error on test windows by ensemble size, and how far the
weights of clusters have come apart. The engine takes the steps.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on traffic.
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

from emergent.config.traffic import TrafficNetwork, TrafficStage, TrafficSteps
from emergent.config.traffic_memory import WINDOWS_AT_A_TIME
from emergent.config.training import Training
from emergent.domains.traffic import Series, TrafficData, resident
from emergent.models.diffusion_network import TrafficNet, departure
from emergent.prng import member_key
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.storage import Array
from emergent.training.built_in import NOT_DUE, relative_difference, require_built_in
from emergent.training.engine import Divergence, default_strategy, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner

CHECKED = 8
"""Test windows on which equivariance is measured before training."""
# All arms of a trial are measured under one permutation.
ORDER = "order"


class Counted(NamedTuple):
    """Parameters of a network, and the steps that were taken, on which sampling depends."""

    network: Any
    steps: JaxArray


def known_errors(
    predicted: Float[JaxArray, "B H N"], speed: Float[JaxArray, "B H N"]
) -> tuple[Float[JaxArray, ""], Int[JaxArray, ""]]:
    """Returns the sum of absolute errors where a speed is known, and how many are; 0 stands for one that is missing."""
    known = speed != 0
    return jnp.where(known, jnp.abs(predicted - speed), 0).sum(), known.sum()


def masked_error(predicted: Float[JaxArray, "B H N"], speed: Float[JaxArray, "B H N"]) -> Float[JaxArray, ""]:
    """Returns the mean absolute error where a speed is known."""
    total, num = known_errors(predicted, speed)
    return total / jnp.maximum(num, 1)


def counting(optimiser: optax.GradientTransformation) -> optax.GradientTransformation:
    """Returns an optimiser of ``Counted.network`` that counts its steps beside it."""

    def update(updates: Counted, state: Any, params: Counted | None = None) -> tuple[Counted, Any]:
        assert params is not None
        moves, state = optimiser.update(updates.network, state, params.network)
        return Counted(moves, jnp.ones_like(params.steps)), state

    return optax.GradientTransformation(lambda params: optimiser.init(params.network), update)


def chance(steps: JaxArray, sampling_steps: int) -> JaxArray:
    """Returns the probability with which the decoder is told the true value of a step."""
    return sampling_steps / (sampling_steps + jnp.exp(steps / sampling_steps))


def predict(module: TrafficNet, parameters: Any, data: TrafficData, starts: JaxArray) -> Float[JaxArray, "B H N"]:
    """Returns the predicted speeds of some windows, in miles an hour; nothing true is told."""
    past, speed = data.window(starts)
    told = jnp.zeros(speed.shape[1], bool)
    return data.mean + data.std * module.apply(parameters, past, data.walks, data.cluster, speed, told)  # pyright: ignore


def error_of_windows(
    module: TrafficNet, parameters: Any, data: TrafficData, starts: Int[JaxArray, " W"]
) -> Float[JaxArray, ""]:
    """Returns the mean absolute error where a speed is known, on windows that are seen a few at a time."""

    def of_window(start: JaxArray) -> tuple[JaxArray, JaxArray]:
        return known_errors(predict(module, parameters, data, start[None]), data.window(start[None])[1])

    # States of all windows of four months would take gigabytes.
    total, num = jax.lax.map(of_window, starts, batch_size=WINDOWS_AT_A_TIME)
    return total.sum() / jnp.maximum(num.sum(), 1)


def learner(network: TrafficNetwork, train: TrafficSteps) -> Learner:
    """Returns how networks learn."""
    module = TrafficNet(network.units, network.clusters)

    def initialise(key: JaxArray, sample: JaxArray, given: TrafficData) -> tuple[Counted, tuple[()]]:
        horizon = len(given.offsets[1])
        true = jnp.zeros((1, horizon, sample.shape[2]))
        told = jnp.zeros(horizon, bool)
        return Counted(module.init(key, sample, given.walks, given.cluster, true, told), jnp.zeros((), jnp.int32)), ()

    def gradient(
        parameters: Counted, held: Any, data: TrafficData, indices: JaxArray, key: JaxArray
    ) -> tuple[JaxArray, Counted]:
        del held
        past, speed = data.window(indices)
        told = jax.random.bernoulli(key, chance(parameters.steps, train.sampling_steps), (speed.shape[1],))

        def loss(own: Any) -> JaxArray:
            found: Any = module.apply(own, past, data.walks, data.cluster, (speed - data.mean) / data.std, told)
            return masked_error(data.mean + data.std * found, speed)

        value, gradients = jax.value_and_grad(loss)(parameters.network)
        return value, Counted(gradients, jnp.zeros_like(parameters.steps))

    def score(parameters: Counted, held: Any, data: TrafficData) -> JaxArray:
        del held
        return error_of_windows(module, parameters.network, data, data.validation)

    optimiser = optax.chain(optax.clip_by_global_norm(train.clip), optax.adam(train.learning_rate, eps=train.epsilon))
    return Learner(initialise, gradient, counting(optimiser), score=score)  # pyright: ignore[reportArgumentType]


def by_size(outputs: Float[np.ndarray, "M W H N"], speed: Float[np.ndarray, "W H N"]) -> np.ndarray:
    """Returns errors of ensembles of 1 ... M networks, mean over the disjoint ones."""
    num, known = len(outputs), speed != 0
    errors = []
    for size in range(1, num + 1):
        means = [outputs[first:stop].mean(0) for first, stop in disjoint_ensembles(size, num)]
        errors.append(np.mean([np.abs(mean - speed)[known].mean(dtype=np.float64) for mean in means]))
    return np.asarray(errors)


def start_errors(
    stage: TrafficStage, own: Learner, data: TrafficData, starts: JaxArray, names: KeyNames, trials: Sequence[int]
) -> Float[np.ndarray, "T M"]:
    """Returns equivariance errors of networks before training, under permutations of the sensors and their graph.

    RMS(f(g x) - g f(x)) / (RMS(f(g x)) + RMS(g f(x))) over predictions in units of their training, for one permutation
    in each trial.

    Args:
        stage: settings of an arm.
        own: how its networks learn.
        data: the series.
        starts: of some windows.
        names: of the networks' keys.
        trials: indices over all trials.
    """
    networks, module = stage.network.networks, TrafficNet(stage.network.units, stage.network.clusters)

    @jax.jit
    def of_network(member: JaxArray, order: JaxArray) -> tuple[JaxArray, JaxArray]:
        parameters = own.initialise(member_keys(names, member).initialise, data.example(), data)[0].network
        moved = data._replace(
            inputs=data.inputs[:, order], speed=data.speed[:, order], walks=data.walks[:, order][:, :, order]
        )
        there, here = ((predict(module, parameters, given, starts) - data.mean) / data.std for given in (moved, data))
        return there, here[:, :, order]

    rows = []
    for trial in trials:
        key = member_key(stage.seed, stage.experiment, ORDER, trial, "augment")
        order = jax.random.permutation(key, data.speed.shape[1])
        members = range(trial * networks, (trial + 1) * networks)
        rows.append([relative_difference(*map(np.asarray, of_network(jnp.asarray(m), order))) for m in members])
    return np.asarray(rows)


def traffic_arrays(
    stage: TrafficStage, trials: Sequence[int], series: Series, advance: Callable[[int], None] | None = None
) -> dict[str, Array]:
    """Returns what a block of trials gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        series: speeds and graph.
        advance: called with the number of epochs of networks just trained.

    Raises:
        DataError: a network diverges (names trial, network and epoch), the series does not fit the settings, or a
            network with one cluster does not commute with permutations of sensors and graph (names trial and network).
    """
    network = stage.network
    data, parts = resident(series, stage.data, network)
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=stage.train.learning_rate,
        batch_size=min(stage.train.batch_size, parts.train),
        num_epochs=stage.train.num_epochs,
        matmul_precision=stage.train.matmul_precision,
    )
    vectorised = default_strategy() == "block"
    own = learner(network, stage.train)
    program = Program(settings, _given(own, data), parts.train, vectorised)
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    members = tuple(trial * network.networks + index for trial in trials for index in range(network.networks))
    before = np.full((len(trials), network.networks), NOT_DUE)
    if network.clusters == 1:
        with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
            before = start_errors(stage, own, data, jnp.asarray(parts.test[:CHECKED]), names, trials)
        words = "a network that commutes with permutations of the sensors and their graph"
        require_built_in(stage.arm, words, stage.tolerance, trials, before)
    found = train_members(program, names, members, data, partial(_words, stage), len(members), advance)
    structure = jax.eval_shape(own.initialise, jax.random.key(0), data.example(), data)[0]
    module = TrafficNet(network.units, network.clusters)
    pieces = range(0, len(parts.test), WINDOWS_AT_A_TIME)
    batches = [jnp.asarray(parts.test[first : first + WINDOWS_AT_A_TIME]) for first in pieces]
    run = jax.jit(partial(predict, module))
    outputs, apart = [], []
    with jax.default_matmul_precision(stage.train.matmul_precision):
        for index in range(len(members)):
            parameters = from_flat(structure, {name: value[-1, index] for name, value in found.parameters.items()})
            outputs.append(np.concatenate([np.asarray(run(parameters.network, data, batch)) for batch in batches]))
            cells = [value for name, value in found.parameters.items() if name.endswith("/weights")]
            apart.append(float(np.mean([departure(value[-1, index]) for value in cells])))
    speed = np.asarray(data.window(jnp.asarray(parts.test))[1])
    each = np.stack(outputs).reshape(len(trials), network.networks, *speed.shape)
    num = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(structure.network))
    error = np.stack([by_size(of_trial, speed) for of_trial in each])
    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        "mae": Array(error, ("member", "size"), "mi/h", "mean absolute error on test windows by ensemble size"),
        "departure": Array(np.reshape(apart, (len(trials), -1)).mean(1), ("member",), "1", "of weights by clusters"),
        "initial_equivariance_error": Array(
            before.max(1), ("member",), "1", "before training, largest of networks; -1 where none is due"
        ),
        "num_parameters": Array(np.asarray([num]), ("one",), "1", "of one network"),
        "num_edges": Array(np.asarray([int((np.asarray(data.walks[0]) > 0).sum())]), ("one",), "1", "of the graph"),
    }


def _given(own: Learner, data: TrafficData) -> Learner:
    """Returns the same learner, whose networks are made for the graph of the data."""
    return Learner(lambda key, sample, given: own.initialise(key, sample, data), own.gradient, own.optimiser,
                   score=own.score)  # fmt: skip


def _words(stage: TrafficStage, found: Divergence) -> str:
    trial, network = divmod(found.member, stage.network.networks)
    return (
        f"trial {trial} of arm {stage.arm}, network {network}: the training loss is {found.loss} in epoch "
        f"{found.epoch}; nothing was written. Lower train.learning_rate ({stage.train.learning_rate:g})."
    )
