"""One function, one way to learn it, all sizes of the training set: errors on test samples, of networks and ensembles.

In: the stage of an arm. Out: for a block of trials the mean squared and the equivariance error after training. Samples are
drawn from the seed, for each trial anew and for all arms alike. The engine trains the networks of all trials of a block as
members of one program; what is here are their data, loss and errors.

References:
    arXiv 2104.09459 and arXiv 2106.06610, experiments on learning with few samples.
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

from emergent.config.data_efficiency_training import DataEfficiencyStage, Descent
from emergent.config.training import Training
from emergent.datasets.symmetric_functions import DRAW, Drawn
from emergent.errors import DataError
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.engine import Divergence, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program
from emergent.training.step import Learner
from emergent.training.symmetric_methods import Spaces, SymmetricMethod, equivariance_error, make_method

# All arms train on the same samples, and are tested with the same elements of the group.
DATA, ELEMENTS = "data", "elements"
Errors = tuple[np.ndarray, np.ndarray]


class Samples(NamedTuple):
    """Samples of T trials, in units of the network.

    Attributes:
        inputs: [T, N, size].
        targets: [T, N, K], as they were drawn.
    """

    inputs: Float[JaxArray, "T N size"]
    targets: Float[JaxArray, "T N K"]

    def part(self, start: int, stop: int) -> "Samples":
        """Returns some samples of every trial."""
        return Samples(self.inputs[:, start:stop], self.targets[:, start:stop])


class Units(NamedTuple):
    """Affine map from the network's outputs to targets, of each trial [T, K]."""

    mean: Float[JaxArray, "T K"]
    scale: Float[JaxArray, "T K"]


class TrialData(NamedTuple):
    """Resident data of a program, as its networks see them.

    Attributes:
        seen: of training samples, [T, N, ...].
        aims: what networks are to give for them [T, N, K], in the units of targets.
        seen_validation: the same for validation samples.
        aims_validation: the same.
        units: of the targets.
        size: of one input of a network [1, num_inputs].
    """

    seen: Any
    aims: Float[JaxArray, "T N K"]
    seen_validation: Any
    aims_validation: Float[JaxArray, "T V K"]
    units: Units
    size: Float[JaxArray, "1 num_inputs"]

    def example(self) -> Float[JaxArray, "1 num_inputs"]:
        """Returns inputs of one sample."""
        return self.size


def draw_samples(stage: DataEfficiencyStage, trials: Sequence[int], scaled: bool) -> tuple[Samples, Units]:
    """Returns all samples of some trials: test samples first, then those for validation, then those for training.

    A trial of fewer training samples has the first of those of a larger one.

    Args:
        stage: of any arm.
        trials: indices over all trials.
        scaled: whether the network sees scaled inputs, and learns scaled targets.
    """
    task = stage.task
    num = task.num_test + task.num_validation + task.sizes[-1]
    drawn = [DRAW[task.function](num, np.random.default_rng(_seed(stage, trial))) for trial in trials]

    def stacked(choose: Callable[[Drawn], np.ndarray]) -> JaxArray:
        return jnp.asarray(np.stack([choose(one) for one in drawn]), jnp.float32)

    samples = Samples(
        stacked(lambda one: one.inputs / one.input_scale if scaled else one.inputs), stacked(lambda one: one.targets)
    )
    units = Units(
        stacked(lambda one: one.target_mean if scaled else np.zeros_like(one.target_mean)),
        stacked(lambda one: one.target_scale if scaled else np.ones_like(one.target_scale)),
    )
    return samples, units


def _seed(stage: DataEfficiencyStage, trial: int) -> np.ndarray:
    return np.asarray(jax.random.key_data(member_key(stage.seed, stage.experiment, DATA, trial, "initialise")))


