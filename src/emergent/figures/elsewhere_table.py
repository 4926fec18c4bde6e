"""Errors of rollouts of pendulums as in training, in another unit of mass, and of a wider range, with published values.

Input: summary tables ``followed`` and ``unit_errors``. arXiv:2204.00887 has a table of this form.
"""

import pandas as pd

from emergent.config.dynamics_figures import ElsewhereTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, Tabulation, published_table, require_table, span, stack
from emergent.figures.facts import Inputs
from emergent.figures.followed_elsewhere import COLUMNS, QUANTITY, TESTS, UNIT_COLUMNS
from emergent.figures.motion import MISSING, published_words, spread_words


def tabulate(inputs: Inputs, references: References, entry: ElsewhereTable) -> Tabulation:
    """Returns mean and standard deviation over trials: a row per arm, and one more for its largest ensembles.

    Args:
        inputs: holds ``followed`` and ``unit_errors``.
        references: published errors of rollouts.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del entry
    table = require_table(inputs, "followed", COLUMNS)
    units = require_table(inputs, "unit_errors", UNIT_COLUMNS)
    published = published_table(references, QUANTITY)
    looks, cells = arm_looks(inputs), dict[str, dict[str, str]]()
    for arm in inputs.arms_in(table):
        own = table[table["arm"] == arm.name]
        for size in dict.fromkeys((1, int(own["ensemble_size"].max()))):
            label = looks[arm.name].label if size == 1 else f"{looks[arm.name].label}, ensembles of {size}"
            row = cells.setdefault(label, {})
            for test, words in TESTS.items():
                given = own[(own["test"] == test) & (own["ensemble_size"] == size)].iloc[0]
                heading = words.replace("\n", " ")
                row[heading] = spread_words(float(given["mean"]), float(given["std"]))
                if test != "returned":
                    row[f"{heading}, published"] = (
                        published_words(published, arm=arm.name, test=test) if size == 1 else MISSING
                    )
            error = units[(units["arm"] == arm.name) & (units["ensemble_size"] == size)].iloc[0]
            row["under changes of units"] = f"{float(error['mean']):.1e}"
    facts = {"num_members": span([int(num) for num in table["num"]])}
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), stack(table, published), facts)
