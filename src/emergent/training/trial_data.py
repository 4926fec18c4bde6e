"""Samples of trials: drawn from the seed, alike for all arms, and what the networks of an arm see of them.

In: the stage of an arm. Out: resident arrays with a leading axis of trials.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.data_efficiency_training import DataEfficiencyStage
from emergent.datasets.symmetric_functions import DRAW, Drawn
from emergent.prng import member_key
from emergent.training.symmetric_methods import SymmetricMethod

# All arms train on the same samples.
DATA = "data"


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
    """Resident data, as networks see them; those of all sizes, so that programs differ in their batches alone.

    Attributes:
        seen: of training samples, [T, N, ...].
        aims: what networks are to give for them [T, N, K], in the units of targets.
        seen_validation: the same for validation samples.
        aims_validation: the same.
        units: of the targets.
        one: input of a network [1, num_inputs].
    """

    seen: Any
    aims: Float[JaxArray, "T N K"]
    seen_validation: Any
    aims_validation: Float[JaxArray, "T V K"]
    units: Units
    one: Float[JaxArray, "1 num_inputs"]

    def example(self) -> Float[JaxArray, "1 num_inputs"]:
        """Returns inputs of one sample."""
        return self.one


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

    (seen, aims), (seen_validation, aims_validation) = see(training), see(validation)
    one = jnp.zeros((1, method.num_inputs))
    return TrialData(seen, aims, seen_validation, aims_validation, units, one)
