"""Command-line arguments of the form NAME=PATH."""

from collections.abc import Sequence
from pathlib import Path

from emergent.errors import ConfigError


def parse_pairs(words: Sequence[str], flag: str) -> dict[str, Path]:
    """Returns name to path for words like ``ising=results/smoke/ising/summary.h5``.

    Raises:
        ConfigError: a word has no ``=`` or a name comes twice.
    """
    pairs: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or not name or not path:
            raise ConfigError(f"{flag} {word!r}: expected NAME=PATH, e.g. ising=results/smoke/ising/summary.h5.")
        if name in pairs:
            raise ConfigError(f"{flag}: {name!r} is given twice.")
        pairs[name] = Path(path)
    return pairs
