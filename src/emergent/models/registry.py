"""Networks by the class of their settings.

A new architecture is one module with a Flax ``nn.Module`` that takes its settings, their class in
``emergent.config.models``, and one line in ``NETWORKS``.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from emergent.config.models import (
    CanonicalisedCnnModel,
    CnnModel,
    GcnnModel,
    MlpModel,
    NetworkModel,
    OrbitAveragedModel,
    SupportCnnModel,
)
from emergent.config.pointnet import PointNetModel
from emergent.config.spherical import SphericalGcnnModel
from emergent.config.steerable import SteerableCnnModel
from emergent.models.canonicalised_cnn import CanonicalisedCnn
from emergent.models.cnn import Cnn
from emergent.models.gcnn import Gcnn
from emergent.models.mlp import Mlp
from emergent.models.orbit_averaged import OrbitAveraged
from emergent.models.pointnet import PointNet
from emergent.models.spherical_gcnn import SphericalGcnn
from emergent.models.steerable_cnn import SteerableCnn
from emergent.models.support_cnn import SupportCnn

NETWORKS: dict[type[NetworkModel], Callable[[Any], nn.Module]] = {
    CanonicalisedCnnModel: CanonicalisedCnn,
    CnnModel: Cnn,
    GcnnModel: Gcnn,
    MlpModel: Mlp,
    OrbitAveragedModel: lambda config: OrbitAveraged(config, build(config.network)),
    PointNetModel: PointNet,
    SphericalGcnnModel: SphericalGcnn,
    SteerableCnnModel: SteerableCnn,
    SupportCnnModel: SupportCnn,
}


def build(config: NetworkModel) -> nn.Module:
    """Returns the Flax module of a model configuration."""
    return NETWORKS[type(config)](config)


def parameter_shapes(module: nn.Module, input_shape: tuple[int, ...]) -> Any:
    """Returns the pytree of parameter shapes of a network on arrays, without computing anything.

    Args:
        module: the network.
        input_shape: shape of one input, without the batch axis.
    """
    inputs = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    return jax.eval_shape(module.init, jax.random.key(0), inputs)
