"""Losses of contrastive learning, of embeddings with norm 1.

References:
    SimCLR: arXiv:2002.05709, equation 1. CARE: Gupta et al., arXiv:2306.13924 (ICLR 2024).
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

OUT = -1e9
"""In place of similarities that are left out: finite, so that products with 0 stay 0."""


def info_nce(first: Float[Array, "N D"], second: Float[Array, "N D"], temperature: float) -> Float[Array, ""]:
    """Returns the cross-entropy with which each of 2N views finds the other view of its image among all others."""
    similarity, own = _similarities(first, second, temperature)
    partner = jnp.roll(jnp.arange(2 * len(first)), len(first))
    return optax.softmax_cross_entropy_with_integer_labels(jnp.where(own, OUT, similarity), partner).mean()


def uniformity(first: Float[Array, "N D"], second: Float[Array, "N D"], temperature: float) -> Float[Array, ""]:
    """Returns the logarithm of the mean exponential similarity of views of different images: no views attract."""
    similarity, own = _similarities(first, second, temperature)
    num = len(first)
    negative = jnp.where(own | jnp.roll(own, num, 1), OUT, similarity)
    return (jax.nn.logsumexp(negative, 1) - jnp.log(2 * num - 2)).mean()


def inner_product_change(first: Float[Array, "S B D"], second: Float[Array, "S B D"]) -> Float[Array, ""]:
    """Returns how much inner products of images differ between two views, each the same for all images of a part.

    It is the mean over the S parts of ``2 mean_i sum_(j != i) (z1_i . z1_j - z2_i . z2_j)^2``, and 0 exactly where a
    rotation, with or without a reflection, leads from one view's embeddings to the other's.
    """
    change = jnp.einsum("sid,sjd->sij", first, first) - jnp.einsum("sid,sjd->sij", second, second)
    others = 1 - jnp.eye(first.shape[1], dtype=first.dtype)
    return 2 * (jnp.square(change) * others[None]).sum(2).mean()


def _similarities(
    first: Float[Array, "N D"], second: Float[Array, "N D"], temperature: float
) -> tuple[Float[Array, "V V"], Array]:
    views = jnp.concatenate([first, second])
    return views @ views.T / temperature, jnp.eye(len(views), dtype=bool)
