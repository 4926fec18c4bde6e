"""Equivariant layers on tensors: this package beside the same layers with samples first, on one core.

Both are the networks of arXiv 2104.09459 with the same parameters and outputs: three blocks of a linear, a bilinear and
a gated layer. The other one is written as formulas are: slices of arrays [N, size], and one contraction over all
indices by ``jnp.einsum``. Matrices of linear layers are projected beforehand in both. Milliseconds for 500 samples:
outputs, a gradient with respect to all parameters, and one of squared slopes of the outputs, as networks of energies
have.

    python benchmarks/tensor_layers.py
"""

import argparse
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from timing import best

from emergent.cli._run import prepare_xla

NETWORKS = (
    ("O(5)", 5, ((2, 1),), ((1, 0),), 384),
    ("O(3)", 3, ((5, 0), (5, 1)), ((1, 2),), 384),
    ("O(1,3)", 4, ((4, 1),), ((1, 0),), 384),
    ("O(2)_z", 3, ((4, 1),), ((1, 0),), 128),
)
"""Group, dimension, inputs, outputs and channels: the panels on data efficiency, and the double pendulum."""
NUM = 500


def samples_first(network: Any, parameters: Any, inputs: Any) -> Any:
    """Returns the outputs of a network by layers on arrays [N, size]."""
    import jax
    import jax.numpy as jnp

    from emergent.groups.matrix_groups import matrix_group
    from emergent.models.tensor_layers import BILINEAR_GAIN, gated, spread_channels

    layers = parameters["params"]
    hidden = spread_channels(network.channels, network.source.dimension)
    space, dimension = gated(hidden), network.source.dimension
    metric = jnp.asarray(matrix_group(network.group).metric, inputs.dtype)

    def cut(values: Any) -> list[Any]:
        ends = [0, *np.cumsum([number * dimension**rank for number, rank in space.types])]
        return [
            values[:, start:end].reshape(len(values), number, -1)
            for start, end, (number, _) in zip(ends, ends[1:], space.types, strict=False)
        ]

    def linear(index: int, values: Any) -> Any:
        own = layers[f"EquivariantLinear_{index}"]
        return values @ own["kernel"].T + own["bias"]

    def bilinear(index: int, values: Any) -> Any:
        own, parts = layers[f"EquivariantBilinear_{index}"], cut(values)
        by_rank: dict[int, Any] = {}
        for part, (_, rank) in zip(parts, space.types, strict=True):
            by_rank[rank] = part if rank not in by_rank else jnp.concatenate([by_rank[rank], part], 1)
        found = {rank: jnp.zeros_like(part) for rank, part in by_rank.items()}
        for rank, start in product(by_rank, by_rank):
            end = rank - start
            if rank == 0 or end not in by_rank:
                continue
            maps = by_rank[rank][:, : dimension**rank].reshape(len(values), -1, dimension**end, dimension**start)
            lowered = by_rank[start]
            for _ in range(start):
                turned = lowered.reshape(*lowered.shape[:2], dimension, -1) * metric[:, None]
                lowered = turned.swapaxes(2, 3).reshape(lowered.shape)
            found[end] += jnp.einsum("jmi,nmba,nia->njb", own[f"weights_{start}_{end}"], maps, lowered)
        scalars = sum(number for number, rank in hidden.types if rank == 0)
        gates = found[0][:, scalars:].reshape(len(values), -1)
        rest = [found[rank].reshape(len(values), -1) for _, rank in hidden.types if rank]
        return BILINEAR_GAIN * jnp.concatenate([found[0][:, :scalars, 0], *rest, gates], 1)

    values = inputs
    for index in range(network.depth):
        before = linear(index, values)
        parts = cut(before + bilinear(index, before))
        used, opened = 0, []
        for part, (number, rank) in zip(parts, hidden.types, strict=False):
            gate = parts[-1][:, used : used + number] if rank else part
            used += number if rank else 0
            opened.append((jax.nn.sigmoid(gate) * part).reshape(len(values), -1))
        values = jnp.concatenate(opened, 1)
    return linear(network.depth, values)


def main() -> None:
    """Prints milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="the fastest call counts")
    rounds = parser.parse_args().rounds
    prepare_xla(1)
    import jax
    import jax.numpy as jnp

    from emergent.groups.tensors import TensorSpace
    from emergent.models.tensor_layers import TensorNetwork

    jax.config.update("jax_default_matmul_precision", "highest")
    print("group   what      ours ms  samples first ms  ratio")
    for group, dimension, source, target, channels in NETWORKS:
        spaces = (TensorSpace(dimension, types) for types in (source, target))
        free = TensorNetwork(group, *spaces, channels, 3)
        inputs = jnp.asarray(np.random.default_rng(0).normal(size=(NUM, free.source.size)), jnp.float32)
        parameters, network = free.project(free.init(jax.random.key(0), inputs)), free.of_projected()
        ours, theirs = network.apply, lambda p, x, network=network: samples_first(network, p, x)
        differ = float(jnp.abs(ours(parameters, inputs) - theirs(parameters, inputs)).max())
        assert differ < 1e-4 * float(jnp.abs(ours(parameters, inputs)).max()), f"{group}: outputs differ by {differ}"

        def loss(function: Any) -> Any:
            return lambda p, x: jnp.square(function(p, x)).mean()

        def slopes(function: Any) -> Any:
            return lambda p, x: jnp.square(jax.grad(lambda y: function(p, y).sum())(x)).mean()

        for what, make in (("outputs", lambda f: f), ("gradient", lambda f: jax.grad(loss(f))),
                           ("slopes", lambda f: jax.grad(slopes(f)))):  # fmt: skip
            compiled = [partial(jax.jit(make(function)), parameters, inputs) for function in (ours, theirs)]
            one, other = (1e3 * best(lambda run=run: jax.block_until_ready(run()), rounds) for run in compiled)
            print(f"{group:7s} {what:9s} {one:7.2f}  {other:16.2f}  {other / one:5.1f}", flush=True)


if __name__ == "__main__":
    main()
