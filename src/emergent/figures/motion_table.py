"""Errors of rollouts by way to learn and family, with published values beside ours.

Input: summary table ``rollouts``. S. Villar's talk has a table of this form.
"""

import pandas as pd

from emergent.config.dynamics_figures import MotionTable
from emergent.figures.drawing import References, Tabulation, published_table, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs
from emergent.figures.motion import FAMILIES, MISSING, families_in, published_words, spread_words

COLUMNS = ("arm", "family", "method", "ensemble_size", "metric", "mean", "std", "median", "num")
QUANTITY = "rollout_score"


def tabulate(inputs: Inputs, references: References, entry: MotionTable) -> Tabulation:
    """Returns mean and standard deviation over trials, a row per way to learn and one more for its largest ensembles.

    Args:
        inputs: holds ``rollouts``.
        references: published values; series of quantity ``rollout_score``.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del entry
    table = require_table(inputs, "rollouts", COLUMNS)
    published = published_table(references, QUANTITY)
    scores = require_rows(table, "rollouts", metric="score")
    asymmetry = require_rows(table, "rollouts", metric="equivariance_error")
    methods = list(dict.fromkeys(str(method) for method in scores["method"]))
    cells: dict[str, dict[str, str]] = {}
    for method in methods:
        sizes = sorted({int(size) for size in scores[scores["method"] == method]["ensemble_size"]})
        for size in dict.fromkeys((1, sizes[-1])):
            row = cells.setdefault(method if size == 1 else f"{method}, ensembles of {size}", {})
            for family in families_in(table):
                name = FAMILIES[family]
                keep = {"method": method, "family": family, "ensemble_size": size}
                own, even = (_one(part, keep) for part in (scores, asymmetry))
                row[name] = MISSING if own is None else spread_words(own["mean"], own["std"])
                row[f"{name}, median"] = MISSING if own is None else f"{own['median']:.4f}"
                row[f"{name}, published"] = MISSING
                if own is not None and size == 1:
                    row[f"{name}, published"] = published_words(published, arm=str(own["arm"]))
                row[f"{name}, equivariance"] = MISSING if even is None else f"{even['mean']:.1e}"
    shown = pd.DataFrame.from_dict(cells, orient="index")
    facts = {"num_members": span([int(num) for num in scores["num"]])}
    return Tabulation(shown, stack(table, published), facts)


def _one(table: pd.DataFrame, keep: dict[str, object]) -> pd.Series | None:
    rows = table
    for column, value in keep.items():
        rows = rows[rows[column] == value]
    return None if rows.empty else rows.iloc[0]
