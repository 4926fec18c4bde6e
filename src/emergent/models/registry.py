"""Network families by name, and what the ensemble engine needs to know of them.

A new family is one module with a Flax ``nn.Module``, one configuration class in ``emergent.config.models`` and one
line in ``build``.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from emergent.config.models import CnnModel, GcnnModel, MlpModel
from emergent.models.cnn import Cnn
from emergent.models.gcnn import Gcnn
from emergent.models.mlp import Mlp


def build(config: MlpModel | CnnModel | GcnnModel) -> nn.Module:
    """Returns the Flax module of a model configuration."""
    if isinstance(config, MlpModel):
        return Mlp(config)
    if isinstance(config, GcnnModel):
        return Gcnn(config)
    return Cnn(config)


def has_convolutions(config: MlpModel | CnnModel | GcnnModel) -> bool:
    """Returns whether the network convolves: XLA runs convolutions inside CPU loops some twenty times slower."""
    return not isinstance(config, MlpModel)


def parameter_shapes(module: nn.Module, input_shape: tuple[int, ...]) -> Any:
    """Returns the pytree of parameter shapes without computing anything.

    Args:
        module: the network.
        input_shape: shape of one input, without the batch axis.
    """
    inputs = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    return jax.eval_shape(module.init, jax.random.key(0), inputs)
