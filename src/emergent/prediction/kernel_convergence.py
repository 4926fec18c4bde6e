"""Kernels of random networks of finite width and of their infinitely wide limit, on the same images.

In: the stage of an arm. Out: both kernels of every network on all pairs of images, and those of infinite width, in
float64.

References:
    arXiv 2406.06504: Monte Carlo means of kernels against the recursions, by width.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from emergent.config.kernel_convergence import ConvergenceStage, RandomImages
from emergent.kernels.architectures import Kernels
from emergent.kernels.empirical import empirical_kernels
from emergent.kernels.registry import kernel_function
from emergent.models.registry import build
from emergent.prng import member_key
from emergent.storage import Array


def normal_images(images: RandomImages, seed: int) -> Float[np.ndarray, "N H W C"]:
    """Returns images of independent standard normal pixels, the same for all arms."""
    return np.random.default_rng(seed).normal(size=(images.num, *images.shape))


def network_kernels(
    stage: ConvergenceStage, width: int, images: Float[np.ndarray, "N H W C"]
) -> Callable[[int], Kernels]:
    """Returns a compiled function from a member to both kernels [N, N] of its network of a width."""
    layers = tuple(layer.model_copy(update={"channels": width}) for layer in stage.model.layers)
    network = build(stage.model.model_copy(update={"layers": layers, "dense": (width,) * len(stage.model.dense)}))
    inputs = jnp.asarray(images)

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
    images = normal_images(stage.images, stage.seed)
    limit = kernel_function(stage.model, stage.images.shape)(images, images)
    found = np.empty((2, len(members), len(stage.widths), stage.images.num, stage.images.num))
    for w, width in enumerate(stage.widths):
        kernels = network_kernels(stage, width, images)
        for m, member in enumerate(members):
            found[:, m, w] = [np.asarray(part) for part in kernels(member)]
            advance(1)
    dims = ("member", "width", "image", "image2")
    arrays = {
        "members": Array(np.asarray(members), ("member",)),
        "widths": Array(np.asarray(stage.widths), ("width",), "channels"),
    }
    for name, own, infinite in zip(Kernels._fields, found, limit, strict=True):
        arrays[name] = Array(own, dims, "1", f"{name} of single networks")
        arrays[f"infinite_{name}"] = Array(np.asarray(infinite), dims[2:], "1", f"{name} at infinite width")
    return arrays
