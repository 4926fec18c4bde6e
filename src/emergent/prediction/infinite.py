"""The infinitely wide ensemble at the training time of the finite ones, on the same samples and orbits.

In: the training set with the actions of the group on inputs and targets, and test sets with the actions that make up
their orbits. Out: mean and covariance at every point of every orbit, in float64. What the samples are (images, vectors)
is known to their actions only.

References:
    arXiv 2403.03103: mean and covariance of gradient flow under the NTK; here for the same number of discrete steps.
    arXiv 2406.06504: the same for group convolutional networks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from emergent.config.prediction_memory import prediction_size
from emergent.config.stages import PredictStage
from emergent.domains.arrays import ArrayData, TestSamples
from emergent.domains.protocols import TrainingData
from emergent.errors import ConfigError
from emergent.groups.actions import Action
from emergent.kernels.gram import require_memory
from emergent.kernels.registry import kernel_function
from emergent.point_groups import group_from_name
from emergent.prediction.gradient_flow import Schedule
from emergent.prediction.regression import InfiniteEnsemble, OrbitPrediction, fit_infinite_ensemble
from emergent.provenance import physical_memory_bytes
from emergent.storage import Array


@jax.jit
def _moved(action: Any, values: jax.Array) -> jax.Array:
    return action.orbit(values)


def _orbit(action: Action, values: Any) -> Float[np.ndarray, "G N ..."]:
    # Float64 before anything is moved: sums over neighbouring pixels would round to float32 otherwise.
    return np.asarray(_moved(action, jnp.asarray(np.asarray(values, np.float64))), np.float64)


def _regression_targets(targets: np.ndarray, num_outputs: int) -> Float[np.ndarray, "N K"]:
    """Returns what the squared error compares outputs with: for integer labels one-hot vectors minus 1/K.

    As in training (``emergent.training.step.half_squared_error``), but in float64.
    """
    if not np.issubdtype(targets.dtype, np.integer):
        return targets
    # Mean 0 over classes, like an ensemble at the start; as in the code of arXiv 2406.06504.
    return np.eye(num_outputs)[targets] - 1 / num_outputs


def infinite_ensemble(
    stage: PredictStage, training: TrainingData, sets: Mapping[str, TestSamples], memory_bytes: int | None = None
) -> InfiniteEnsemble:
    """Returns the infinitely wide ensemble of an arm, ready to predict at any time.

    Args:
        stage: settings of the prediction.
        training: base samples with targets and actions; their orbits are formed here.
        sets: test sets by name, whose size the memory depends on.
        memory_bytes: memory that may be used; None takes the machine's.

    Raises:
        ConfigError: the network has no kernel, or samples are no fixed arrays.
        ResourceError: it would need more memory.
    """
    if not isinstance(training, ArrayData):
        raise ConfigError(f"data.domain: predictions need a fixed training set of arrays, found {stage.data.domain!r}.")
    shape = training.inputs.shape[1:]
    kernel = kernel_function(stage.model, shape)
    largest = max((len(samples.inputs) for samples in sets.values()), default=0)
    size = prediction_size(stage, shape, training.num_samples, largest)
    require_memory(size.kept_bytes, size.tile_size, size.floats_per_pair, memory_bytes or physical_memory_bytes())
    targets = _regression_targets(np.asarray(training.targets), stage.model.num_outputs)
    return fit_infinite_ensemble(
        kernel,
        group_from_name(stage.augmentation.group),
        _orbit(training.on_inputs, training.inputs),
        _orbit(training.on_targets, targets),
        tile_size=stage.tile_size,
    )


def predictions_at(
    ensemble: InfiniteEnsemble, stage: PredictStage, samples: TestSamples, times: Sequence[float] = (1.0,)
) -> list[OrbitPrediction]:
    """Returns mean and covariance on the orbits of a test set, at multiples of the members' training time.

    Args:
        ensemble: what ``infinite_ensemble`` returned.
        stage: settings of the prediction.
        samples: test set.
        times: multiples; may be infinite.

    Raises:
        ConfigError: gradient descent diverges at the configured learning rate, or a multiple is no number of steps.
    """
    # With the full batch an epoch is one step. Steps and not time: near the largest stable rate gradient descent is not
    # gradient flow.
    steps = stage.train.num_epochs
    schedules = [Schedule(stage.train.learning_rate, steps * time, discrete=True) for time in times]
    return ensemble.predict_orbits_many(_orbit(samples.orbit, samples.inputs), schedules)


def infinite_predictions(
    stage: PredictStage, training: TrainingData, sets: Mapping[str, TestSamples], memory_bytes: int | None = None
) -> tuple[float, dict[str, OrbitPrediction]]:
    """Returns the largest stable learning rate, and mean and covariance on the orbits of each test set by name.

    Args: see ``infinite_ensemble``.

    Raises: what ``infinite_ensemble`` and ``predictions_at`` raise.
    """
    ensemble = infinite_ensemble(stage, training, sets, memory_bytes)
    predictions = {name: predictions_at(ensemble, stage, samples)[0] for name, samples in sets.items()}
    return ensemble.spectrum.max_learning_rate, predictions


def energy_covariance(prediction: OrbitPrediction) -> Float[np.ndarray, "N G G"]:
    """Returns the covariance over each orbit of a member's mean over outputs: the energy per site.

    Sites are independent channels of equal variance, so their mean has 1 / num_sites of it.
    """
    return prediction.covariance / prediction.mean.shape[2]


def prediction_arrays(
    stage: PredictStage, max_learning_rate: float, predictions: Mapping[str, OrbitPrediction]
) -> dict[str, Array]:
    """Returns what ``infinite_predictions`` found as arrays to be stored.

    By set: ``mean`` [N, G, K]; and the covariance [N, G, G] over each orbit, for outputs per pixel that of their mean,
    the energy per site (``energy_covariance``), for others that of any one output (``covariance``).
    """
    limit = np.asarray(max_learning_rate)
    arrays = {"max_learning_rate": Array(limit, (), "1", "gradient descent diverges above it")}
    per_pixel = stage.data.domain == "images" and stage.data.outputs == "pixels"
    for name, prediction in predictions.items():
        output = "site" if per_pixel else "output"
        arrays[f"{name}/mean"] = Array(prediction.mean, ("sample", "element", output), "1", "mean prediction")
        dims = ("sample", "element", "element2")
        if per_pixel:
            text = "covariance of a member's energy per site"
            arrays[f"{name}/energy_covariance"] = Array(energy_covariance(prediction), dims, "1", text)
        else:
            text = "covariance of one output of a member, the same for all outputs, which are independent"
            arrays[f"{name}/covariance"] = Array(prediction.covariance, dims, "1", text)
    return arrays
