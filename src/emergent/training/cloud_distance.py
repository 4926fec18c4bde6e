"""Distances of pairs of point clouds, learnt from invariant features or from coordinates, by networks and ensembles.

In: the stage of an arm and its pairs of clouds. Out: for every trial errors and rank correlations on training and test
pairs, and how far predictions change when clouds are turned, by ensemble size. The engine takes the steps.

References:
    arXiv 2405.08097, experiment on distances of point clouds.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray

from emergent.config.cloud_distance import INVARIANT, CloudDistanceStage, CloudNetwork, CloudSteps
from emergent.config.training import Training
from emergent.domains.cloud_pairs import PairData, Pairs, resident
from emergent.groups.rotations import random_rotations, rotate
from emergent.models.set_networks import EMBEDDING, STATISTICS, CloudDistance
from emergent.models.size import multiplications
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.built_in import require_built_in
from emergent.training.cloud_tests import Outputs, Tested, by_size, invariance_error
from emergent.training.engine import Divergence, default_strategy, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner

# All arms are tested with the same rotations.
ROTATIONS = "rotations"
DISTANCE = "distance"


def learner(network: CloudNetwork, train: CloudSteps) -> Learner:
    """Returns how networks learn the distances of all training pairs: mean squared error, Adam of two rates."""
    module = CloudDistance(network)

    def initialise(key: JaxArray, sample: Any, given: Any) -> tuple[Any, tuple[()]]:
        del given
        return module.init(key, sample, sample)["params"], ()

    def gradient(
        parameters: Any, held: Any, data: PairData, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        del held, indices
        first, second = data.first, data.second
        if network.augmented:
            turns = random_rotations(key, len(first) + len(second))
            first, second = rotate(turns[: len(first)], first), rotate(turns[len(first) :], second)

        def loss(parameters: Any) -> JaxArray:
            found, _ = module.apply({"params": parameters}, first, second, mutable=[STATISTICS])
            return jnp.square(found - data.bounds).mean()

        return jax.value_and_grad(loss)(parameters)

    rates = {EMBEDDING: optax.adam(train.learning_rate), DISTANCE: optax.adam(train.distance_rate)}
    labels = {EMBEDDING: EMBEDDING, "metric": DISTANCE, "affine": DISTANCE}
    return Learner(initialise, gradient, optax.multi_transform(rates, labels))


def training_multiplications(own: Learner, train: CloudSteps, data: PairData) -> float:
    """Returns the multiplications in matrix products of the training of one network, steps on all pairs each."""
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), data)
    start = jax.eval_shape(lambda key, given: own.initialise(key, given.example(), None), jax.random.key(0), shapes)

    def gradient(parameters: Any, data: PairData) -> Any:
        return own.gradient(parameters, (), data, None, jax.random.key(0))[1]

    return float(train.num_epochs * multiplications(gradient, start[0], shapes))


Predict = Callable[[Any, PairData, PairData], np.ndarray]


def predictor(network: CloudNetwork) -> Predict:
    """Returns parameters, training data and pairs to predicted distances [A, B].

    Hidden layers are normalised with statistics of the training clouds, mean over those of both classes, as averages
    that run along training end.
    """
    free, module = CloudDistance(network), CloudDistance(network, known=True)

    @jax.jit
    def statistics(parameters: Any, data: PairData) -> Any:
        def of(features: Any) -> Any:
            return free.apply({"params": parameters}, features, method="embed", mutable=[STATISTICS])[1][STATISTICS]

        return jax.tree.map(lambda one, other: (one + other) / 2, of(data.first), of(data.second))

    @jax.jit
    def distances(parameters: Any, known: Any, pairs: PairData) -> JaxArray:
        return module.apply({"params": parameters, STATISTICS: known}, pairs.first, pairs.second)  # pyright: ignore

    return lambda parameters, data, pairs: np.asarray(distances(parameters, statistics(parameters, data), pairs))


def turned_pairs(pairs: Pairs, stage: CloudDistanceStage) -> list[Pairs]:
    """Returns the pairs with every cloud turned by a random rotation of its own, several times."""
    key = member_key(stage.seed, stage.experiment, ROTATIONS, 0, "augment")
    num = len(pairs.first) + len(pairs.second)
    with jax.threefry_partitionable(True):
        drawn = np.asarray(jax.jit(random_rotations, static_argnums=1)(key, stage.rotations * num), np.float64)
    found = []
    # In double precision: turned features differ by what computing them rounds, and not by what turning does.
    for turns in drawn.reshape(stage.rotations, num, 3, 3):
        first = np.einsum("nij,npj->npi", turns[: len(pairs.first)], pairs.first)
        second = np.einsum("nij,npj->npi", turns[len(pairs.first) :], pairs.second)
        found.append(Pairs(first.astype(np.float32), second.astype(np.float32), pairs.bounds))
    return found


def cloud_distance_arrays(
    stage: CloudDistanceStage, trials: Sequence[int], train: Pairs, test: Pairs,
    advance: Callable[[int], None] | None = None,
) -> dict[str, Array]:  # fmt: skip
    """Returns what a block of trials gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        train: pairs of training clouds.
        test: pairs of test clouds.
        advance: called with the number of steps of networks just taken.

    Raises:
        DataError: a network diverges (names trial, network and step), or one is not invariant that should be (names
            trial and network).
    """
    network, settings = stage.network, _settings(stage.train)
    data, others = (resident(pairs, network) for pairs in (train, test))
    turned = [resident(pairs, network) for pairs in turned_pairs(test, stage)]
    vectorised = default_strategy() == "block"
    own_learner = learner(network, stage.train)
    program = Program(settings, own_learner, len(train.first), vectorised)
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    members = tuple(trial * network.networks + index for trial in trials for index in range(network.networks))
    predict = predictor(network)

    def tested(parameters: Any) -> list[np.ndarray]:
        return [predict(parameters, data, others), np.stack([predict(parameters, data, pairs) for pairs in turned])]

    def outputs(parameters: Any) -> list[np.ndarray]:
        return [predict(parameters, data, data), *tested(parameters)]

    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        starts = _starts(program, names, members, data, vectorised)
        before = [invariance_error(moved, own, test.bounds) for own, moved in map(tested, starts)]
    start, errors = starts[0], np.reshape(before, (len(trials), -1))
    if network.features in INVARIANT:
        require_built_in(stage.arm, "a network that no rotation changes", stage.tolerance, trials, errors)
    found = train_members(program, names, members, data, partial(_words, stage), len(members), advance)
    rows, examples = [], []
    with jax.default_matmul_precision(stage.train.matmul_precision):
        for trial in range(len(trials)):
            of_trial = range(trial * network.networks, (trial + 1) * network.networks)
            each = [outputs(from_flat(start, {k: v[-1, index] for k, v in found.parameters.items()}))
                    for index in of_trial]  # fmt: skip
            together = Outputs(*(np.stack(values) for values in zip(*each, strict=True)))
            rows.append(by_size(together, train, test))
            examples.append(np.stack([together.test[0], together.test.mean(0)]))
    work = np.asarray([training_multiplications(own_learner, stage.train, data)])
    stored = _stored(trials, rows, examples, test, errors.max(1), sum(leaf.size for leaf in jax.tree.leaves(start)))
    return stored | {"multiplications": Array(work, ("one",), "1", "in matrix products, training one network")}


def _starts(program: Program, names: KeyNames, members: Sequence[int], data: PairData, vectorised: bool) -> list[Any]:
    """Returns the initial parameters of every network, by the engine's own function, which is then compiled once."""
    keys = [jnp.asarray(members)] if vectorised else [jnp.asarray(member) for member in members]
    found = [program.initialise(member_keys(names, key).initialise, data.example(), None)[0].parameters for key in keys]
    if not vectorised:
        return found
    return [jax.tree.map(lambda leaf, index=index: leaf[index], found[0]) for index in range(len(members))]


