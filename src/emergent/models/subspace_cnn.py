"""The network of the subspace experiment: every layer is linear coordinates times a basis.

The basis is the orthonormal one of the equivariant subspace E (layers are then equivariant, whatever the coordinates),
the taps themselves (a unitary parametrisation of all layers on the support), or random unit vectors (one that is not
unitary).

References:
    arXiv 2303.13458, experimental results of the later versions.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from emergent.config.subspace_training import SubspaceNetwork
from emergent.config.supports import SupportCnnModel, support_mask
from emergent.groups.filters import orbit_basis
from emergent.models.draws import normal, uniform
from emergent.models.support_cnn import SupportCnn


class Basis(NamedTuple):
    """Basis vectors of L filter layers in their T taps, and of the read-out in its P positions; one vector a row."""

    filters: Float[Array | np.ndarray, "L B T"]
    readout: Float[Array | np.ndarray, "D P"]


Coordinates = tuple[Array, ...]
"""For each layer [basis vectors, input channels, output channels]; the read-out comes last."""


@dataclass(frozen=True)
class SubspaceCnn:
    """A network on images of ``side`` x ``side`` pixels with ``num_inputs`` channels, its filters on a support."""

    network: SubspaceNetwork
    support: tuple[str, ...]
    side: int
    num_inputs: int = 1

    @property
    def mask(self) -> np.ndarray:
        """Returns the filter support."""
        return support_mask(self.support)

    @property
    def channels(self) -> tuple[int, ...]:
        """Returns the channels between layers, inputs and classes included."""
        return (self.num_inputs, *self.network.channels, self.network.num_outputs)

    @property
    def last_side(self) -> int:
        """Returns the side of the maps that the read-out sees."""
        return self.side // 2**self.network.num_pooled

    def outputs(self, layers: Coordinates, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the outputs for given weights on taps and positions."""
        module = SupportCnn(
            SupportCnnModel(
                family="support_cnn",
                channels=self.network.channels,
                num_pooled=self.network.num_pooled,
                support=self.support,
                num_outputs=self.network.num_outputs,
            )
        )
        *kernels, readout = layers
        parameters: dict[str, Array] = {f"kernel_{i}": kernel for i, kernel in enumerate(kernels)}
        parameters["readout"] = readout.reshape(self.last_side, self.last_side, *readout.shape[1:])
        return jnp.asarray(module.apply({"params": parameters}, inputs))


def equivariant_basis(model: SubspaceCnn) -> Basis:
    """Returns the orthonormal basis of E."""
    filters = np.repeat(orbit_basis(model.mask)[None], len(model.network.channels), 0)
    return Basis(filters, orbit_basis(np.ones((model.last_side,) * 2, bool)))


def unconstrained_basis(model: SubspaceCnn, kind: Literal["unitary", "random"], key: Array) -> Basis:
    """Returns the basis of the second phase: the taps themselves, or per layer random unit vectors (not orthogonal)."""
    num_layers, num_taps = len(model.network.channels), int(model.mask.sum())
    readout = np.eye(model.last_side**2)
    if kind == "unitary":
        return Basis(np.repeat(np.eye(num_taps)[None], num_layers, 0), readout)
    drawn = normal(key, (num_layers, num_taps, num_taps))
    return Basis(drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True), readout)


def initial_coordinates(model: SubspaceCnn, key: Array, dtype: Any = jnp.float32) -> Coordinates:
    """Returns coordinates in the basis of E, such that every weight is uniform in +-1 / sqrt(fan_in)."""
    basis = equivariant_basis(model)
    taps = model.mask.size if model.network.fan_in == "square" else int(model.mask.sum())
    fan_ins = [taps * channels for channels in model.channels[:-2]] + [model.last_side**2 * model.channels[-2]]
    coordinates = []
    for layer, fan_in in enumerate(fan_ins):
        vectors = basis.readout if layer == len(fan_ins) - 1 else basis.filters[layer]
        # A unit vector on an orbit of n taps has entries 1 / sqrt(n).
        scale = np.sqrt(np.count_nonzero(vectors, axis=1) / fan_in)
        shape = (len(vectors), model.channels[layer], model.channels[layer + 1])
        draws = uniform(jax.random.fold_in(key, layer), shape, dtype)
        coordinates.append(draws * jnp.asarray(scale[:, None, None], dtype))
    return tuple(coordinates)


def weights(basis: Basis, coordinates: Coordinates) -> Coordinates:
    """Returns the weights on taps and positions that belong to coordinates."""
    vectors = [*basis.filters, basis.readout]
    return tuple(jnp.tensordot(jnp.asarray(v.T, c.dtype), c, 1) for v, c in zip(vectors, coordinates, strict=True))


def coordinates_of(basis: Basis, layers: Coordinates) -> Coordinates:
    """Returns the coordinates of weights in a basis of the whole space, exactly so for the taps themselves."""
    solved = []
    for vectors, layer in zip([*basis.filters, basis.readout], layers, strict=True):
        matrix = jnp.asarray(vectors.T, layer.dtype)
        # The released code solves by least squares; a basis of the whole space makes that a plain linear system.
        solved.append(jnp.linalg.solve(matrix, layer.reshape(len(layer), -1)).reshape(layer.shape))
    return tuple(solved)


def distance(basis: Basis, layers: Coordinates) -> Float[Array, " L"]:
    """Returns the Frobenius distance of every layer from E.

    Args:
        basis: of E, orthonormal.
        layers: weights on taps and positions.
    """
    vectors = [jnp.asarray(v, w.dtype) for v, w in zip([*basis.filters, basis.readout], layers, strict=True)]
    # Not from the difference of two squared norms, in which a small distance drowns in rounding.
    rest = [w - jnp.tensordot(v.T, jnp.tensordot(v, w, 1), 1) for v, w in zip(vectors, layers, strict=True)]
    return jnp.stack([jnp.sqrt(jnp.square(part).sum()) for part in rest])
