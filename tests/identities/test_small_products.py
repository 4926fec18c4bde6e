"""Products of small matrices of every sample, their gradients and their count, against what they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.groups.small_products import small_products
from emergent.models.size import multiplications

SHAPES = [(3, 4, 5), (1, 6, 1), (1, 1, 1), (2, 9, 1), (1, 3, 7)]


def draw(p: int, k: int, q: int, num: int = 11) -> tuple[jax.Array, jax.Array]:
    generator = np.random.default_rng(0)
    return jnp.asarray(generator.normal(size=(p, k, num))), jnp.asarray(generator.normal(size=(k, q, num)))


def einsum(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.einsum("pkn,kqn->pqn", left, right, precision="highest")


@pytest.mark.parametrize("shape", SHAPES)
def test_products_and_two_derivatives_are_those_of_the_sum_over_the_inner_index(shape: tuple[int, int, int]) -> None:
    with jax.enable_x64(True):
        left, right = draw(*shape)

        def slope(product: object, left: jax.Array, right: jax.Array) -> jax.Array:
            along = jax.grad(lambda a: jnp.sin(product(a, right)).sum())(left)
            return jnp.square(along).sum()

        for function in (
            lambda product: product(left, right),
            lambda product: jax.grad(lambda a, b: jnp.sin(product(a, b)).sum(), (0, 1))(left, right),
            lambda product: jax.grad(slope, (1, 2))(product, left, right),
        ):
            ours, theirs = function(small_products), function(einsum)
            for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_multiplications_are_counted_as_those_of_a_matrix_product(shape: tuple[int, int, int]) -> None:
    def loss(product: object) -> object:
        return jax.grad(lambda a, b: product(a, b).sum(), (0, 1))

    arrays = draw(*shape)
    assert multiplications(small_products, *arrays) == multiplications(einsum, *arrays) == np.prod([*shape, 11])
    assert multiplications(loss(small_products), *arrays) == 3 * np.prod([*shape, 11])
    stacked = [jnp.stack([array] * 2) for array in arrays]
    assert multiplications(jax.vmap(small_products), *stacked) == 2 * np.prod([*shape, 11])
