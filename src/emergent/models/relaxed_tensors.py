"""Networks on tensors whose symmetry is relaxed."""

from typing import Any

from emergent.models.relaxed import RelaxedNetwork
from emergent.models.tensor_layers import TensorNetwork


class RelaxedTensorNetwork(RelaxedNetwork):
    """A network of equivariant layers on tensors, and a free one; see ``RelaxedNetwork``."""

    equivariant: TensorNetwork

    def of_projected(self) -> "RelaxedTensorNetwork":
        """Returns the network of the parameters that ``project`` returns."""
        return self.clone(equivariant=self.equivariant.of_projected())

    def project(self, parameters: Any) -> Any:
        """Returns the parameters with those of equivariant linear layers projected, see ``TensorNetwork``."""
        own = parameters["params"]
        projected = self.equivariant.project({"params": own["equivariant"]})
        return {"params": own | {"equivariant": projected["params"]}}
