"""Networks whose symmetry is relaxed: an equivariant network, and a free one as far as training asks for it.

References:
    arXiv 2112.01388, equivariant and free pathways side by side. Theirs are weighed by priors; here the free one has a
    factor that starts at 0.
"""

from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from emergent.models.tensor_layers import TensorNetwork


class RelaxedTensorNetwork(nn.Module):
    """Outputs of an equivariant network plus a learnt multiple of those of a free one; equivariant before training.

    Attributes:
        equivariant: network.
        free: network without a symmetry, from the same inputs to the same outputs.
    """

    equivariant: TensorNetwork
    free: nn.Module

    @nn.compact
    def __call__(self, inputs: Float[Array, "N size"]) -> Float[Array, "N K"]:
        """Returns the outputs of a batch."""
        share = self.param("share", nn.initializers.zeros_init(), (), inputs.dtype)
        return self.equivariant(inputs) + share * self.free(inputs)

    def of_projected(self) -> "RelaxedTensorNetwork":
        """Returns the network of the parameters that ``project`` returns."""
        return self.clone(equivariant=self.equivariant.of_projected())

    def project(self, parameters: Any) -> Any:
        """Returns the parameters with those of equivariant linear layers projected, see ``TensorNetwork``."""
        own = parameters["params"]
        projected = self.equivariant.project({"params": own["equivariant"]})
        return {"params": own | {"equivariant": projected["params"]}}
