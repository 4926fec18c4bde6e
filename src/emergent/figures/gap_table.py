"""Risk gap of linear regression by group, measured and by theory, and augmentation beside projection.

Input: summary table ``gaps``. The formula is in S. Villar's talk; augmentation is ours.
"""

import pandas as pd

from emergent.config.symmetry_figures import GapTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, Tabulation, measured, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "group", "clusters", "dimension", "characters", "size", "gap", "stderr", "theory", "score",
           "asymmetry", "from_tied", "apart", "apart_invariant", "num")  # fmt: skip


def tabulate(inputs: Inputs, references: References, entry: GapTable) -> Tabulation:
    """Returns a row per truth and group, at the smallest training sets; augmentation at all of them.

    Args:
        inputs: holds ``gaps``.
        references: not used; no such numbers are published.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del references, entry
    table = require_table(inputs, "gaps", COLUMNS)
    smallest = int(table["size"].min())
    looks, cells = arm_looks(inputs), {}
    for (arm, group), rows in table.groupby(["arm", "group"], sort=False):
        first = rows[rows["size"] == smallest].iloc[0]
        del group
        cells[f"{looks[str(arm)].word}, clusters {first['clusters']}"] = {
            "dim, orbits": f"{int(first['dimension'])}",
            "dim, characters": f"{first['characters']:g}",
            f"gap at n = {smallest}": measured(float(first["gap"]), float(first["stderr"])),
            "theory": f"{first['theory']:.4g}",
            "difference / error": f"{first['score']:+.1f}",
            "augmented: asymmetry": f"{rows['asymmetry'].max():.0e}",
            "from tied": f"{rows['from_tied'].max():.0e}",
            "from projected": f"{first['apart']:.2g}",
            "invariant inputs": f"{rows['apart_invariant'].max():.0e}",
        }
    facts = {"num_members": span([int(num) for num in table["num"]]), "sizes": str(smallest)}
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), stack(table, pd.DataFrame()), facts)
