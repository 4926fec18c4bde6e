"""Products of small matrices, one pair for every sample, with samples on the last axis so that they fill vectors."""

import jax
from jaxtyping import Array, Float

NAME = "multiply_samples_last"
"""By which ``emergent.models.size`` finds these products among operations, to count them."""


@jax.jit
def multiply_samples_last(left: Float[Array, "p k N"], right: Float[Array, "k q N"]) -> Float[Array, "p q N"]:
    """Returns left times right for every sample."""
    if left.shape[0] * right.shape[1] == 1:
        # XLA would compute a chain again for every number that this one is multiplied with.
        return (left[0] * right[:, 0]).sum(0)[None, None]
    # A chain and no reduction, which XLA does not vectorise on CPUs.
    terms = [left[:, index, None] * right[None, index] for index in range(left.shape[1])]
    return sum(terms[1:], terms[0])


@jax.custom_vjp
def small_products(left: Float[Array, "p k N"], right: Float[Array, "k q N"]) -> Float[Array, "p q N"]:
    """Returns left times right for every sample; gradients are such products too.

    On CPUs this is faster than a batched matrix product, which calls a routine for every sample. The sum over k is
    written out: for dozens of terms, not for hundreds.
    """
    return multiply_samples_last(left, right)


def _forward(left: Array, right: Array) -> tuple[Array, tuple[Array, Array]]:
    return small_products(left, right), (left, right)


def _backward(kept: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    left, right = kept
    # By hand: XLA would reduce over the axes of what both factors were repeated along, ten times as slowly.
    return small_products(gradient, right.swapaxes(0, 1)), small_products(left.swapaxes(0, 1), gradient)


small_products.defvjp(_forward, _backward)
