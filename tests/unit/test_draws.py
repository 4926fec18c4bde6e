"""Flat draws are the draws of jax.random, whichever way it numbers them."""

import jax
import numpy as np
import pytest

from emergent.models.draws import normal, uniform
from emergent.prng import random_index


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("shape", [(7,), (5, 3, 4), (2, 2, 3, 5), ()])
def test_draws_equal_those_of_jax(shape: tuple[int, ...], partitionable: bool) -> None:
    key = jax.random.key(3)
    with jax.threefry_partitionable(partitionable):
        np.testing.assert_array_equal(normal(key, shape), jax.random.normal(key, shape))
        np.testing.assert_array_equal(uniform(key, shape), jax.random.uniform(key, shape, minval=-1.0, maxval=1.0))


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 12, 16, 24, 64])
def test_indices_equal_those_of_jax(order: int, partitionable: bool) -> None:
    """Also in double precision, where integers have 64 bits."""
    for double in (False, True):
        with jax.threefry_partitionable(partitionable), jax.enable_x64(double):
            key = jax.random.key(5)
            found, expected = random_index(key, 40, order), jax.random.randint(key, (40,), 0, order)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
