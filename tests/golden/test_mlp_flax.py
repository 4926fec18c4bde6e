"""Networks against Flax's own layers with the same parameters."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from flax import linen as nn

from emergent.config.models import CnnModel, ConvLayer, MlpModel
from emergent.models.registry import build, parameter_shapes

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(3, 8, 8, 2)).astype(np.float32)
WEIGHT_STD, BIAS_STD = 1.3, 0.4


class FlaxMlp(nn.Module):
    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        hidden = inputs.reshape(len(inputs), -1)
        for _ in range(2):
            hidden = nn.tanh(nn.Dense(7)(hidden))
        return nn.Dense(4)(hidden)


class FlaxCnn(nn.Module):
    readout: str

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        hidden = nn.relu(nn.Conv(5, (3, 3), padding=1)(inputs))
        hidden = nn.avg_pool(hidden, (2, 2), (2, 2))
        hidden = nn.relu(nn.Conv(6, (3, 3), strides=2, padding=1)(hidden))
        hidden = hidden.mean((1, 2)) if self.readout == "mean" else hidden.reshape(len(hidden), -1)
        hidden = nn.relu(nn.Dense(9)(hidden))
        return nn.Dense(4)(hidden)


def mlp(**options: Any) -> MlpModel:
    return MlpModel(family="mlp", width=7, depth=2, num_outputs=4, activation="tanh", **options)


def cnn(readout: str) -> Callable[..., CnnModel]:
    layers = (ConvLayer(channels=5, average_pool=2), ConvLayer(channels=6, stride=2))
    settings = {"family": "cnn", "layers": layers, "readout": readout, "dense": (9,), "num_outputs": 4}
    return lambda **options: CnnModel(**settings | options)  # type: ignore[arg-type]


def plain_parameters(parameters: Any) -> Any:
    """Parameters of the NTK parametrisation as those of ordinary layers: the scale moves into the weights."""
    result = {}
    for name, layer in parameters["params"].items():
        fan_in = np.prod(layer["kernel"].shape[:-1])
        result[name] = {
            "kernel": layer["kernel"] * np.float32(WEIGHT_STD / np.sqrt(fan_in)),
            "bias": layer["bias"] * np.float32(BIAS_STD),
        }
    return {"params": result}


@pytest.mark.parametrize(
    ("config", "reference"),
    [(mlp, FlaxMlp()), (cnn("mean"), FlaxCnn("mean")), (cnn("flatten"), FlaxCnn("flatten"))],
    ids=["mlp", "cnn_mean", "cnn_flatten"],
)
def test_networks_agree_with_flax(config: Callable[..., MlpModel | CnnModel], reference: nn.Module) -> None:
    scaled = build(config(weight_std=WEIGHT_STD, bias_std=BIAS_STD))
    unscaled = build(config(parametrisation="pytorch"))
    shapes = parameter_shapes(unscaled, INPUTS.shape[1:])
    expected_shapes = jax.eval_shape(reference.init, jax.random.key(0), INPUTS[:1])
    assert jax.tree.map(lambda leaf: leaf.shape, shapes) == jax.tree.map(lambda leaf: leaf.shape, expected_shapes)
    parameters = jax.tree.map(lambda leaf: GENERATOR.normal(size=leaf.shape).astype(np.float32), shapes)
    apply = jax.jit(reference.apply)
    expected = np.asarray(apply(plain_parameters(parameters), INPUTS))
    np.testing.assert_allclose(scaled.apply(parameters, INPUTS), expected, rtol=2e-4, atol=2e-5)
    expected = np.asarray(apply(parameters, INPUTS))
    tolerance = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(unscaled.apply(parameters, INPUTS), expected, rtol=2e-4, atol=tolerance)
