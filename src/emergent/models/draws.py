"""Initial weights: the draws of ``jax.random``, made flat and then shaped.

The numbers are the same. XLA takes seconds on a processor to compile a draw of several axes, and a fraction of a second
to compile a flat one; that is most of the time of a short training job.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax


def normal(key: jax.Array, shape: Sequence[int], dtype: Any = float) -> jax.Array:
    """Returns standard normal draws of a shape; by default in double precision where that is on."""
    return jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)


def uniform(key: jax.Array, shape: Sequence[int], dtype: Any = float) -> jax.Array:
    """Returns uniform draws in [-1, 1) of a shape."""
    return jax.random.uniform(key, (math.prod(shape),), dtype, -1.0, 1.0).reshape(shape)
