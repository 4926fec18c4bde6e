"""Infinite-width kernels against averages over random networks of finite width, seeded, within 4 standard errors.

The networks are written out in plain JAX, so that nothing is shared with the kernel recursions.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.kernels.architectures import cnn_kernel, gcnn_kernel, mlp_kernel
from emergent.kernels.empirical import empirical_kernels
from emergent.point_groups import group_from_name

WIDTH, OUTPUTS = 32, 8
WEIGHT_STD, BIAS_STD = 1.3, 0.2
ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * jax.scipy.stats.norm.cdf(x),
    "erf": jax.lax.erf,
}


def affine(layer, product, fan_in):
    """NTK parametrisation; the bias has the rank of the product, because rank promotion may be forbidden."""
    bias = layer["bias"].reshape((1,) * (product.ndim - 1) + (-1,))
    return WEIGHT_STD / np.sqrt(fan_in) * product + BIAS_STD * bias


def convolve(inputs, filters):
    return jax.lax.conv_general_dilated(inputs, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def mlp(layers, inputs, activation):
    hidden = inputs.reshape(len(inputs), -1)
    for layer in layers[:-1]:
        hidden = activation(affine(layer, hidden @ layer["weight"], hidden.shape[1]))
    return affine(layers[-1], hidden @ layers[-1]["weight"], hidden.shape[1])


def cnn(layers, inputs, activation, readout):
    hidden = inputs
    for layer in layers[:-1]:
        hidden = activation(affine(layer, convolve(hidden, layer["weight"]), 9 * hidden.shape[3]))
    hidden = hidden.mean(axis=(1, 2)) if readout == "mean" else hidden.reshape(len(hidden), -1)
    return affine(layers[-1], hidden @ layers[-1]["weight"], hidden.shape[1])


def gcnn(layers, inputs, activation):
    """C4 group convolutional network: filters turned by each group element, mean over the group at the end."""
    lifting, *convolutions, head = layers
    hidden = [convolve(inputs, jnp.rot90(lifting["weight"], r)) for r in range(4)]
    hidden = [activation(affine(lifting, product, 9 * inputs.shape[3])) for product in hidden]
    for layer in convolutions:
        sums = []
        for r in range(4):
            terms = [convolve(hidden[q], jnp.rot90(layer["weight"][(q - r) % 4], r)) for q in range(4)]
            sums.append(terms[0] + terms[1] + terms[2] + terms[3])
        hidden = [activation(affine(layer, product, 36 * WIDTH)) for product in sums]
    pooled = jnp.mean(jnp.stack(hidden), axis=(0, 2, 3))
    return affine(head, pooled @ head["weight"], WIDTH)


def cases():
    mlp_shapes = [(32, WIDTH), (WIDTH, WIDTH), (WIDTH, OUTPUTS)]
    filters = [(3, 3, 2, WIDTH), (3, 3, WIDTH, WIDTH)]
    for name, activation in ACTIVATIONS.items():
        gains = (name, WEIGHT_STD, BIAS_STD)
        mean = cnn_kernel([1, 1], "mean", *gains)
        yield f"mlp_{name}", mlp_shapes, lambda p, x, a=activation: mlp(p, x, a), mlp_kernel(2, *gains)
        yield (
            f"cnn_flatten_{name}",
            [*filters, (16 * WIDTH, OUTPUTS)],
            lambda p, x, a=activation: cnn(p, x, a, "flatten"),
            cnn_kernel([1, 1], "flatten", *gains),
        )
        shapes = [*filters, (WIDTH, OUTPUTS)]
        yield f"cnn_mean_{name}", shapes, lambda p, x, a=activation: cnn(p, x, a, "mean"), mean
        yield (
            f"gcnn_{name}",
            [filters[0], (4, *filters[1]), (WIDTH, OUTPUTS)],
            lambda p, x, a=activation: gcnn(p, x, a),
            gcnn_kernel(group_from_name("C4"), mean),
        )


# Activations differ in one function, which MLPs and plain CNNs check; convolutions take longest.
REPEATED = ("gcnn_erf", "cnn_mean_erf", "gcnn_gelu", "cnn_mean_gelu", "gcnn_leaky_relu", "cnn_mean_leaky_relu")


@pytest.mark.parametrize(
    ("name", "shapes", "apply", "kernel_function"),
    [pytest.param(*case, id=case[0], marks=pytest.mark.slow if case[0] in REPEATED else ()) for case in cases()],
)
def test_average_over_networks(name, shapes, apply, kernel_function):
    first, second = np.random.default_rng(0).normal(size=(2, 2, 4, 4, 2)).astype(np.float32)

    @jax.jit
    def sample(key):
        keys = [jax.random.fold_in(key, i) for i in range(2 * len(shapes))]
        layers = [
            {"weight": jax.random.normal(keys[2 * i], shape), "bias": jax.random.normal(keys[2 * i + 1], shape[-1:])}
            for i, shape in enumerate(shapes)
        ]
        return empirical_kernels(apply, layers, first, second)

    # Without an average over pixels the kernels of single networks scatter more.
    num_networks = 400 if name.startswith("mlp") else 150
    samples = [sample(jax.random.fold_in(jax.random.key(20), i)) for i in range(num_networks)]
    for kind, expected in kernel_function(first, second)._asdict().items():
        values = np.stack([getattr(kernels, kind) for kernels in samples]).astype(np.float64)
        error = values.std(axis=0, ddof=1) / np.sqrt(num_networks)
        assert np.all(error < 0.1 * np.abs(np.asarray(expected)).max())
        deviation = (values.mean(axis=0) - np.asarray(expected)) / error
        assert np.abs(deviation).max() < 4, f"{name} {kind}: {deviation}"
