"""The headline network against the same network built of Flax's own layers, which share no code with ours.

Filters are full ones whose other taps are zero; normalisation is Flax's instance norm. In float64.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from emergent.config.models import SupportCnnModel
from emergent.models.support_cnn import SupportCnn

CROSS = ("010", "111", "010")
ASYMMETRIC = ("110", "101", "010")
DIAMOND = ("00100", "01110", "11111", "01110", "00100")


class Layers(nn.Module):
    """Convolution, average pool, tanh and instance norm, three times; a linear read-out."""

    channels: tuple[int, ...]
    size: int
    num_pooled: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        hidden = images
        for index, features in enumerate(self.channels):
            hidden = nn.Conv(features, (self.size, self.size), use_bias=False, param_dtype=jnp.float64)(hidden)
            if index < self.num_pooled:
                hidden = nn.avg_pool(hidden, (2, 2), (2, 2))
            hidden = nn.InstanceNorm(epsilon=1e-5, use_bias=False, use_scale=False)(nn.tanh(hidden))
        return nn.Dense(10, use_bias=False, param_dtype=jnp.float64)(hidden.reshape(len(images), -1))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("support", [CROSS, ASYMMETRIC, DIAMOND])
def test_logits_are_those_of_flax(support: tuple[str, ...]) -> None:
    config = SupportCnnModel(family="support_cnn", channels=(16, 16, 16), num_pooled=2, support=support, num_outputs=10)
    images = jax.random.normal(jax.random.key(0), (3, 28, 28, 1), jnp.float64)
    ours = SupportCnn(config)
    drawn = jax.jit(ours.init)(jax.random.key(1), images)["params"]
    parameters = jax.tree.map(lambda value: value.astype(jnp.float64), drawn)
    taps = np.array([[character == "1" for character in row] for row in support])
    theirs = {"Dense_0": {"kernel": parameters["readout"].reshape(-1, 10)}}
    for index in range(3):
        weights = np.asarray(parameters[f"kernel_{index}"])
        full = np.zeros((*taps.shape, *weights.shape[1:]))
        full[taps] = weights
        theirs[f"Conv_{index}"] = {"kernel": full}
    module = Layers((16, 16, 16), len(support), 2)
    expected = jax.jit(module.apply)({"params": theirs}, images)
    np.testing.assert_allclose(jax.jit(ours.apply)({"params": parameters}, images), expected, rtol=1e-10, atol=1e-9)
