"""Kernels of random networks of finite width and of their infinitely wide limit, on the same inputs.

In: the stage of an arm. Out: both kernels of every network on all pairs of inputs, and those of infinite width, in
float64.

References:
    arXiv 2406.06504: Monte Carlo means of kernels against the recursions, by width.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from emergent.config.kernel_convergence import ConvergenceStage, RandomImages, RandomSignals
from emergent.kernels.empirical import empirical_kernels
from emergent.kernels.functions import Kernels
from emergent.kernels.registry import kernel_function
from emergent.models.registry import build
from emergent.prng import member_key
from emergent.storage import Array


def normal_inputs(inputs: RandomImages | RandomSignals, seed: int) -> Float[np.ndarray, "N ..."]:
    """Returns inputs of independent normal pixels or coefficients, of mean square 1, the same for all arms."""
    drawn = np.random.default_rng(seed).normal(size=(inputs.num, *inputs.shape))
    return drawn if isinstance(inputs, RandomImages) else drawn * math.sqrt(4 * math.pi) / inputs.band_limit


def network_kernels(stage: ConvergenceStage, width: int, given: Float[np.ndarray, "N ..."]) -> Callable[[int], Kernels]:
    """Returns a compiled function from a member to both kernels [N, N] of its network of a width."""
    network = build(stage.model.of_width(width))
    inputs = jnp.asarray(given)

    def apply(parameters: Any, some: jax.Array) -> jax.Array:
        return cast(jax.Array, network.apply(parameters, some))

    @jax.jit
    def kernels(key: jax.Array) -> Kernels:
        parameters = network.init(key, inputs)
        return empirical_kernels(apply, parameters, inputs, inputs)

    # By width too: narrow networks are no parts of wider ones.
    return lambda member: kernels(
        member_key(stage.seed, stage.experiment, f"{stage.arm}/{width}", member, "initialise")
    )


def convergence_arrays(
    stage: ConvergenceStage, members: Sequence[int], advance: Callable[[int], None]
) -> dict[str, Array]:
    """Returns what is stored of a block of random networks; call it with JAX in double precision.

    Args:
        stage: settings of the arm.
        members: random networks of the block.
        advance: called with 1 after every network.
    """
    inputs = normal_inputs(stage.inputs, stage.seed)
    limit = kernel_function(stage.model, stage.inputs.shape)(inputs, inputs)
    found = np.empty((2, len(members), len(stage.widths), len(inputs), len(inputs)))
    for w, width in enumerate(stage.widths):
        kernels = network_kernels(stage, width, inputs)
        for m, member in enumerate(members):
            found[:, m, w] = [np.asarray(part) for part in kernels(member)]
            advance(1)
    dims = ("member", "width", "input", "input2")
    arrays = {
        "members": Array(np.asarray(members), ("member",)),
        "widths": Array(np.asarray(stage.widths), ("width",), "channels"),
    }
    for name, own, infinite in zip(Kernels._fields, found, limit, strict=True):
        arrays[name] = Array(own, dims, "1", f"{name} of single networks")
        arrays[f"infinite_{name}"] = Array(np.asarray(infinite), dims[2:], "1", f"{name} at infinite width")
    return arrays
