"""What figures of learnt motion share: names of families, and looks of ways to learn, alike in all families."""

import pandas as pd

from emergent.figures.arms import ArmLook, arm_looks
from emergent.figures.facts import Inputs

FAMILIES = {"hamiltonian": "HNN", "neural_ode": "N-ODE"}
"""Name of a family to that of its networks in figures."""
MISSING = "–"
"""In tables: not given, or not run."""
FAMILY_MARKERS = {"hamiltonian": "o", "neural_ode": "s"}


def families_in(table: pd.DataFrame) -> list[str]:
    """Returns the families of a table, in the order of figures."""
    return [family for family in FAMILIES if (table["family"] == family).any()]


def method_looks(inputs: Inputs, table: pd.DataFrame) -> dict[str, ArmLook]:
    """Returns a look for every way to learn, in the order of the table."""
    methods = dict.fromkeys(str(method) for method in table["method"])
    # There are at least as many arms as ways to learn.
    return {
        method: look._replace(line="-", label=method, word=method, short=method)
        for method, look in zip(methods, arm_looks(inputs).values(), strict=False)
    }


def spread_words(mean: float, std: float) -> str:
    """Returns an error with its standard deviation over trials; one trial has none."""
    return f"{mean:.4f} ± {std:.4f}" if std == std else f"{mean:.4f}"


def published_words(table: pd.DataFrame, **keys: str) -> str:
    """Returns the published value with these keys and its spread; a dash where it is not given."""
    if table.empty:
        return MISSING
    rows = table[table["mean"].notna()]
    for column, value in keys.items():
        rows = rows[rows[column] == value]
    return MISSING if rows.empty else f"{rows['mean'].iloc[0]:g} ± {rows['spread'].iloc[0]:g}"
