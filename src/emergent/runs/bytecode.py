"""Bytecode that a full disk has cut: Python 3.11 keeps it, and from then on fails to import the module.

References:
    https://github.com/python/cpython/issues/126606
"""

import marshal
import sys
from collections.abc import Iterable
from pathlib import Path

SIGN = "marshal data"
"""In what Python says of it."""
_HEADER = 16


def remove_damaged(folders: Iterable[str] | None = None) -> int:
    """Removes compiled modules that cannot be read, so that they are compiled again.

    Args:
        folders: that modules are imported from; None for those of this process.

    Returns:
        How many there were.
    """
    num = 0
    for folder in sys.path if folders is None else folders:
        for path in Path(folder or ".").glob("**/__pycache__/*.pyc"):
            try:
                if not _is_readable(path.read_bytes()):
                    path.unlink()
                    num += 1
            except OSError:
                continue
    return num


def _is_readable(content: bytes) -> bool:
    try:
        marshal.loads(content[_HEADER:])
    except (EOFError, ValueError, TypeError):
        return False
    return True
