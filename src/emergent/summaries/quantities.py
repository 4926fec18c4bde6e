"""Named scalars of an experiment: the only thing that claims read."""

import math

import pandas as pd

COLUMNS = ["name", "value", "stderr", "num", "description"]


class Quantities:
    """Collects named scalars and returns them as a tidy table.

    A standard error of NaN means that it could not be estimated (one repeat only); 0 means exact up to round-off.
    """

    def __init__(self) -> None:
        """Starts with no quantity."""
        self._rows: dict[str, tuple[str, float, float, int, str]] = {}

    def add(self, name: str, value: float, stderr: float = math.nan, num: int = 1, description: str = "") -> None:
        """Adds one scalar.

        Raises:
            ValueError: the name exists already.
        """
        if name in self._rows:
            raise ValueError(f"quantity {name!r} was added twice")
        self._rows[name] = (name, float(value), float(stderr), int(num), description)

    def add_with_alias(self, pattern: str, data: str, aliases: list[str], *values: float, description: str) -> None:
        """Adds a scalar under its data set's name and under the aliases of that set (``in``, ``ood``).

        Args:
            pattern: name with ``{data}`` in it.
            data: name of the evaluation set.
            aliases: further names for it.
            values: value, standard error, number of repeats.
            description: one sentence.
        """
        value, stderr, num = values
        for label in dict.fromkeys([data, *aliases]):
            self.add(pattern.format(data=label), value, stderr, int(num), description)

    def table(self) -> pd.DataFrame:
        """Returns all quantities in the order in which they were added."""
        return pd.DataFrame(list(self._rows.values()), columns=COLUMNS)


def aliases(settings: dict, data: str) -> list[str]:
    """Returns ``["in"]`` or ``["ood"]`` for the primary evaluation set of that role, else an empty list."""
    entry = settings["data"][data]
    return [entry["role"]] if entry["primary"] and entry["role"] != data else []
