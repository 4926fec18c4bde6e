"""Layers of lattice gauge equivariant networks on SU(2): convolution with parallel transport, products, traces.

Fields W [N, L, L, C, 4] are quaternions that a gauge transformation Om takes to Om(x) W(x) Om(x)^dagger; all layers
commute with that. Weights are real, so that quaternions stay quaternions.

References:
    arXiv:2012.12901 (L-Conv, L-Bilin, Trace), arXiv:2303.11448 (the same with the point group of the lattice).
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

from emergent.groups.gauge import leaf_permutations, step_permutations, transport
from emergent.groups.su2 import conjugate, multiply, trace

Links = Float[Array, "N L L 2 4"]
Fields = Float[Array, "N L L C 4"]
ORDER = 8
"""Of D4."""


def transported(links: Links, fields: Fields, reach: int) -> Fields:
    """Returns fields as seen from every site, transported along straight paths: 1 + 4 reach times as many channels.

    Channels are ordered by step (none; then step d and length k, d first), and in each as they were.
    """
    seen = [fields]
    for step in range(4):
        # Longer paths go on from shorter ones: the field that was transported is a field like any other.
        moved = fields
        for _ in range(reach):
            moved = transport(links, moved, step, 1)
            seen.append(moved)
    return jnp.concatenate(seen, -2)


def with_conjugates(fields: Fields) -> Fields:
    """Returns fields and, as further channels, their Hermitian conjugates."""
    return jnp.concatenate([fields, conjugate(fields)], -2)


def with_identity(fields: Fields) -> Fields:
    """Returns fields with the unit matrix as a last channel."""
    one = jnp.zeros((*fields.shape[:-2], 1, 4), fields.dtype).at[..., 0].set(1)
    return jnp.concatenate([fields, one], -2)


class LConv(nn.Module):
    """W'_i(x) = sum over j, d, k of w_ijdk U W_j(x + k d) U^dagger, with the links U of the straight path.

    Attributes:
        channels: i.
        reach: largest length k of a path.
    """

    channels: int
    reach: int

    @nn.compact
    def __call__(self, links: Links, fields: Fields) -> Fields:
        """Returns a field of as many channels as wanted."""
        seen = transported(links, fields, self.reach)
        start = nn.initializers.normal(seen.shape[-2] ** -0.5)
        weights = self.param("weights", start, (self.channels, seen.shape[-2]), fields.dtype)
        return jnp.einsum("ij,...ja->...ia", weights, seen)


class LBilin(nn.Module):
    """W_i(x) = sum over j, k of a_ijk W_j(x) W'_k(x), for two fields.

    Attributes:
        channels: i.
        tied: by what permutations of all channels D4 acts, if weights are to be averaged over it: of i, j and k, each
            [8, channels]; None leaves them free.
    """

    channels: int
    tied: tuple[Int[np.ndarray, "8 I"], Int[np.ndarray, "8 J"], Int[np.ndarray, "8 K"]] | None = None

    @nn.compact
    def __call__(self, left: Fields, right: Fields) -> Fields:
        """Returns a field; weights start with standard deviation 1 / sqrt(J K)."""
        shape = (self.channels, left.shape[-2], right.shape[-2])
        start = nn.initializers.normal((shape[1] * shape[2]) ** -0.5)
        weights = self.param("weights", start, shape, left.dtype)
        if self.tied is not None:
            weights = averaged(weights, self.tied)
        # Weights first: the products of quaternions are then as many as channels of one field, not of both.
        mixed = jnp.einsum("ijk,...ka->...ija", weights, right)
        return multiply(left[..., None, :, :], mixed).sum(-2)


def averaged(weights: Float[Array, "I J K"], actions: tuple[np.ndarray, np.ndarray, np.ndarray]) -> jax.Array:
    """Returns weights averaged over D4, which permutes all channels, in the norm of independent ones.

    The average of eight independent weights is sqrt(8) times smaller; the factor gives networks with and without the
    symmetry the same start.
    """
    moved = jnp.stack([weights[np.ix_(*rows)] for rows in zip(*actions, strict=True)])
    return moved.sum(0) / ORDER**0.5


def channel_actions(channels: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns how D4 permutes the channels of fields over leaves, with the identity, as they are and transported.

    Args:
        channels: of a leaf; channels are ordered (channel, leaf), the identity last.
        reach: of the transport, in the order of ``transported``, the identity of the latter last.
    """
    leaves, steps = leaf_permutations(), step_permutations()
    own = (leaves[:, None, :] + ORDER * np.arange(channels)[:, None]).reshape(ORDER, -1)
    num = own.shape[1]
    places = [np.zeros((ORDER, 1), int)]
    places += [1 + steps[:, [step]] * reach + length for step in range(4) for length in range(reach)]
    seen = (num * np.concatenate(places, 1)[:, :, None] + own[:, None, :]).reshape(ORDER, -1)

    def and_identity(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows, np.full((ORDER, 1), rows.shape[1])], 1)

    return and_identity(own), and_identity(seen)


class LCombined(nn.Module):
    """L-Conv and L-Bilin in one: products of a field with itself transported, with weights of their own for each pair.

    Fields get the identity as a further channel, so that the layer holds what is linear in them, and a constant.

    Attributes:
        channels: of the result; with ``over_leaves`` for each of the eight leaves.
        reach: largest length of a path.
        over_leaves: fields have channels (channel, leaf), which D4 permutes with the lattice: ``free`` or ``averaged``
            weights; None for fields without leaves, to which conjugates are added.
    """

    channels: int
    reach: int
    over_leaves: Literal["free", "averaged"] | None = None

    @nn.compact
    def __call__(self, links: Links, fields: Fields) -> Fields:
        """Returns a field [N, L, L, C', 4]."""
        if self.over_leaves is None:
            fields = with_conjugates(fields)
        seen = with_identity(transported(links, fields, self.reach))
        channels, tied = self.channels, None
        if self.over_leaves is not None:
            channels *= ORDER
            if self.over_leaves == "averaged":
                own, far = channel_actions(fields.shape[-2] // ORDER, self.reach)
                tied = channel_actions(self.channels, 0)[0][:, :-1], own, far
        return LBilin(channels, tied)(with_identity(fields), seen)


def traces(fields: Fields) -> Float[Array, "N L L C"]:
    """Returns the real parts of the traces, which gauge transformations leave alone."""
    return trace(fields)