def resident(method: SymmetricMethod, training: Samples, validation: Samples, units: Units) -> TrialData:
    """Returns what the networks of a method see of samples, and what they are to give."""

    @jax.jit
    def see(samples: Samples) -> tuple[Any, JaxArray]:
        return jax.vmap(method.see)(samples.inputs), jax.vmap(method.aim)(*samples)

    return TrialData(*see(training), *see(validation), units, jnp.zeros((1, method.num_inputs)))


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
        return units.mean[trial] + units.scale[trial] * outputs

    def initialise(key: JaxArray, sample: JaxArray, trial: JaxArray) -> tuple[Any, JaxArray]:
        # Which trial's samples a network sees is fixed beside its parameters.
        return module.init(key, sample), trial

    def gradient(
        parameters: Any, trial: JaxArray, data: TrialData, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        seen = jax.tree.map(lambda values: values[trial, indices], data.seen)
        aims = data.aims[trial, indices]
        elements = None if method.draw is None else method.draw(key, len(aims))

        def loss(parameters: Any) -> JaxArray:
            network = partial(module.apply, parameters)
            outputs = method.mean(network, seen) if elements is None else method.augmented(network, seen, elements)
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


class Measure:
    """Errors of the mean of some networks on the test samples of a trial, compiled once."""

    def __init__(self, stage: DataEfficiencyStage, method: SymmetricMethod) -> None:
        """Compiles nothing yet."""
        self._spaces, self._method, self._batch = Spaces.of(stage.task.function), method, stage.task.test_batch
        self._errors = jax.jit(self._compute)

    def _compute(
        self, parameters: Any, inputs: JaxArray, targets: JaxArray, units: Units, key: JaxArray
    ) -> tuple[JaxArray, JaxArray]:
        def outputs(values: JaxArray) -> JaxArray:
            # One network after another: few are many samples' worth of work.
            found = jax.lax.map(lambda network: self._method.outputs(network, values), parameters)
            return units.mean + units.scale * found.mean(0)

        mse = jnp.square(outputs(inputs) - targets).mean()
        return mse, equivariance_error(outputs, self._spaces, inputs, key, self._batch)

    def __call__(
        self, parameters: Any, samples: Samples, units: Units, trial: int, key: JaxArray
    ) -> tuple[float, float]:
        """Returns mean squared and equivariance error.

        Args:
            parameters: of some networks [M, ...].
            samples: of all trials.
            units: of all trials.
            trial: position of the trial.
            key: of the elements of the group.
        """
        own = Units(units.mean[trial], units.scale[trial])
        mse, error = self._errors(parameters, samples.inputs[trial], samples.targets[trial], own, key)
        return float(mse), float(error)


def require_equivariance(stage: DataEfficiencyStage, error: float) -> None:
    """Checks the equivariance error of a network before training.

    Raises:
        DataError: it is above the tolerance.
    """
    if not error <= stage.tolerance:
        raise DataError(
            f"arm {stage.arm}: expected an equivariant network, whose equivariance error before training is at most "
            f"{stage.tolerance:g}, found {error:.3g}; nothing was trained. Mend the network, or raise tolerance if its "
            "arithmetic is less precise than that."
        )


def data_efficiency_arrays(
    stage: DataEfficiencyStage,
    trials: Sequence[int],
    on_progress: Callable[[int], None] | None = None,
    vectorised: bool = True,
) -> dict[str, Array]:
    """Returns the errors of a block of trials as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        on_progress: called with the number of network-epochs just finished.
        vectorised: networks of a block train together.

    Raises:
        DataError: a loss is not finite (names trial, network and epoch), or a network that is called equivariant is not.
    """
    task, method = stage.task, make_method(stage.task.function, stage.network)
    samples, units = draw_samples(stage, trials, method.scaled)
    measure = Measure(stage, method)
    first = task.num_test + task.num_validation
    test, validation = samples.part(0, task.num_test), samples.part(task.num_test, first)
    keys = [member_key(stage.seed, stage.experiment, ELEMENTS, trial, "augment") for trial in trials]
    networks = stage.network.networks
    members = tuple(trial * networks + index for trial in trials for index in range(networks))
    given = jnp.repeat(jnp.arange(len(trials)), networks)
    module: Any = method.module

    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        start = jax.tree.map(lambda leaf: leaf[None], module.init(keys[0], jnp.zeros((1, method.num_inputs))))
        _, before = measure(start, test, units, 0, keys[0])
        if method.equivariant:
            require_equivariance(stage, before)
    found = []
    for num in task.sizes:
        data = resident(method, samples.part(first, first + num), validation, units)
        names = KeyNames(stage.seed, stage.experiment, f"{stage.arm}/{num}", stage.arm)
        result = train_members(
            program(method, stage.train, num, vectorised), names, members, data, partial(_words, stage, num),
            len(members), on_progress, given=given,
        )  # fmt: skip
        structure = jax.tree.map(lambda leaf: leaf[0], start)
        parameters = from_flat(structure, {name: value[-1] for name, value in result.parameters.items()})
        with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
            found.append(_errors(stage, measure, parameters, test, units, keys))
    return _stored(stage, trials, before, start, found)


def _errors(
    stage: DataEfficiencyStage,
    measure: Measure,
    parameters: Any,
    test: Samples,
    units: Units,
    keys: Sequence[JaxArray],
) -> Errors:
    """Returns both errors [T, S] by ensemble size, each the mean over the disjoint ensembles of a trial's networks."""
    networks, rows = stage.network.networks, []
    for trial, key in enumerate(keys):
        row = []
        for size in stage.ensemble_sizes:
            starts = range(trial * networks, (trial + 1) * networks - size + 1, size)
            each = [
                measure(jax.tree.map(lambda leaf, at=at, size=size: leaf[at : at + size], parameters), test, units,
                        trial, key)
                for at in starts
            ]  # fmt: skip
            row.append(np.mean(each, 0))
        rows.append(row)
    both = np.asarray(rows)
    return both[..., 0], both[..., 1]


def _stored(
    stage: DataEfficiencyStage, trials: Sequence[int], before: float, start: Any, found: Sequence[Errors]
) -> dict[str, Array]:
    dims = ("size", "member", "ensemble_size")
    num_parameters = sum(leaf[0].size for leaf in jax.tree.leaves(start))
    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        "sizes": Array(np.asarray(stage.task.sizes), ("size",), "1", "training samples"),
        "ensemble_sizes": Array(np.asarray(stage.ensemble_sizes), ("ensemble_size",), "1", "networks averaged"),
        "mse": Array(np.stack([mse for mse, _ in found]), dims, "1", "mean squared error on test samples"),
        "equivariance_error": Array(np.stack([error for _, error in found]), dims, "1", "on test samples"),
        "initial_equivariance_error": Array(np.asarray([before]), ("one",), "1", "before training"),
        "num_parameters": Array(np.asarray([num_parameters]), ("one",), "1", "of one network"),
    }


def _words(stage: DataEfficiencyStage, num: int, found: Divergence) -> str:
    trial, network = divmod(found.member, stage.network.networks)
    return (
        f"trial {trial} of arm {stage.arm}, network {network}, {num} training samples: the training loss is "
        f"{found.loss} in epoch {found.epoch}; nothing was written. Lower its learning rate "
        f"({stage.train.learning_rate})."
    )