def _settings(train: CloudSteps) -> Training:
    return Training(
        loss="mse",
        optimiser="adam",
        learning_rate=train.learning_rate,
        batch_size=None,
        num_epochs=train.num_epochs,
        matmul_precision=train.matmul_precision,
    )


UNITS = {
    "mse": "mean squared error on test pairs",
    "mse_turned": "the same, every cloud turned at random",
    "mse_train": "the same on training pairs",
    "spearman": "rank correlation with the distances of test pairs",
    "spearman_train": "the same on training pairs",
    "asymmetry": "root mean square change by turning, over the standard deviation of distances",
}


def _stored(
    trials: Sequence[int],
    rows: list[list[Tested]],
    examples: list[np.ndarray],
    test: Pairs,
    before: np.ndarray,
    num: int,
) -> dict[str, Array]:
    stored = {
        name: Array(np.array([[getattr(one, name) for one in row] for row in rows]), ("member", "size"), "1", text)
        for name, text in UNITS.items()
    }
    dims = ("member", "networks", "first", "second")
    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        **stored,
        "predictions": Array(np.stack(examples), dims, "1", "for test pairs, of one network and of all of a trial"),
        "bounds": Array(test.bounds, ("first", "second"), "1", "what is to be predicted"),
        "initial_asymmetry": Array(before, ("member",), "1", "before training, largest of networks"),
        "num_parameters": Array(np.asarray([num]), ("one",), "1", "of one network"),
    }


def _words(stage: CloudDistanceStage, found: Divergence) -> str:
    trial, network = divmod(found.member, stage.network.networks)
    return (
        f"trial {trial} of arm {stage.arm}, network {network}: the training loss is {found.loss} by step "
        f"{found.epoch}; nothing was written. Lower train.learning_rate ({stage.train.learning_rate:g}) or "
        f"train.distance_rate ({stage.train.distance_rate:g})."
    )
