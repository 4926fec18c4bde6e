"""Planar networks on the grid of a sphere: their layers are those of Flax, in double precision, and keep the grid."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from emergent.config.spherical_images_training import PlanarCnn
from emergent.errors import ConfigError
from emergent.models.planar_cnn import PlanarCnnNet, PlanarConv, max_pool

KEYS = jax.random.split(jax.random.key(22), 3)


@pytest.fixture(autouse=True)
def _x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def value_and_gradients(layer: nn.Module, parameters: object, inputs: jax.Array) -> object:
    """Returns outputs, and gradients of a weighted sum of their squares by parameters and inputs."""

    def total(given: object, values: jax.Array) -> jax.Array:
        found = layer.apply(given, values)  # pyright: ignore[reportArgumentType]
        return (jnp.cos(jnp.arange(found.size).reshape(found.shape)) * found**2).sum()  # pyright: ignore

    return layer.apply(parameters, inputs), jax.grad(total, (0, 1))(parameters, inputs)  # pyright: ignore


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(9, 3, 1), (9, 5, 2), (8, 7, 3), (3, 5, 2), (4, 2, 2), (6, 1, 1)]
)
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_and_transposed_ones_are_those_of_flax(
    side: int, kernel: int, stride: int, transposed: bool
) -> None:
    side += kernel * (not transposed)
    inputs = jax.random.normal(KEYS[0], (2, side, side, 3))
    wide = (kernel, kernel), (stride, stride)
    expected = (nn.ConvTranspose if transposed else nn.Conv)(4, *wide, padding="VALID", dtype=jnp.float64)
    own = PlanarConv(4, kernel, stride, (side - 1) * stride + kernel if transposed else None)
    parameters = jax.tree.map(lambda leaf: jax.random.normal(KEYS[1], leaf.shape), expected.init(KEYS[2], inputs))
    pairs = (jax.tree.leaves(value_and_gradients(layer, parameters, inputs)) for layer in (own, expected))
    for found, wanted in zip(*pairs, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-11 * float(jnp.abs(wanted).max()))


def test_a_transposed_convolution_fills_what_a_stride_left_over_with_its_bias() -> None:
    inputs = jax.random.normal(KEYS[0], (1, 4, 4, 2))
    layer = PlanarConv(3, 3, 2, restored=10)
    bias = jnp.asarray([1.0, 2.0, 3.0])
    weights = {"params": {"kernel": jax.random.normal(KEYS[1], (3, 3, 2, 3)), "bias": bias}}
    found = np.asarray(layer.apply(weights, inputs))
    assert found.shape == (1, 10, 10, 3)
    np.testing.assert_array_equal(found[0, 9], np.broadcast_to(bias, (10, 3)))
    assert (np.abs(found[0, :9, :9] - np.asarray(bias)) > 1e-6).all()


@pytest.mark.parametrize(("side", "window", "stride"), [(9, 3, 1), (10, 5, 2), (11, 4, 3)])
def test_pooling_is_that_of_flax(side: int, window: int, stride: int) -> None:
    inputs = jax.random.normal(KEYS[0], (2, side, side, 3))

    def both(pool: object) -> tuple[jax.Array, jax.Array]:
        return pool(inputs), jax.grad(lambda values: (pool(values) ** 2).sum())(inputs)  # pyright: ignore

    own = both(lambda values: max_pool(values, window, stride))
    wanted = both(lambda values: nn.max_pool(values, (window, window), (stride, stride)))
    for found, expected in zip(own, wanted, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-13)


def test_networks_that_label_points_keep_the_grid() -> None:
    network = PlanarCnn(family="cnn", features=(3, 4, 5), kernels=(3, 4, 5), strides=(1, 2, 1))
    for side in (24, 25):
        image = jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32)
        found = jax.eval_shape(lambda key, x: PlanarCnnNet(network, 11, True).init_with_output(key, x)[0],
                               jax.random.key(0), image)  # fmt: skip
        assert found.shape == (1, side, side, 11)
    with pytest.raises(ConfigError, match=r"a kernel of 5 x 5 meets maps of 3 x 3 points on a grid of 10 x 10"):
        jax.eval_shape(PlanarCnnNet(network, 11, True).init, jax.random.key(0), jnp.zeros((1, 10, 10, 1)))
