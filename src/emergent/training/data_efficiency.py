"""One function, one way to learn it, all sizes of the training set: errors on test samples, of networks and ensembles.

In: the stage of an arm. Out: for a block of trials the mean squared and the equivariance error after training. The
engine trains the networks of all trials of a block as members of one program; what is here is how they learn.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on learning with few samples.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.data_efficiency_training import DataEfficiencyStage, Descent
from emergent.config.training import Training
from emergent.models.size import multiplications
from emergent.prng import member_key
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.storage import Array
from emergent.training.built_in import require_built_in
from emergent.training.engine import Divergence, default_strategy, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner
from emergent.training.symmetric_methods import SymmetricMethod, make_method
from emergent.training.trial_data import TrialData, Units, draw_samples, resident
from emergent.training.trial_tests import Test

# All arms are tested with the same elements of the group.
ELEMENTS = "elements"
Errors = tuple[np.ndarray, np.ndarray]


def learner(method: SymmetricMethod, train: Descent, num: int) -> Learner:
    """Returns how networks learn from ``num`` training samples: mean squared error in the units of the targets."""
    module: Any = method.module
    steps = (train.samples_per_epoch or num) // train.batch(num)
    rate: Any = train.learning_rate
    if train.milestones:
        rate = optax.piecewise_constant_schedule(
            train.learning_rate, {epoch * steps: train.decay for epoch in train.milestones}
        )

    def in_units(outputs: JaxArray, units: Units, trial: JaxArray) -> JaxArray:
        return units.mean[trial][None] + units.scale[trial][None] * outputs

    def initialise(key: JaxArray, sample: JaxArray, given: tuple[Any, JaxArray]) -> tuple[Any, JaxArray]:
        # Both are given: which trial's samples a network sees is held beside its parameters.
        del key, sample
        return given

    def gradient(
        parameters: Any, trial: JaxArray, data: TrialData, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        seen = jax.tree.map(lambda values: values[trial, indices], data.seen)
        aims = data.aims[trial, indices]
        elements = None if method.draw is None else method.draw(key, len(aims))

        def loss(parameters: Any) -> JaxArray:
            outputs = method.in_training(parameters, seen, elements)
            return jnp.square(in_units(outputs, data.units, trial) - aims).mean()

        return jax.value_and_grad(loss)(parameters)

    def score(parameters: Any, trial: JaxArray, data: TrialData) -> JaxArray:
        seen = jax.tree.map(lambda values: values[trial], data.seen_validation)
        outputs = method.mean(partial(module.apply, parameters), seen)
        return jnp.square(in_units(outputs, data.units, trial) - data.aims_validation[trial]).mean()

    return Learner(initialise, gradient, optax.adam(rate), score=score)


def program(method: SymmetricMethod, train: Descent, num: int, vectorised: bool) -> Program:
    """Returns the program that trains networks on ``num`` samples."""
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=train.learning_rate,
        batch_size=train.batch(num),
        num_epochs=train.epochs(num),
        matmul_precision=train.matmul_precision,
    )
    return Program(
        settings,
        learner(method, train, num),
        num,
        vectorised,
        epochs_at_a_time=train.epochs_between_checks(num),
        drawn_per_epoch=train.samples_per_epoch,
    )


def training_multiplications(
    method: SymmetricMethod, train: Descent, num: int, parameters: Any, data: TrialData
) -> float:
    """Returns the multiplications in matrix products of the training of one network on ``num`` samples.

    Args:
        method: how it learns.
        train: its optimisation.
        num: training samples.
        parameters: of one network, or their shapes.
        data: of which one batch is seen at a time.
    """
    batch = train.batch(num)
    seen = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((batch, *leaf.shape[2:]), leaf.dtype), data.seen)
    elements = None if method.draw is None else jax.eval_shape(
        lambda key: method.draw(key, batch), jax.random.key(0),  # pyright: ignore[reportOptionalCall]
    )  # fmt: skip

    def loss(parameters: Any, seen: Any, elements: Any) -> JaxArray:
        return jnp.square(method.in_training(parameters, seen, elements)).mean()

    steps = (train.samples_per_epoch or num) // batch * train.epochs(num)
    return float(steps * multiplications(jax.grad(loss), parameters, seen, elements))


def data_efficiency_arrays(
    stage: DataEfficiencyStage,
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
        DataError: a loss is not finite (names trial, network and epoch), or one that is called equivariant is not
            (names trial and network).
    """
    vectorised = default_strategy() == "block" if vectorised is None else vectorised
    task, method = stage.task, make_method(stage.task.function, stage.network)
    samples, units = draw_samples(stage, trials, method.scaled)
    first = task.num_test + task.num_validation
    test = Test(stage, method, samples.part(0, task.num_test), units)
    data = resident(method, samples.part(first, first + task.sizes[-1]), samples.part(task.num_test, first), units)
    keys = [member_key(stage.seed, stage.experiment, ELEMENTS, trial, "augment") for trial in trials]
    networks = stage.network.networks
    members = tuple(trial * networks + index for trial in trials for index in range(networks))
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        # Once, and not in the program of every size: a network starts alike whatever it is to learn from.
        start = _start(stage, method, members)
        before = _before(test, start, keys, networks)
    if method.equivariant:
        words = f"a network that is equivariant under {method.symmetry.name}"
        require_built_in(stage.arm, words, stage.tolerance, trials, before)
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), start)
    work = [training_multiplications(method, stage.train, num, one, data) for num in task.sizes]
    given = start, jnp.repeat(jnp.arange(len(trials)), networks)
    found = []
    for num in task.sizes:
        names = KeyNames(stage.seed, stage.experiment, f"{stage.arm}/{num}", stage.arm)
        result = train_members(
            program(method, stage.train, num, vectorised), names, members, data, partial(_words, stage, num),
            len(members), on_progress, given=given,
        )  # fmt: skip
        parameters = from_flat(start, {name: value[-1] for name, value in result.parameters.items()})
        with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
            found.append(_errors(stage, test, parameters, keys))
    return _stored(stage, trials, before, start, found) | {
        "multiplications": Array(np.asarray(work), ("size",), "1", "in matrix products, training one network")
    }


