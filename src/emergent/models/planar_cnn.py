"""CNNs on the grid of a sphere as if it were an image in the plane: encoders with a head, encoders with decoders.

Convolutions take no padding, so that maps shrink; transposed ones in the reverse order restore them. Around every stage
but the first and the last goes a shortcut: down by max-pooling and a 1 x 1 convolution, up by a 1 x 1 convolution and
repeated pixels.

References:
    arXiv:2202.03990 (equivariance against augmentation on the sphere).
"""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.spherical_images_training import PlanarCnn
from emergent.config.spherical_memory import map_sides


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
            window = (kernel, kernel), (stride, stride)
            found = nn.Conv(features, *window, padding="VALID")(hidden)
            if index:
                found += nn.Conv(features, (1, 1))(nn.max_pool(hidden, *window))
            hidden = nn.relu(found)
            channels.append(features)
        if not self.segments:
            return nn.Dense(self.num_outputs)(hidden.mean((1, 2)))
        for index in range(len(stages) - 1, -1, -1):
            _, kernel, stride = stages[index]
            features, side = channels[index], sides[index]
            missing = side - ((sides[index + 1] - 1) * stride + kernel)
            pad = (kernel - 1, kernel - 1 + missing)
            found = nn.ConvTranspose(features, (kernel, kernel), (stride, stride), padding=(pad, pad))(hidden)
            if index == 0:
                return found
            shortcut = nn.Conv(features, (1, 1))(hidden)
            shape = (*shortcut.shape[:1], side, side, features)
            hidden = nn.relu(found + jax.image.resize(shortcut, shape, "nearest"))
        raise AssertionError("a network has stages")
