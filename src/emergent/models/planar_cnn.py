"""CNNs on the grid of a sphere as if it were an image in the plane: encoders with a head, encoders with decoders.

Convolutions take no padding, so that maps shrink; transposed ones in the reverse order restore them. Around every stage
but the first and the last goes a shortcut: down by max-pooling and a 1 x 1 convolution, up by a 1 x 1 convolution and
repeated pixels.

References:
    arXiv:2202.03990 (equivariance against augmentation on the sphere).
"""

from functools import reduce

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from emergent.config.spherical_images_training import PlanarCnn
from emergent.config.spherical_memory import map_sides


def convolve(inputs: Float[Array, "N H W C"], kernel: Float[Array, "k k C D"], stride: int = 1) -> Array:
    """Returns the convolution without padding.

    By XLA, as its filters and maps are large for shifted copies.
    """
    return lax.conv_general_dilated(
        inputs, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def max_pool(inputs: Float[Array, "N H W C"], side: int, stride: int) -> Array:
    """Returns the largest values in windows: along one axis, then along the other.

    As maxima of shifted maps, whose gradient is eight times as fast on a CPU as that of XLA's windows.
    """
    for axis in (1, 2):
        reach = (inputs.shape[axis] - side) // stride * stride + 1
        shifted = (lax.slice_in_dim(inputs, first, first + reach, stride, axis) for first in range(side))
        inputs = reduce(jnp.maximum, shifted)
    return inputs


def convolve_transposed(inputs: Float[Array, "N H W C"], kernel: Float[Array, "k k C D"], stride: int = 1) -> Array:
    """Returns the transposed convolution, of side ``(H - 1) stride + k``.

    As an ordinary one with a filter for each of the ``stride`` x ``stride`` pixels that an input makes: XLA takes ten
    times as long for the gradient of a transposed one on a CPU.
    """
    side, _, channels, features = kernel.shape
    taps, height = -(-side // stride), inputs.shape[1]
    missing = taps * stride - side
    filters = jnp.pad(kernel[::-1, ::-1], ((0, missing), (0, missing), (0, 0), (0, 0)))
    filters = filters.reshape(taps, stride, taps, stride, channels, features)[::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
    edge = (taps - 1, taps - 1)
    padded = jnp.pad(inputs, ((0, 0), edge, edge, (0, 0)))
    found = convolve(padded, filters.reshape(taps, taps, channels, -1))
    num = height + taps - 1
    found = found.reshape(-1, num, num, stride, stride, features).transpose(0, 1, 3, 2, 4, 5)
    wanted = (height - 1) * stride + side
    return found.reshape(-1, num * stride, num * stride, features)[:, :wanted, :wanted]


class PlanarConv(nn.Module):
    """Convolution of square images without padding, or a transposed one, with a bias.

    Attributes:
        features: channels of the outputs.
        side: of the filter.
        stride: of the filter, or of its outputs where it is transposed.
        restored: side of the maps that a transposed one restores, zeros before the bias where its filter does not
            reach; None convolves.
    """

    features: int
    side: int = 1
    stride: int = 1
    restored: int | None = None

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Array:
        """Returns the layer's outputs."""
        shape = (self.side, self.side, inputs.shape[-1], self.features)
        kernel = self.param("kernel", nn.linear.default_kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        inputs, kernel, bias = promote_dtype(inputs, kernel, bias)
        if self.restored is None:
            return convolve(inputs, kernel, self.stride) + bias[None, None, None]
        found = convolve_transposed(inputs, kernel, self.stride)
        missing = (0, self.restored - found.shape[1])
        return jnp.pad(found, ((0, 0), missing, missing, (0, 0))) + bias[None, None, None]


class PlanarCnnNet(nn.Module):
    """Classifier, or a network that labels every pixel.

    Attributes:
        config: of the layers.
        num_outputs: K.
        segments: every pixel is labelled.
    """

    config: PlanarCnn
    num_outputs: int
    segments: bool

    @nn.compact
    def __call__(self, images: Float[Array, "N H W C"]) -> Array:
        """Returns logits [N, K], or [N, H, W, K].

        Raises:
            ConfigError: the images are too small.
        """
        config = self.config
        sides = map_sides(config, images.shape[1])
        stages = list(zip(config.features, config.kernels, config.strides, strict=True))
        hidden, channels = images, [self.num_outputs]
        for index, (features, kernel, stride) in enumerate(stages):
            found = PlanarConv(features, kernel, stride)(hidden)
            if index:
                found += PlanarConv(features)(max_pool(hidden, kernel, stride))
            hidden = nn.relu(found)
            channels.append(features)
        if not self.segments:
            return nn.Dense(self.num_outputs)(hidden.mean((1, 2)))
        for index in range(len(stages) - 1, -1, -1):
            _, kernel, stride = stages[index]
            features, side = channels[index], sides[index]
            found = PlanarConv(features, kernel, stride, restored=side)(hidden)
            if index == 0:
                return found
            shortcut = PlanarConv(features)(hidden)
            shape = (*shortcut.shape[:1], side, side, features)
            hidden = nn.relu(found + jax.image.resize(shortcut, shape, "nearest"))
        raise AssertionError("a network has stages")
