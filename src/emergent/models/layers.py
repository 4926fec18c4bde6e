"""Layers shared by the network families: scaled dense and convolutional layers, activations, average pooling.

Parametrisations (``emergent.config.models``): ``ntk`` keeps weights N(0, 1) and scales the forward pass by
``weight_std / sqrt(fan_in)``, as neural-tangents does; ``he`` has this factor in the initial weights, and biases that
start at zero; ``pytorch`` draws weights and biases uniformly in ``+-1 / sqrt(fan_in)``. Both leave the forward pass
alone.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from emergent.models.draws import normal, uniform

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"relu": nn.relu, "erf": lax.erf, "tanh": jnp.tanh}


def uniform_fan_in(fan_in: int) -> Callable[..., jax.Array]:
    """Returns an initialiser that draws uniformly in ``+-1 / sqrt(fan_in)``, the default of PyTorch's layers."""

    def initialise(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
        return uniform(key, shape, dtype) / jnp.sqrt(jnp.asarray(fan_in, dtype))

    return initialise


def scaled_normal(std: float) -> Callable[..., jax.Array]:
    """Returns an initialiser that draws N(0, std^2)."""

    def initialise(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
        return normal(key, shape, dtype) * jnp.asarray(std, dtype)

    return initialise


class ScaledModule(nn.Module):
    """Base of layers with weights and biases in one of the parametrisations.

    Attributes:
        parametrisation: ``ntk``, ``he``, ``pytorch`` or ``pytorch_unbiased``.
        weight_std: gain of the weights (``ntk`` and ``he`` only).
        bias_std: gain of the biases (``ntk`` only; 0 creates none).
    """

    parametrisation: str
    weight_std: float
    bias_std: float

    def weights(self, shape: tuple[int, ...], fan_in: int) -> jax.Array:
        """Returns the (scaled) weights of a given shape."""
        if self.parametrisation == "ntk":
            kernel = self.param("kernel", normal, shape)
            return kernel * (self.weight_std / fan_in**0.5)
        if self.parametrisation == "he":
            return self.param("kernel", scaled_normal(self.weight_std / fan_in**0.5), shape)
        return self.param("kernel", uniform_fan_in(fan_in), shape)

    def add_bias(self, outputs: jax.Array, fan_in: int) -> jax.Array:
        """Returns the outputs plus one bias per channel (last axis)."""
        shape = (outputs.shape[-1],)
        if self.parametrisation == "pytorch":
            bias = self.param("bias", uniform_fan_in(fan_in), shape)
        elif self.parametrisation == "he":
            bias = self.param("bias", nn.initializers.zeros, shape)
        elif self.parametrisation == "ntk" and self.bias_std > 0:
            bias = self.bias_std * self.param("bias", normal, shape)
        else:
            return outputs
        return outputs + bias.reshape((1,) * (outputs.ndim - 1) + shape)


class Dense(ScaledModule):
    """Dense layer on the last axis with ``features`` outputs."""

    features: int = 1

    @nn.compact
    def __call__(self, inputs: Float[Array, "N fan_in"]) -> Float[Array, "N features"]:
        """Returns the layer's outputs."""
        fan_in = inputs.shape[-1]
        return self.add_bias(inputs @ self.weights((fan_in, self.features), fan_in), fan_in)


def convolve(
    inputs: Float[Array, "N H W C"], kernel: Float[Array, "k k C D"], stride: int = 1, padding: int | None = None
) -> Array:
    """Returns the zero-padded convolution of images with a square filter.

    As one product of the filters with the shifted images, in the layout that is faster where it runs. On a CPU XLA
    trains that twice as fast as its convolution, and can run it inside loops (``benchmarks/convolutions.py``); on
    accelerators filters that differ between members would make its convolution a grouped one.

    Args:
        inputs: images.
        kernel: the filter.
        stride: step of the filter in pixels.
        padding: zeros on each side; None takes half of an odd filter, of which ``ceil(H / stride)`` rows remain. Both
            sides alike, unlike "SAME" with a stride, which pads the far side more and so breaks the symmetry of turns.
    """
    by_slices = jax.default_backend() == "cpu"
    return (convolve_by_slices if by_slices else convolve_by_columns)(inputs, kernel, stride, padding)


def convolve_wide(inputs: Float[Array, "N H W C"], kernel: Float[Array, "k k C D"]) -> Array:
    """Returns the same without a stride, of many channels that are cheap to multiply: those of group convolutions.

    There the nine shifted copies are most of the work, and on a CPU XLA's convolution, which makes none, trains twice
    as fast as a product. It must not stand inside a loop.

    Args:
        inputs: feature maps.
        kernel: bank of filters.
    """
    if jax.default_backend() != "cpu":
        return convolve_by_columns(inputs, kernel, 1)
    # As products do, and unlike the library: parameters may be in single precision where inputs are in double.
    dtype = jnp.result_type(inputs, kernel)
    inputs, kernel = inputs.astype(dtype), kernel.astype(dtype)
    return lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@partial(jax.jit, static_argnums=(2, 3))
def convolve_by_slices(
    inputs: Float[Array, "N H W C"], kernel: Float[Array, "k k C D"], stride: int, padding: int | None = None
) -> Array:
    """Returns the convolution as one matrix product, as fast as those are for a few images at a time on a CPU."""
    features, num = kernel.shape[-1], inputs.shape[0]
    # Images last: then a shift copies whole rows of them, and the product is wide in all three of its roles, forward
    # and for both gradients.
    shifted = _shifted(inputs.transpose(3, 1, 2, 0), kernel.shape[0], stride, padding)
    height, width = shifted[0].shape[1:3]
    outputs = kernel.reshape(-1, features).T @ jnp.concatenate(shifted).reshape(-1, height * width * num)
    return outputs.reshape(features, height, width, num).transpose(3, 1, 2, 0)


def convolve_by_columns(
    inputs: Float[Array, "N H W C"], kernel: Float[Array, "k k C D"], stride: int, padding: int | None = None
) -> Array:
    """Returns the convolution as one matrix product with the surroundings of each pixel side by side."""
    shifted = _shifted(inputs, kernel.shape[0], stride, padding)
    return jnp.concatenate(shifted, -1) @ kernel.reshape(-1, kernel.shape[-1])


def _shifted(values: Float[Array, "a H W b"], size: int, stride: int, padding: int | None) -> list[Array]:
    """Returns the copies of zero-padded maps that the taps of a filter read, row by row of the filter."""
    pad = size // 2 if padding is None else padding
    height, width = ((side + 2 * pad - size) // stride + 1 for side in values.shape[1:3])
    padded = jnp.pad(values, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows, columns = stride * (height - 1) + 1, stride * (width - 1) + 1
    return [padded[:, y : y + rows : stride, x : x + columns : stride] for y, x in np.ndindex(size, size)]


class Conv(ScaledModule):
    """Zero-padded convolution with an odd square filter."""

    features: int = 1
    filter_size: int = 3
    stride: int = 1

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Array:
        """Returns the feature maps."""
        channels = inputs.shape[-1]
        fan_in = self.filter_size**2 * channels
        kernel = self.weights((self.filter_size, self.filter_size, channels, self.features), fan_in)
        return self.add_bias(convolve(inputs, kernel, self.stride), fan_in)


def average_pool(inputs: Float[Array, "N H W C"], side: int) -> Array:
    """Returns means over non-overlapping windows; ``side`` must divide the image, so that no pixel is dropped."""
    if side == 1:
        return inputs
    num, height, width, channels = inputs.shape
    if height % side or width % side:
        raise ValueError(f"average_pool: expected a divisor of the image size {height} x {width}, found {side}")
    return inputs.reshape(num, height // side, side, width // side, side, channels).mean((2, 4))
