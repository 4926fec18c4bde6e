"""One code for arrays of NumPy and of JAX, without importing JAX where there is none."""

from typing import Any

import numpy as np


def namespace(values: Any) -> Any:
    """Returns the module with the functions for an array: ``numpy``, or ``jax.numpy`` without importing it here."""
    return values.__array_namespace__()


def in_double(values: Any) -> Any:
    """Returns an array in float64, or as precise as the library has been told to be."""
    xp = namespace(values)
    return values.astype(np.float64 if xp is np else xp.result_type(float))
