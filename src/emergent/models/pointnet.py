"""Network on point clouds (arXiv 2410.01452): dense layers on points, one message passing layer, mean, dense layers.

The graph is an argument, because rotations leave it as it is: it is built once per cloud, before the cloud is turned.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergent.config.pointnet import PointNetModel

GAIN = 5 / 3
"""Gain of the weights before a tanh."""
EPSILON = 1e-5
NUM_AXES = 3


class Clouds(NamedTuple):
    """Clouds of points with their graphs, the network's inputs.

    Attributes:
        points: [B, P, 3].
        neighbours: [B, P, k], the points that send messages to each point.
    """

    points: Float[Array, "B P 3"]
    neighbours: Int[Array, "B P k"]


def nearest_neighbours(points: Float[Array, "P 3"], num: int) -> Int[Array, "P k"]:
    """Returns the ``num`` nearest other points of every point, the nearest first.

    Distances come from differences of coordinates: the expanded square loses the small ones to rounding.
    """
    distances = jnp.square(points[:, None] - points[None]).sum(-1)
    distances = jnp.where(jnp.eye(points.shape[0], dtype=bool), jnp.inf, distances)
    return jax.lax.top_k(-distances, num)[1]


def normalise(inputs: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Returns the inputs with mean 0 and variance 1 (biased, epsilon 1e-5) over some axes."""
    centred = inputs - inputs.mean(axes, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.square(centred).mean(axes, keepdims=True) + EPSILON)


class Layer(NamedTuple):
    """A dense layer: its name, its size, and whether its weights start uniform in +-1 / sqrt(fan_in)."""

    name: str
    fan_in: int
    features: int
    uniform: bool


def dense_layers(config: PointNetModel) -> list[Layer]:
    """Returns all dense layers of a network, in order."""
    uniform = config.initialisation == "released"
    parts = (
        ("encoder", config.encoder, False),
        ("local", config.local_net, uniform),
        ("global", config.global_net, uniform),
        ("decoder", config.decoder, False),
        ("output", (config.num_outputs,), False),
    )
    layers, fan_in = [], NUM_AXES
    for part, widths, law in parts:
        for index, width in enumerate(widths):
            # A message carries the position of its sender relative to its receiver.
            extra = NUM_AXES if (part, index) == ("local", 0) else 0
            layers.append(Layer(f"{part}_{index}", fan_in + extra, width, law))
            fan_in = width
    return layers


def initial_parameters(config: PointNetModel, key: PRNGKeyArray) -> dict[str, dict[str, dict[str, jax.Array]]]:
    """Returns initial parameters: see ``emergent.config.pointnet.Initialisation``.

    All layers take their parts of one Gaussian and one uniform vector: a draw per layer would compile for seconds.
    """
    layers = dense_layers(config)
    gaussian_key, uniform_key = jax.random.split(key)
    total = sum((layer.fan_in + 1) * layer.features for layer in layers)
    gaussian = jax.random.normal(gaussian_key, (total,))
    flat = jax.random.uniform(uniform_key, (total,), minval=-1.0, maxval=1.0)
    parameters, start = {}, 0
    for layer in layers:
        stop = start + layer.fan_in * layer.features
        xavier_std = GAIN * (2 / (layer.fan_in + layer.features)) ** 0.5
        kernel = flat[start:stop] / layer.fan_in**0.5 if layer.uniform else xavier_std * gaussian[start:stop]
        bias = flat[stop : stop + layer.features] / layer.fan_in**0.5
        parameters[layer.name] = {"kernel": kernel.reshape(layer.fan_in, layer.features), "bias": bias}
        start = stop + layer.features
    return {"params": parameters}


class Affine(nn.Module):
    """Weights and biases of a dense layer; their initial values come from ``initial_parameters``."""

    features: int

    @nn.compact
    def __call__(self, fan_in: int) -> tuple[jax.Array, jax.Array]:
        """Returns the weights [fan_in, features] and the biases [features]."""
        kernel = self.param("kernel", nn.initializers.zeros, (fan_in, self.features))
        return kernel, self.param("bias", nn.initializers.zeros, (self.features,))


def dense(inputs: jax.Array, layer: Affine) -> jax.Array:
    """Returns a dense layer's outputs on the last axis."""
    kernel, bias = layer(inputs.shape[-1])
    return inputs @ kernel + bias.reshape((1,) * (inputs.ndim - 1) + bias.shape)


class PointNet(nn.Module):
    """See ``PointNetModel``."""

    config: PointNetModel

    def init(self, rngs: Any, *inputs: Any, **options: Any) -> Any:
        """Returns initial parameters, of all layers from one draw; shapes do not depend on the inputs."""
        del inputs, options
        return initial_parameters(self.config, rngs)

    @nn.compact
    def __call__(self, inputs: Clouds) -> Float[Array, "B K"]:
        """Returns the logits of a batch of clouds, each with its graph."""
        points, neighbours = inputs
        config = self.config
        hidden = points
        for index, width in enumerate(config.encoder):
            hidden = jnp.tanh(dense(hidden, Affine(width, name=f"encoder_{index}")))
        hidden = self._local_net(hidden, points, neighbours)
        for index, width in enumerate(config.global_net):
            hidden = normalise(jnp.tanh(dense(hidden, Affine(width, name=f"global_{index}"))), (-1,))
        hidden = hidden.mean(1)
        for index, width in enumerate(config.decoder):
            hidden = jnp.tanh(dense(hidden, Affine(width, name=f"decoder_{index}")))
        return dense(hidden, Affine(config.num_outputs, name="output_0"))

    def _local_net(self, features: jax.Array, points: jax.Array, neighbours: jax.Array) -> jax.Array:
        """Returns the mean [B, P, F] over the messages of each point, that of the point to itself included."""
        config = self.config
        num_features, messages_per_point = features.shape[-1], neighbours.shape[-1] + 1
        kernel, bias = Affine(config.local_net[0], name="local_0")(num_features + NUM_AXES)
        # The first layer acts on the sender's features once per point instead of once per message.
        sent = features @ kernel[:num_features] + bias.reshape(1, 1, -1)
        gather = jax.vmap(lambda values, index: values[index])
        offsets = gather(points, neighbours) - points[:, :, None]
        to_others = gather(sent, neighbours) + offsets @ kernel[num_features:]
        # PyTorch Geometric appends messages of points to themselves after all others, so that the released blocks of
        # rows straddle points and clouds.
        if config.normalisation == "consecutive_rows":
            width = config.local_net[0]
            rows = jnp.concatenate([to_others.reshape(-1, width), sent.reshape(-1, width)])
            messages = rows.reshape(-1, messages_per_point, width)
        else:
            messages = jnp.concatenate([to_others, sent[:, :, None]], 2)
        axes = (-1,) if config.normalisation == "per_message" else (-2, -1)
        messages = normalise(jnp.tanh(messages), axes)
        for index, width in enumerate(config.local_net[1:], start=1):
            messages = normalise(jnp.tanh(dense(messages, Affine(width, name=f"local_{index}"))), axes)
        if config.normalisation != "consecutive_rows":
            return messages.mean(2)
        rows = messages.reshape(-1, messages.shape[-1])
        split = neighbours.size
        others = rows[:split].reshape(*neighbours.shape, -1).sum(2)
        return (others + rows[split:].reshape(others.shape)) / messages_per_point
