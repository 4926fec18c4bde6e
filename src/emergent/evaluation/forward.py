"""Outputs of a network on many inputs: all at once, or a few at a time where that is faster."""

from typing import Any

import jax
import jax.numpy as jnp

from emergent.config.models import NetworkModel
from emergent.domains.protocols import Apply
from emergent.models.registry import build
from emergent.models.size import FLOAT_BYTES, has_convolutions, network_size

# Bytes of activations that a core works on at a time. What layers hand on then stays in its caches, and networks on
# images are two to four times as fast as with thousands of inputs; narrow ones with dense layers do not mind.
IN_CACHES = 2**22
FEWEST, MOST = 8, 256


def piece_size(model: NetworkModel, inputs: Any) -> int:
    """Returns how many inputs go through a network at a time on a CPU, a multiple of 8.

    Args:
        model: settings.
        inputs: shapes and types of the inputs of one sample [1, ...].
    """
    fitting = IN_CACHES // (FLOAT_BYTES * max(1, network_size(model, inputs).num_activations))
    return min(max(fitting // FEWEST * FEWEST, FEWEST), MOST)


def forward(model: NetworkModel) -> Apply:
    """Returns the compiled network, from parameters and inputs [N, ...] to outputs [N, K]."""
    apply: Any = build(model).apply

    def outputs(parameters: Any, inputs: Any) -> Any:
        # Accelerators take all that there are.
        if jax.default_backend() != "cpu":
            return apply(parameters, inputs)
        num = len(jax.tree.leaves(inputs)[0])
        example = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), inputs)
        # All that there are, too, where XLA sees convolutions, which are slow inside loops.
        piece = num if has_convolutions(model, example) else piece_size(model, example)
        if num <= piece:
            return apply(parameters, inputs)
        whole = num // piece * piece
        pieces = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, piece, *leaf.shape[1:]), inputs)
        found = jax.lax.map(lambda some: apply(parameters, some), pieces)
        found = found.reshape(whole, *found.shape[2:])
        rest = jax.tree.map(lambda leaf: leaf[whole:], inputs)
        return found if whole == num else jnp.concatenate([found, apply(parameters, rest)])

    return jax.jit(outputs)