def _start(stage: DataEfficiencyStage, method: SymmetricMethod, members: Sequence[int]) -> Any:
    """Returns the initial parameters of networks [M, ...]."""
    module: Any = method.module
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    keys = member_keys(names, jnp.asarray(members)).initialise
    return jax.jit(jax.vmap(module.init, (0, None)))(keys, jnp.zeros((1, method.num_inputs)))


def _of_trial(parameters: Any, trial: int, networks: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[trial * networks : (trial + 1) * networks], parameters)


def _before(test: Test, start: Any, keys: Sequence[JaxArray], networks: int) -> Float[np.ndarray, "T M"]:
    """Returns the equivariance error of every network."""
    rows = []
    for trial, key in enumerate(keys):
        # Of the same networks as later, so that the program is compiled once.
        tested = test.run(_of_trial(start, trial, networks), trial, key)
        rows.append([test.errors(tested, index, index + 1, trial)[1] for index in range(networks)])
    return np.asarray(rows)


def _errors(stage: DataEfficiencyStage, test: Test, parameters: Any, keys: Sequence[JaxArray]) -> Errors:
    """Returns both errors [T, S] by ensemble size, each the mean over the disjoint ensembles of a trial's networks."""
    networks, rows = stage.network.networks, []
    for trial, key in enumerate(keys):
        tested = test.run(_of_trial(parameters, trial, networks), trial, key)
        rows.append(
            [
                np.mean([test.errors(tested, *ensemble, trial) for ensemble in disjoint_ensembles(size, networks)], 0)
                for size in stage.ensemble_sizes
            ]
        )
    both = np.asarray(rows)
    return both[..., 0], both[..., 1]


def _stored(
    stage: DataEfficiencyStage,
    trials: Sequence[int],
    before: Float[np.ndarray, "T M"],
    start: Any,
    found: Sequence[Errors],
) -> dict[str, Array]:
    dims = ("size", "member", "ensemble_size")
    num_parameters = sum(leaf[0].size for leaf in jax.tree.leaves(start))
    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        "sizes": Array(np.asarray(stage.task.sizes), ("size",), "1", "training samples"),
        "ensemble_sizes": Array(np.asarray(stage.ensemble_sizes), ("ensemble_size",), "1", "networks averaged"),
        "mse": Array(np.stack([mse for mse, _ in found]), dims, "1", "mean squared error on test samples"),
        "equivariance_error": Array(np.stack([error for _, error in found]), dims, "1", "on test samples"),
        "initial_equivariance_error": Array(before.max(1), ("member",), "1", "before training, largest of networks"),
        "num_parameters": Array(np.asarray([num_parameters]), ("one",), "1", "of one network"),
    }


def _words(stage: DataEfficiencyStage, num: int, found: Divergence) -> str:
    trial, network = divmod(found.member, stage.network.networks)
    return (
        f"trial {trial} of arm {stage.arm}, network {network}, {num} training samples: the training loss is "
        f"{found.loss} in epoch {found.epoch}; nothing was written. Lower its learning rate "
        f"({stage.train.learning_rate})."
    )
