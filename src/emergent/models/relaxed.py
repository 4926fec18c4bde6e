"""Networks whose symmetry is relaxed: an equivariant network, and a free one as far as training asks for it.

References:
    arXiv 2112.01388, equivariant and free pathways side by side. Theirs are weighed by priors; here the free one has a
    factor that starts at 0.
"""

from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float


class RelaxedNetwork(nn.Module):
    """Outputs of an equivariant network plus a learnt multiple of those of a free one; equivariant before training.

    Attributes:
        equivariant: network.
        free: network without a symmetry, to outputs of the same shape.
    """

    equivariant: nn.Module
    free: nn.Module

    @nn.compact
    def __call__(self, inputs: Any, seen_by_free: Any = None) -> Float[Array, "N ..."]:
        """Returns the outputs of a batch.

        Args:
            inputs: of the equivariant network.
            seen_by_free: inputs of the free one; None for the same.
        """
        found = self.equivariant(inputs)
        share = self.param("share", nn.initializers.zeros_init(), (), found.dtype)
        return found + share * self.free(inputs if seen_by_free is None else seen_by_free)
