"""Latent spaces of flows and classifiers of samples: how they learn, and whether a flow is invertible.

References:
    Dombrowski, Gerken, Müller and Kessel, Diffeomorphic counterfactuals with generative models, arXiv:2206.05075.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float, Int

from emergent.config.counterfactual_training import CounterfactualStage, DigitImages
from emergent.domains.counterfactuals import GREY_LEVELS, ManifoldData, Scaling
from emergent.errors import DataError
from emergent.models.latent_flows import LatentFlow, log_normal
from emergent.models.registry import build
from emergent.training.latent_attacks import log_probabilities
from emergent.training.step import Learner

CHECKED = 64
"""Samples that go to latent space and back."""


class LatentSpace(NamedTuple):
    """A flow and how it sees samples.

    Attributes:
        flow: functions on scaled samples.
        parameters: of the flow.
        scaling: of pixels; None for points.
    """

    flow: LatentFlow
    parameters: Any
    scaling: Scaling | None

    def encode(self, data: Float[JaxArray, "N D"]) -> Float[JaxArray, "N D"]:
        """Returns latent coordinates of samples."""
        values = data if self.scaling is None else self.scaling.apply(data)[0]
        return self.flow.to_latent(self.parameters, values)[0]

    def decode(self, latent: Float[JaxArray, "N D"]) -> Float[JaxArray, "N D"]:
        """Returns samples of latent coordinates."""
        values = self.flow.to_data(self.parameters, latent)
        return values if self.scaling is None else self.scaling.undo(values)

    def log_density(self, data: Float[JaxArray, "N D"]) -> Float[JaxArray, " N"]:
        """Returns the logarithm of the density in data space."""
        values, slopes = (data, 0.0) if self.scaling is None else self.scaling.apply(data)
        latent, determinants = self.flow.to_latent(self.parameters, values)
        return log_normal(latent) + determinants + slopes


def negative_log_likelihood(space: LatentSpace, data: Float[JaxArray, "N D"]) -> Float[JaxArray, " N"]:
    """Returns nats for points, and bits a pixel for images of 8 bits."""
    nats = -space.log_density(data)
    return nats if space.scaling is None else nats / (data.shape[1] * jnp.log(2.0)) + jnp.log2(float(GREY_LEVELS))


class RoundTrip:
    """The way to latent space and back, compiled once.

    In double precision, where the couplings of a flow are inverse to each other up to rounding; in single precision the
    factors of a trained flow, up to e to the number of couplings, would make rounding as large as a mistake.
    """

    def __init__(self, flow: LatentFlow) -> None:
        """Compiles nothing yet."""

        @jax.jit
        def both_ways(parameters: Any, scaling: Scaling | None, data: JaxArray) -> JaxArray:
            space = LatentSpace(flow, parameters, scaling)
            return jnp.abs(space.decode(space.encode(data)) - data).max()

        self._run = both_ways

    def error(self, space: LatentSpace, data: Float[np.ndarray, "N D"]) -> float:
        """Returns the largest difference between samples and what comes back."""
        with jax.enable_x64(True):
            wide = jax.tree.map(lambda value: np.asarray(value, np.float64), (space.parameters, space.scaling, data))
            return float(self._run(*wide))

    def require(
        self, space: LatentSpace, data: Float[np.ndarray, "N D"], stage: CounterfactualStage, trial: int, when: str
    ) -> float:
        """Returns the error.

        Raises:
            DataError: it is above the tolerance, or not a number: the flow is not invertible.
        """
        error = self.error(space, data[:CHECKED])
        if not error <= stage.tolerance:
            raise DataError(
                f"trial {trial} of arm {stage.arm}: expected a flow that is invertible, samples that come back from "
                f"latent space up to {stage.tolerance:g}, found a difference of {error:.3g} {when}; nothing was "
                "written. Mend the inverse of its layers, which must leave alone what their networks see."
            )
        return error


def flow_learner(stage: CounterfactualStage, flow: LatentFlow) -> Learner:
    """Returns how a flow learns the density of samples."""

    def loss(parameters: Any, scaling: Scaling | None, samples: JaxArray) -> JaxArray:
        return -LatentSpace(flow, parameters, scaling).log_density(samples).mean()

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Any, tuple[()]]:
        del sample, given
        return flow.initialise(key), ()

    def gradient(
        parameters: Any, held: Any, data: ManifoldData, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        del held
        assert indices is not None
        samples, _ = data.batch(indices, key)
        return jax.value_and_grad(loss)(parameters, data.scaling, samples)

    def score(parameters: Any, held: Any, data: ManifoldData) -> JaxArray:
        del held
        return loss(parameters, data.scaling, data.validation)

    assert stage.generator.family == "coupling"
    return Learner(initialise, gradient, optax.adam(stage.generator.train.learning_rate), score=score)


def classify(stage: CounterfactualStage, parameters: Any, data: Float[JaxArray, "N D"]) -> Float[JaxArray, "N K"]:
    """Returns the outputs of a classifier."""
    settings = stage.data
    images = isinstance(settings, DigitImages) and stage.classifiers.model.family == "cnn"
    inputs = data.reshape(-1, settings.side, settings.side, 1) if images else data  # pyright: ignore
    return build(stage.classifiers.model).apply(parameters, inputs)  # pyright: ignore[reportReturnType]


def classifier_learner(stage: CounterfactualStage) -> Learner:
    """Returns how a classifier learns classes."""
    module, settings = build(stage.classifiers.model), stage.data

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Any, tuple[()]]:
        del given
        images = isinstance(settings, DigitImages) and stage.classifiers.model.family == "cnn"
        return module.init(key, sample.reshape(-1, settings.side, settings.side, 1) if images else sample), ()  # pyright: ignore

    def loss(parameters: Any, samples: JaxArray, labels: Int[JaxArray, " N"]) -> JaxArray:
        logs = log_probabilities(classify(stage, parameters, samples))
        return -jnp.take_along_axis(logs, labels[:, None], 1).mean()

    def gradient(
        parameters: Any, held: Any, data: ManifoldData, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        del held
        assert indices is not None
        return jax.value_and_grad(loss)(parameters, *data.batch(indices, key))

    return Learner(initialise, gradient, optax.adam(stage.classifiers.train.learning_rate))
