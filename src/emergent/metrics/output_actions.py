"""How a group moves outputs: what the output at a transformed input is compared with.

A network is equivariant if f(g x) = rho(g) f(x); invariance is the case in which rho(g) does nothing. Outputs come as
``[..., K]``, and ``moved`` returns ``[..., G, K]`` = rho(g) f for every element, the identity first. NumPy only.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int


class OutputAction(Protocol):
    """An action on outputs of G elements."""

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        ...

    def moved(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... G K"]:
        """Returns rho(g) f for every element."""
        ...


@dataclass(frozen=True)
class Invariant:
    """Outputs that do not move: classes, energies."""

    order: int

    def moved(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... G K"]:
        """Returns G views of the outputs."""
        return np.broadcast_to(outputs[..., None, :], (*outputs.shape[:-1], self.order, outputs.shape[-1]))


@dataclass(frozen=True, eq=False)
class Matrices:
    """Outputs that are multiplied by matrices rho [G, K, K]: vectors, tensors."""

    rho: Float[np.ndarray, "G K K"]

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        return len(self.rho)

    def moved(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... G K"]:
        """Returns rho(g) f for every element."""
        _require(outputs, self.rho.shape[-1], "matrices")
        return np.einsum("gij,...j->...gi", self.rho, outputs)


@dataclass(frozen=True, eq=False)
class Gather:
    """Outputs that are permuted, ``(g f)[p] = f[index[g, p]]`` [G, K]: one number per site or node."""

    index: Int[np.ndarray, "G K"]

    @property
    def order(self) -> int:
        """Returns the number of elements G."""
        return len(self.index)

    def moved(self, outputs: Float[np.ndarray, "... K"]) -> Float[np.ndarray, "... G K"]:
        """Returns rho(g) f for every element."""
        _require(outputs, self.index.shape[-1], "permutations")
        return outputs[..., self.index]


def vectors(matrices: Float[np.ndarray, "G d d"], num: int = 1) -> Matrices:
    """Returns the action on ``num`` vectors of d coordinates each, one after another: K = num * d outputs."""
    return Matrices(np.stack([np.kron(np.eye(num), matrix) for matrix in matrices]))


def _require(outputs: np.ndarray, num: int, what: str) -> None:
    if outputs.shape[-1] != num:
        raise ValueError(
            f"the action does not fit the outputs: {what} move {num} outputs, found {outputs.shape[-1]} "
            f"(shape {outputs.shape})."
        )
