"""Our values beside published points, one row per point, with the difference in standard errors.

Input: summary tables ``quantities`` and ``law``. arXiv:2410.01452, image experiments.
"""

import math

import pandas as pd

from emergent.config.figure_kinds import PublishedPoints
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import (
    References,
    Tabulation,
    measured,
    nearest_epoch,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.law import LAW_COLUMNS, QUANTITY_COLUMNS
from emergent.figures.metrics import metric_look, published_points

HEAD = ("ours", "published", "difference / error", "epochs", "pool")


def tabulate(inputs: Inputs, references: References, entry: PublishedPoints) -> Tabulation:
    """Returns ours, the published value, their difference in combined standard errors, and whether the runs are alike.

    Args:
        inputs: holds ``quantities`` and ``law``.
        references: published values; series of quantities ``osp`` and ``divergence``.
        entry: titles, and epoch and pool of the published run.

    Raises:
        DataError: a table is missing, or no published points were given.
    """
    quantities = require_table(inputs, "quantities", QUANTITY_COLUMNS).set_index("name")
    laws = require_table(inputs, "law", LAW_COLUMNS)
    epoch, members = nearest_epoch(laws, "last"), {int(num) for num in laws["num_members"]}
    published = published_points(references)
    looks = arm_looks(inputs)
    # A scale may leave out arms.
    known = published["mean"].notna() & published["arm"].isin(looks) if len(published) else []
    published = published[known] if len(published) else published
    if published.empty:
        raise DataError(f"table {entry.name} compares with published points; name their file under references.")
    cells: dict[str, dict[str, str]] = {}
    compared = []
    for point in published.to_dict("records"):
        name = f"{point['metric']}/{point['arm']}/{point['role']}/{int(point['ensemble_size'])}"
        found = name in quantities.index
        value, error = (float(quantities.at[name, column]) if found else math.nan for column in ("value", "stderr"))
        score = (value - point["mean"]) / math.hypot(error, point["uncertainty"])
        label = (f"{point['figure']}, {style.data_name(point['data'])}, {metric_look(point['metric']).word}, "
                 f"{looks[point['arm']].word}, N = {int(point['ensemble_size'])}")  # fmt: skip
        cells[label] = dict(zip(HEAD, (
            measured(value, error) if found else "–",
            measured(point["mean"], point["uncertainty"]),
            f"{score:+.1f}" if math.isfinite(score) else "–",
            _alike(epoch, entry.options.epoch),
            _alike(min(members), entry.options.num_members),
        ), strict=True))  # fmt: skip
        compared.append({**point, "name": name, "ours": value, "ours_stderr": error, "score": score})
    facts = {"epoch": str(epoch), "num_members": span(sorted(members))}
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index", columns=list(HEAD)),
                      stack(pd.DataFrame(), pd.DataFrame(compared)), facts)  # fmt: skip


def _alike(ours: int, theirs: int) -> str:
    return "same" if ours == theirs else f"{ours} of {theirs}"
