"""Networks on the test samples of a trial, as they are and moved by random elements of the group; errors of means."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.data_efficiency_training import DataEfficiencyStage
from emergent.groups.tensors import TensorAction, move
from emergent.training.symmetric_methods import Spaces, SymmetricMethod, equivariance_error
from emergent.training.trial_data import Samples, Units


class Tested(NamedTuple):
    """Outputs of M networks on the test samples of a trial, in the units of targets.

    Attributes:
        outputs: [M, N, K].
        moved: outputs of moved inputs [M, N, K].
        elements: by which they were moved [N, d, d].
    """

    outputs: Float[np.ndarray, "M N K"]
    moved: Float[np.ndarray, "M N K"]
    elements: Float[np.ndarray, "N d d"]


class Test:
    """Networks on the test samples of a trial, compiled once."""

    __test__ = False

    def __init__(self, stage: DataEfficiencyStage, method: SymmetricMethod, samples: Samples, units: Units) -> None:
        """Compiles nothing yet; test samples and units are those of all trials."""
        self.spaces, self._method, self._batch = Spaces.of(stage.task.function), method, stage.task.test_batch
        self._samples, self._units = samples, units
        self._action = TensorAction.of(method.symmetry, self.spaces.inputs)
        self._run = jax.jit(self._compute)

    def _compute(self, parameters: Any, inputs: JaxArray, units: Units, key: JaxArray) -> Tested:
        elements = self._action.draw(key, len(inputs))

        def outputs(values: JaxArray) -> JaxArray:
            # One network after another: the samples are work enough.
            found = jax.lax.map(lambda network: self._method.outputs(network, values), parameters)
            return units.mean[None, None] + units.scale[None, None] * found

        return Tested(outputs(inputs), outputs(self._action.transform(inputs, elements)), elements)  # pyright: ignore

    def run(self, parameters: Any, trial: int, key: JaxArray) -> Tested:
        """Returns outputs of networks [M, ...] on the samples of the trial at a position, and on moved ones."""
        units = Units(self._units.mean[trial], self._units.scale[trial])
        return Tested(*map(np.asarray, self._run(parameters, self._samples.inputs[trial], units, key)))

    def errors(self, tested: Tested, first: int, stop: int, trial: int) -> tuple[float, float]:
        """Returns mean squared and equivariance error of the mean of some networks."""
        outputs, moved = (values[first:stop].mean(0) for values in (tested.outputs, tested.moved))
        expected = np.asarray(move(self.spaces.outputs, jnp.asarray(outputs), jnp.asarray(tested.elements)))
        mse = np.square(outputs - np.asarray(self._samples.targets[trial]), dtype=np.float64).mean()
        return float(mse), equivariance_error(moved, expected, tested.elements, self._batch)
