"""What is left of the distance to the infinitely wide ensemble when finitely wide members are many, and how it falls.

For independent members the mean squared difference of an ensemble of M is exactly ``floor^2 + noise / M``. Floor and
noise are estimated without bias from all members, and the floors of several widths are fitted by ``(a / width)^2``:
the mean of networks approaches that of the kernel like one over the width, their spread stays.

References:
    arXiv 2403.03103, Ising experiment: relative difference to the NTK, of which print shows no law.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent.config.stages import ArmFacts, DataFacts
from emergent.statistics.estimate import Estimate
from emergent.statistics.laws import Law, squared_gap_by_sample, squared_gap_law
from emergent.statistics.width_fits import inverse_width_fit
from emergent.summaries.quantities import Quantities

COLUMNS = [
    "arm", "width", "data", "num", "floor_squared", "floor_squared_stderr", "floor", "floor_stderr", "noise",
    "fitted_squared",
]  # fmt: skip


@dataclass(frozen=True)
class _Found:
    arm: ArmFacts
    data: str
    num: int
    law: Law


@dataclass
class Floors:
    """Floors of all arms on all evaluation sets, collected one by one."""

    found: list[_Found] = field(default_factory=list)

    def add(self, arm: ArmFacts, data: DataFacts, differences: Float[np.ndarray, "M N"]) -> None:
        """Adds the law of one arm on one set.

        Args:
            arm: whose members they are.
            data: the evaluation set.
            differences: of every member to the infinitely wide ensemble at every sample, in units of the scale.
        """
        num, num_samples = differences.shape
        if num < 2:
            return
        law = squared_gap_law(differences @ differences.T / num_samples)
        by_sample = squared_gap_by_sample(np.square(differences.sum(0)), np.square(differences).sum(0), num)
        self.found.append(_Found(arm, data.name, num, law.over_samples(by_sample, data.whole)))

    def table(self) -> pd.DataFrame:
        """Returns a row per arm and set, with the fitted floor^2 where several widths make a fit."""
        rows: list[dict[str, Any]] = []
        fits = self._fits()
        for one in self.found:
            floor = one.law.floor.root()
            head = {"arm": one.arm.name, "width": one.arm.width_in_tables, "data": one.data, "num": one.num}
            squared = {"floor_squared": one.law.floor.value, "floor_squared_stderr": one.law.floor.stderr}
            own = {"floor": floor.value, "floor_stderr": floor.stderr, "noise": one.law.slope.value}
            width = one.arm.width_in_tables
            fitted = fits[one.data][0].value / width**2 if one.data in fits else math.nan
            rows.append(head | squared | own | {"fitted_squared": fitted})
        return pd.DataFrame(rows, columns=COLUMNS)

    def add_quantities(self, quantities: Quantities) -> None:
        """Adds floors and noise, and for each set the fit over the widths."""
        text = "mean squared difference to the NTK over the squared scale = floor^2 + noise / M, unbiased"
        for one in self.found:
            name = f"{one.arm.name}/{one.data}"
            quantities.add(f"ntk_floor_squared/{name}", one.law.floor, f"floor^2 (may be negative) of {text}")
            quantities.add(f"ntk_floor/{name}", one.law.floor.root(), f"floor of {text}")
            quantities.add(f"ntk_noise/{name}", one.law.slope, f"noise of {text}")
        for data, (coefficient, misfit) in self._fits().items():
            text = "a^2 (may be negative) of floor^2 = (a / width)^2, fitted to all widths"
            quantities.add(f"ntk_floor_by_width/{data}", coefficient, text)
            quantities.add(f"ntk_floor_misfit/{data}", misfit, "chi-square over its degrees of freedom of that fit")

    def _fits(self) -> dict[str, tuple[Estimate, Estimate]]:
        """Returns ``a^2`` and misfit by set, of those sets that have floors with errors of several widths."""
        result = {}
        for data in dict.fromkeys(one.data for one in self.found):
            rows = [one for one in self.found if one.data == data and one.arm.width]
            if len({one.arm.width for one in rows}) > 1 and all(one.law.floor.stderr > 0 for one in rows):
                widths = [float(one.arm.width or math.nan) for one in rows]
                result[data] = inverse_width_fit(widths, [one.law.floor for one in rows])
        return result
