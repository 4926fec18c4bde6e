"""Layers and networks: parametrisations, shapes, padding, pooling."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from jax import lax

from emergent.config.models import CnnModel, ConvLayer, GcnnModel, MlpModel
from emergent.evaluation.forward import FEWEST, forward, piece_size
from emergent.models import layers
from emergent.models.layers import (
    Conv,
    Dense,
    average_pool,
    convolve,
    convolve_by_columns,
    convolve_by_slices,
    convolve_wide,
)
from emergent.models.registry import build, parameter_shapes
from emergent.models.size import has_convolutions, has_slices

MLP = MlpModel(family="mlp", width=64, depth=2, num_outputs=40, parametrisation="pytorch")
CNN = CnnModel(
    family="cnn",
    layers=(ConvLayer(channels=16), ConvLayer(channels=24, stride=2)),
    readout="flatten",
    dense=(32,),
    num_outputs=30,
    parametrisation="pytorch",
)
GCNN = GcnnModel(
    family="gcnn",
    group="D4",
    layers=(ConvLayer(channels=16), ConvLayer(channels=12)),
    readout="mean",
    num_outputs=40,
    parametrisation="pytorch",
)
# Fan-in by layer: all inputs that one output unit sums over.
FAN_IN = {
    "mlp": {"Dense_0": 32, "Dense_1": 64, "Dense_2": 64},
    "cnn": {"Conv_0": 18, "Conv_1": 144, "Dense_0": 24 * 4, "Dense_1": 32},
    "gcnn": {"Lifting_0": 18, "GroupConv_0": 9 * 8 * 16, "Dense_0": 12},
}


BIASED = {"parametrisation": "ntk", "bias_std": 0.3}


def drawn(config: MlpModel | CnnModel | GcnnModel, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """The fan-in of every uniform draw, layer by layer, and the number of axes of every normal one."""
    found: dict[str, list[int]] = {"uniform_fan_in": [], "normal": []}
    uniform_fan_in, normal = layers.uniform_fan_in, layers.normal

    def record_uniform(fan_in: int) -> Callable[..., jax.Array]:
        def initialise(*further: Any) -> jax.Array:
            found["uniform_fan_in"].append(fan_in)
            return uniform_fan_in(fan_in)(*further)

        return initialise

    def record_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        found["normal"].append(len(shape))
        return normal(key, shape)

    monkeypatch.setattr(layers, "uniform_fan_in", record_uniform)
    monkeypatch.setattr(layers, "normal", record_normal)
    parameter_shapes(build(config), (4, 4, 2))
    return found


@pytest.mark.parametrize("config", [MLP, CNN, GCNN], ids=["mlp", "cnn", "gcnn"])
def test_pytorch_layers_draw_weights_and_biases_with_their_fan_in(config, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [fan_in for fan_in in FAN_IN[config.family].values() for _ in ("kernel", "bias")]
    assert drawn(config, monkeypatch) == {"uniform_fan_in": expected, "normal": []}


@pytest.mark.parametrize("config", [MLP, CNN, GCNN], ids=["mlp", "cnn", "gcnn"])
def test_ntk_layers_draw_standard_normals(config, monkeypatch: pytest.MonkeyPatch) -> None:
    biased, plain = (config.model_copy(update=BIASED | update) for update in ({}, {"bias_std": 0.0}))
    axes = {"Conv_": 4, "Lifting_": 4, "GroupConv_": 5, "Dense_": 2}
    kernels = [next(n for name, n in axes.items() if layer.startswith(name)) for layer in FAN_IN[config.family]]
    with monkeypatch.context() as patch:
        assert drawn(biased, patch) == {"uniform_fan_in": [], "normal": [n for kernel in kernels for n in (kernel, 1)]}
    # A zero gain of the biases leaves none.
    assert drawn(plain, monkeypatch) == {"uniform_fan_in": [], "normal": kernels}


@pytest.mark.parametrize("config", [MLP, CNN, GCNN], ids=["mlp", "cnn", "gcnn"])
def test_names_of_parameters(config) -> None:
    names = traverse_util.flatten_dict(parameter_shapes(build(config), (4, 4, 2))["params"], sep="/")
    assert set(names) == {f"{name}/{kind}" for name in FAN_IN[config.family] for kind in ("kernel", "bias")}


def test_pytorch_initialisation_is_uniform_within_the_root_of_the_fan_in() -> None:
    values = np.asarray(layers.uniform_fan_in(18)(jax.random.key(0), (3, 3, 2, 500))) * 18**0.5
    assert 0.999 < np.abs(values).max() <= 1 + 1e-6
    # Uniform in [-1, 1]: mean 0, mean square 1/3, mean fourth power 1/5; within 4 standard errors.
    assert abs(values.mean()) < 4 * np.sqrt(1 / 3 / values.size)
    assert abs(np.square(values).mean() - 1 / 3) < 4 * np.sqrt((1 / 5 - 1 / 9) / values.size)


def test_ntk_initialisation_is_standard_normal() -> None:
    layer = Dense("ntk", 1.7, 0.0, 500)
    values = np.asarray(jax.jit(layer.init)(jax.random.key(0), jnp.zeros((1, 30)))["params"]["kernel"])
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert abs(np.square(values).mean() - 1) < 4 * np.sqrt(2 / values.size)


@pytest.mark.parametrize("config", [MLP, CNN, GCNN], ids=["mlp", "cnn", "gcnn"])
def test_shapes_and_independence_of_samples(config) -> None:
    module = build(config)
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(2, 4, 4, 2)).astype(np.float32)
    shapes = parameter_shapes(module, (4, 4, 2))
    parameters = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), shapes)
    apply = jax.jit(module.apply)
    outputs = np.asarray(apply(parameters, inputs))
    assert outputs.shape == (2, config.num_outputs)
    np.testing.assert_allclose(outputs[::-1], apply(parameters, inputs[::-1]), rtol=1e-4, atol=1e-4 * outputs.std())
    assert np.abs(outputs[0] - outputs[1]).max() > 0.1 * outputs.std()
    example = jax.ShapeDtypeStruct((1, 4, 4, 2), jnp.float32)
    on_cpu = jax.default_backend() == "cpu"
    # Group convolutions have too many channels for copies to be cheap.
    assert has_slices(config, example) == (config is CNN and on_cpu)
    assert has_convolutions(config, example) == (config is GCNN and on_cpu)


def convolve_by_library(inputs, kernel, stride):
    pad = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        inputs, kernel, (stride, stride), ((pad, pad), (pad, pad)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("frame", [(6, 5), (4, 7), (1, 3)])
def test_convolutions_are_those_of_the_library_with_the_same_gradients(frame, size, stride) -> None:
    generator = np.random.default_rng(0)
    inputs, kernel = generator.normal(size=(3, *frame, 2)), generator.normal(size=(size, size, 2, 4))
    step = generator.normal(size=jax.eval_shape(lambda *both: convolve_by_library(*both, stride), inputs, kernel).shape)

    # One program: operation by operation, each would be compiled by itself.
    @jax.jit
    def with_gradients(inputs, kernel, step):
        results = []
        unstrided = (lambda inputs, kernel, stride: convolve_wide(inputs, kernel),) if stride == 1 else ()
        for function in (convolve_by_library, convolve_by_slices, convolve_by_columns, *unstrided):
            outputs, back = jax.vjp(lambda *both, function=function: function(*both, stride), inputs, kernel)
            results.append((outputs, *back(step)))
        return results

    expected, *formulations = with_gradients(inputs, kernel, step)
    for found in formulations:
        for ours, theirs, tolerance in zip(found, expected, (1e-13, 1e-12, 1e-12), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("pieces", "more"), [(0, 1), (1, 0), (3, -1)])
@pytest.mark.parametrize("config", [MLP, CNN, GCNN], ids=["mlp", "cnn", "gcnn"])
def test_a_few_inputs_at_a_time_give_the_outputs_of_all_at_once(config, pieces, more) -> None:
    module = build(config)
    num = pieces * piece_size(config, jax.ShapeDtypeStruct((1, 4, 4, 2), "float32")) + more
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(num, 4, 4, 2))
    parameters = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), parameter_shapes(module, (4, 4, 2)))
    expected = jax.jit(module.apply)(parameters, inputs)
    np.testing.assert_allclose(jax.jit(forward(config))(parameters, inputs), expected, rtol=1e-12, atol=1e-12)


def test_gains_scale_weights_and_biases() -> None:
    inputs = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    layer = Dense("ntk", 1.7, 0.4, 6)
    weights, biases = (np.random.default_rng(1).normal(size=size).astype(np.float32) for size in ((5, 6), 6))
    parameters = {"params": {"kernel": weights, "bias": biases}}
    expected = 1.7 / np.sqrt(5) * inputs @ weights + 0.4 * biases
    np.testing.assert_allclose(layer.apply(parameters, inputs), expected, rtol=1e-5, atol=1e-6)
    # The same numbers in the other parametrisation pass unscaled, whatever the gains.
    unscaled = Dense("pytorch", 1.7, 0.4, 6).apply(parameters, inputs)
    np.testing.assert_allclose(unscaled, inputs @ weights + biases, rtol=1e-5, atol=1e-6)
    without = Dense("pytorch_unbiased", 1.7, 0.4, 6)
    assert set(without.init(jax.random.key(0), inputs)["params"]) == {"kernel"}
    found = without.apply({"params": {"kernel": weights}}, inputs)
    np.testing.assert_allclose(found, inputs @ weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), [(8, 1), (7, 2), (8, 2), (8, 3)])
def test_convolution_keeps_the_frame(size: int, stride: int) -> None:
    inputs = jnp.ones((1, size, size, 1))
    outputs = convolve(inputs, jnp.ones((3, 3, 1, 1)), stride)
    side = -(-size // stride)
    assert outputs.shape == (1, side, side, 1)
    # Zeros are around the frame: corners see 4 pixels, edges 6, the inside 9.
    assert (outputs[0, 0, 0, 0], outputs[0, 1, 0, 0]) == (4, 6)
    assert float(outputs.max()) == 9
    module = Conv("pytorch", 1.0, 0.0, 3, 5, stride)
    shape, _ = jax.eval_shape(module.init_with_output, jax.random.key(0), inputs)
    assert shape.shape == (1, side, side, 3)


def test_average_pool() -> None:
    inputs = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)
    pooled = average_pool(inputs, 2)
    np.testing.assert_array_equal(pooled[0, :, :, 0], [[5, 9], [21, 25]])
    np.testing.assert_array_equal(pooled[0, :, :, 1], [[6, 10], [22, 26]])
    assert average_pool(inputs, 1) is inputs
    with pytest.raises(ValueError, match="expected a divisor of the image size 4 x 4, found 3"):
        average_pool(inputs, 3)


def test_as_many_inputs_go_at_a_time_as_activations_stay_in_the_caches() -> None:
    sizes = {}
    for side, channels in ((4, 2), (28, 16), (200, 64)):
        layers = (ConvLayer(channels=channels),)
        model = CNN.model_copy(update={"layers": layers})
        sizes[side] = piece_size(model, jax.ShapeDtypeStruct((1, side, side, 1), "float32"))
    assert sizes[4] > sizes[28] > sizes[200] == FEWEST
    assert all(size % FEWEST == 0 for size in sizes.values())
