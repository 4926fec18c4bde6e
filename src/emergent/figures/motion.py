"""What figures of learnt motion share: names of families, and looks of ways to learn, alike in all families."""

import pandas as pd

from emergent.figures.arms import ArmLook, arm_looks
from emergent.figures.facts import Inputs

FAMILIES = {"hamiltonian": "HNN", "neural_ode": "N-ODE"}
"""Name of a family to that of its networks in figures."""
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
