"""Network families by name, and what the ensemble engine needs to know of them.

A new family is one module with a Flax ``nn.Module``, one configuration class in ``emergent.config.models`` and one
line in ``build``.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from emergent.config.models import GcnnModel, MlpModel, NetworkModel, SupportCnnModel
from emergent.models.cnn import Cnn
from emergent.models.gcnn import Gcnn
from emergent.models.mlp import Mlp
from emergent.models.support_cnn import SupportCnn


def build(config: NetworkModel) -> nn.Module:
    """Returns the Flax module of a model configuration."""
    if isinstance(config, MlpModel):
        return Mlp(config)
    if isinstance(config, GcnnModel):
        return Gcnn(config)
    if isinstance(config, SupportCnnModel):
        return SupportCnn(config)
    return Cnn(config)


def has_convolutions(config: NetworkModel) -> bool:
    """Returns whether XLA sees convolutions, which it runs some twenty times slower inside loops on a CPU."""
    return not isinstance(config, MlpModel | SupportCnnModel)


def parameter_shapes(module: nn.Module, input_shape: tuple[int, ...]) -> Any:
    """Returns the pytree of parameter shapes without computing anything.

    Args:
        module: the network.
        input_shape: shape of one input, without the batch axis.
    """
    inputs = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    return jax.eval_shape(module.init, jax.random.key(0), inputs)
