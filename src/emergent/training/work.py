"""Work of training, counted in multiplications: it depends on no machine and on nothing that runs beside."""

from typing import Any

import jax
import jax.numpy as jnp

from emergent.config.training import Training
from emergent.models.size import multiplications
from emergent.training.step import Learner


def batch_training_multiplications(
    own: Learner, settings: Training, num_samples: int, parameters: Any, held: Any, data: Any
) -> float:
    """Returns the multiplications in matrix products of the training of one network in batches.

    Those of the gradients of all steps, as ``emergent.models.size.multiplications`` counts them. Nothing is computed.

    Args:
        own: how the network learns.
        settings: length and batches.
        num_samples: of an epoch.
        parameters: of one network, or their shapes.
        held: what it has beside them, or the shapes of that.
        data: that it sees, or its shapes.
    """
    assert settings.batch_size is not None

    def of_step(size: int) -> int:
        indices, key = jax.ShapeDtypeStruct((size,), jnp.int32), jax.random.key(0)
        return multiplications(own.gradient, parameters, held, data, indices, key)

    whole, rest = divmod(num_samples, settings.batch_size)
    total = whole * of_step(settings.batch_size)
    if rest and settings.last_batch == "keep":
        total += of_step(rest)
    return float(settings.num_epochs * total)
