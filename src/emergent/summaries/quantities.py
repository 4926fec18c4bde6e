"""Named estimates of an experiment: the only thing that claims read."""

import math

import pandas as pd

from emergent.config.stages import DataFacts
from emergent.statistics.estimate import Estimate

COLUMNS = ["name", "value", "stderr", "dof", "num", "estimator", "description"]


class Quantities:
    """Collects named estimates and returns them as a tidy table."""

    def __init__(self) -> None:
        """Starts with no quantity."""
        self._rows: dict[str, tuple[str, float, float, float, int, str, str]] = {}

    def add(self, name: str, estimate: Estimate, description: str) -> None:
        """Adds one estimate.

        Raises:
            ValueError: the name exists already.
        """
        if name in self._rows:
            raise ValueError(f"quantity {name!r} was added twice")
        # Files hold no infinities: NaN stands for an error that is known, or exact.
        dof = estimate.dof if math.isfinite(estimate.dof) else math.nan
        numbers = float(estimate.value), float(estimate.stderr), dof, int(estimate.num)
        self._rows[name] = (name, *numbers, estimate.estimator, description)

    def add_on(self, data: DataFacts, *rows: tuple[str, Estimate, str]) -> None:
        """Adds estimates on one evaluation set, under its name and then, for a primary set, under its role.

        Args:
            data: the evaluation set.
            rows: name with ``{data}`` in it, estimate, one sentence.
        """
        names = [data.name, *([data.role] if data.primary else [])]
        # A set may be called like its role.
        for name in dict.fromkeys(names):
            for pattern, estimate, description in rows:
                self.add(pattern.format(data=name), estimate, description)

    def table(self) -> pd.DataFrame:
        """Returns all quantities in the order in which they were added."""
        return pd.DataFrame(list(self._rows.values()), columns=COLUMNS)
