"""Arrays from pickles of other projects, of which nothing is executed.

A pickle may name any function and have it called. Here lists, dictionaries, text, numbers and NumPy arrays can be
built, as Python 2 and Python 3 write them, and nothing else.
"""

import io
import pickle
from typing import Any

import numpy as np

_EMPTY = np.empty(0)  # its __reduce__ names the function that rebuilds arrays


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler that can build arrays and nothing else: a data file must not be able to run code."""

    def find_class(self, module: str, name: str) -> Any:
        # Such files were often written by numpy 1, whose module names numpy 2 only knows with a warning.
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _EMPTY.__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module == "_codecs" and name == "encode":
            return str.encode
        raise pickle.UnpicklingError(f"refuses {module}.{name}")


def load_pickled_arrays(content: bytes) -> Any:
    """Returns what a pickle holds; byte strings of Python 2 are read as Latin-1.

    Raises:
        Exception: the pickle is damaged, is none, or names something that is not allowed (``pickle.UnpicklingError``
            says what). What damaged ones raise depends on the damage: readers say which file it is, and what to do.
    """
    return _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
