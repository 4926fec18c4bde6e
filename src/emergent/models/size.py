"""Size of any network, derived from its own computation: nothing is computed, allocated or tabulated."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.extend.core import jaxprs_in_params

from emergent.config.models import NetworkModel
from emergent.groups.small_products import NAME
from emergent.models.registry import build

FLOAT_BYTES = 4
# The backward pass makes about as much again as the forward pass keeps for it (seen: 1.3 to 1.7 times in all).
ACTIVATION_COPIES = 2
PIECE, UNROLLED_PIECE, STEERED_PIECE = 16, 32, 64
"""Images that networks with convolutions take at a time on a CPU, so that what layers hand on stays in its caches: with
shifted copies; with XLA's convolutions, which make none; with steered products of small maps, of as many columns."""
CONVOLUTION = "conv_general_dilated"
"""Name of convolutions among a network's operations."""
# Arrays whose number of entries this number divides belong to samples, all others to parameters: a prime that no layer
# has as a width.
SAMPLES = 7919


@dataclass(frozen=True)
class NetworkSize:
    """Parameters of one member, and what the backward pass needs of one sample, in units of a float32."""

    num_parameters: int
    num_activations: int


def network_size(model: NetworkModel, inputs: Any) -> NetworkSize:
    """Returns the size of a network.

    Args:
        model: settings.
        inputs: shapes and types of the inputs of one sample [1, ...].

    Raises:
        ValueError: the network does not fit the inputs; the message is the layer's.
    """
    return _size(model, inputs)  # pyright: ignore[reportArgumentType] - frozen models are hashable


@cache
def _size(model: Any, inputs: Any) -> NetworkSize:
    module = build(model)
    many = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((SAMPLES, *leaf.shape[1:]), leaf.dtype), inputs)
    parameters = jax.eval_shape(module.init, jax.random.key(0), inputs)
    # What is kept between the two passes is part of the function that makes the second.
    kept = jax.eval_shape(lambda p, x: jax.vjp(lambda q: module.apply(q, x), p)[1], parameters, many)
    of_samples = [leaf for leaf in jax.tree.leaves(kept) if math.prod(leaf.shape) % SAMPLES == 0]
    kept_bytes = sum(math.prod(leaf.shape) // SAMPLES * leaf.dtype.itemsize for leaf in of_samples)
    return NetworkSize(
        sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(parameters)), -(-kept_bytes // FLOAT_BYTES)
    )


def forward_floats(model: NetworkModel, inputs: Any) -> int:
    """Returns the numbers that exist at a time per sample while outputs are computed: the largest layer and its input.

    Args: see ``network_size``.
    """
    return _forward_floats(model, inputs)  # pyright: ignore[reportArgumentType] - see above


@cache
def _forward_floats(model: Any, inputs: Any) -> int:
    module = build(model)
    many = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((SAMPLES, *leaf.shape[1:]), leaf.dtype), inputs)
    parameters = jax.eval_shape(module.init, jax.random.key(0), inputs)
    steps = jax.make_jaxpr(module.apply)(parameters, many).jaxpr.eqns
    sizes = [math.prod(getattr(out.aval, "shape", ())) for step in steps for out in step.outvars]
    return 2 * max(size // SAMPLES for size in [SAMPLES, *sizes] if size % SAMPLES == 0)


def bytes_in_flight(size: NetworkSize, num_samples: int, state_copies: int) -> int:
    """Returns the memory of one member while a step runs.

    Args:
        size: of the network.
        num_samples: inputs in one step, augmentation included.
        state_copies: parameters, gradients and what the optimiser keeps.
    """
    return FLOAT_BYTES * (state_copies * size.num_parameters + ACTIVATION_COPIES * num_samples * size.num_activations)


def has_convolutions(model: NetworkModel, inputs: Any) -> bool:
    """Returns whether XLA sees convolutions, which it runs some twenty times slower inside loops on a CPU.

    Args:
        model: settings.
        inputs: shapes and types of the inputs of one sample [1, ...].
    """
    return CONVOLUTION in _operations(model, inputs)  # pyright: ignore[reportArgumentType] - see above


def has_slices(model: NetworkModel, inputs: Any) -> bool:
    """Returns whether a network convolves by products of shifted images, which want few images at a time.

    Args: see ``has_convolutions``.
    """
    return "name=convolve_images_last" in _operations(model, inputs)  # pyright: ignore[reportArgumentType] - see above


def inputs_at_a_time(model: NetworkModel, inputs: Any) -> tuple[int | None, bool]:
    """Returns how many inputs a network trains on at a time, None for all, and whether no loop may go over them.

    What layers hand on then stays in the caches of a CPU.

    Args: see ``has_convolutions``.
    """
    if has_convolutions(model, inputs):
        return UNROLLED_PIECE, True
    if "name=convolve_steered" in _operations(model, inputs):  # pyright: ignore[reportArgumentType] - see above
        return STEERED_PIECE, False
    return (PIECE if has_slices(model, inputs) else None), False


def operations(module: nn.Module, inputs: Any) -> str:
    """Returns the operations of a network as text, because that shows those of inner functions too.

    Args:
        module: any network of Flax.
        inputs: of one sample [1, ...], or their shapes and types.
    """
    parameters = jax.eval_shape(module.init, jax.random.key(0), inputs)
    return str(jax.make_jaxpr(module.apply)(parameters, inputs))


@cache
def _operations(model: Any, inputs: Any) -> str:
    return operations(build(model), inputs)


def multiplications(function: Callable[..., Any], *arguments: Any) -> int:
    """Returns the multiplications in the matrix products, convolutions and Fourier transforms of a function.

    Nothing is computed. A product of complex numbers takes four; a transform of n numbers n log2 n / 2 such. Work on
    single numbers, as interpolation and activations, is not counted: it is little beside products.

    Args:
        function: to look into.
        arguments: or their shapes and types.
    """
    return _products(jax.make_jaxpr(function)(*arguments).jaxpr)


def _products(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        inputs, outputs = ([variable.aval.shape for variable in part] for part in (equation.invars, equation.outvars))
        if equation.primitive.name == "dot_general":
            contracted, _ = equation.params["dimension_numbers"]
            products = math.prod(outputs[0]) * math.prod(inputs[0][axis] for axis in contracted[0])
            total += products * (4 if jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.complexfloating) else 1)
        elif equation.primitive.name == "conv_general_dilated":
            # Every output is a product with all of the filter but its output channels.
            features = inputs[1][equation.params["dimension_numbers"].rhs_spec[0]]
            total += math.prod(outputs[0]) * math.prod(inputs[1]) // features
        elif equation.primitive.name == "fft":
            kind = lax.FftType(equation.params["fft_type"])
            size = math.prod((outputs if kind == lax.FftType.IRFFT else inputs)[0])
            # Of real numbers a transform is half the work.
            halves = 2 if kind in (lax.FftType.RFFT, lax.FftType.IRFFT) else 1
            total += math.ceil(2 * size * math.log2(math.prod(equation.params["fft_lengths"])) / halves)
        elif equation.params.get("name") == NAME:
            inner = equation.params["jaxpr"].jaxpr.eqns
            total += sum(math.prod(term.outvars[0].aval.shape) for term in inner if term.primitive.name == "mul")
        repeats = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += repeats * sum(_products(inner) for inner in jaxprs_in_params(equation.params))
    return total
