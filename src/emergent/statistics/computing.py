"""Where the large reductions of a summary run: with NumPy on the host, or on an accelerator that a verb lends.

A summary of a thousand members takes a host an hour and an accelerator seconds. Nothing here knows which library
computes: code is written for both, and asks ``place`` to put arrays where they are to be reduced.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Computing:
    """A place to compute.

    Attributes:
        place: from an array of NumPy to one whose operations run there.
        compiled: from a function of arrays to one that runs there as a single program.
        chunk_floats: floats of ensembles' outputs that exist at a time.
        row_multiple: ensembles are filled up to a multiple of so many, where a program is compiled for every number.
    """

    place: Callable[[np.ndarray], Any]
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]]
    chunk_floats: int
    row_multiple: int = 1


# Few enough for the caches, and for memory to be used again instead of asked for anew, which takes longer than the
# arithmetic.
HOST = Computing(np.asarray, lambda function: function, 2**20)
_CURRENT: ContextVar[Computing] = ContextVar("computing", default=HOST)


def current() -> Computing:
    """Returns where to compute."""
    return _CURRENT.get()


@contextmanager
def computing_on(where: Computing) -> Iterator[None]:
    """Lends a place to compute for the length of a block."""
    token = _CURRENT.set(where)
    try:
        yield
    finally:
        _CURRENT.reset(token)
