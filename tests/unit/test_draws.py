"""Flat draws are the draws of jax.random, whichever way it numbers them."""

import jax
import numpy as np
import pytest

from emergent.models.draws import normal, uniform


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("shape", [(7,), (5, 3, 4), (2, 2, 3, 5), ()])
def test_draws_equal_those_of_jax(shape: tuple[int, ...], partitionable: bool) -> None:
    key = jax.random.key(3)
    with jax.threefry_partitionable(partitionable):
        np.testing.assert_array_equal(normal(key, shape), jax.random.normal(key, shape))
        np.testing.assert_array_equal(uniform(key, shape), jax.random.uniform(key, shape, minval=-1.0, maxval=1.0))
