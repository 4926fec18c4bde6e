"""Distances of two kinds of ensembles when one unpublished setting changes at a time, beside the published ones.

Input: summary tables ``distances`` and ``floors``. arXiv:2406.06504 states neither norm nor settings.
"""

import pandas as pd

from emergent.config.distance_figures import DistanceSensitivity
from emergent.figures.drawing import (
    References,
    Tabulation,
    measured,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.statistics.estimate import quantile

COLUMNS = ("arm", "data", "norm", "ensemble_size", "mean", "stderr", "num")
FLOOR_COLUMNS = ("series", "arm", "data", "num", "floor_squared", "floor_squared_stderr", "floor_squared_dof",
                 "law_ratio", "law_ratio_stderr", "law_square", "law_square_stderr")  # fmt: skip
NORMS = {
    "root_mean_square": "root of the mean square norm",
    "per_logit": "root mean square of a logit",
    "total": "norm over all images together",
    "mean_square": "mean square norm",
}
"""Readings of the norm, in words; elsewhere it is the mean of norms."""
OWN_NORM = "mean_norm"


def tabulate(inputs: Inputs, references: References, entry: DistanceSensitivity) -> Tabulation:
    """Returns a row per pair, per repetition of the evaluation set, and per norm, beside the published distances.

    Level is the distance of single networks, ratio that of large ensembles over it, by the law. A row explains one of
    them (``yes``) where an interval of two errors lies within the tolerance about the published value, and does not
    (``no``) where it lies outside.

    Args:
        inputs: holds ``distances`` and ``floors``.
        references: published values, of quantity ``distance_mean``; without them nothing is explained.
        entry: titles and options.

    Raises:
        DataError: a table or a row is missing.
    """
    options = entry.options
    distances = require_table(inputs, "distances", COLUMNS)
    floors = require_table(inputs, "floors", FLOOR_COLUMNS)
    target = _published(published_table(references, "distance_mean"), options.published_size)
    sets = [options.data, *(item.name for facts in inputs.facts for item in facts.data
                            if item.condition_of == options.data)]  # fmt: skip
    conditions = {item.name: item.condition for facts in inputs.facts for item in facts.data}
    pairs = inputs.arms_in(distances)
    shown: list[tuple[str, str, str, str]] = [(arm.label, arm.name, options.data, OWN_NORM) for arm in pairs]
    first = pairs[0].name
    shown += [(f"fields: {conditions[data]}", first, data, OWN_NORM) for data in sets[1:]]
    shown += [(f"norm: {words}", first, options.data, norm) for norm, words in NORMS.items()]
    cells, rows = {}, []
    for label, arm, data, norm in shown:
        own = require_rows(distances, "distances", arm=arm, data=data, norm=norm).sort_values("ensemble_size")
        law = require_rows(floors, "floors", series="pair", arm=arm, data=data).iloc[0]
        cells[label] = _cells(own, law, norm, target, options.tolerance)
        rows.append(own.assign(label=label, law_ratio=law["law_ratio"], law_ratio_stderr=law["law_ratio_stderr"]))
    facts = {
        "data": inputs.data_name(options.data),
        "num_members": span([int(num) for num in floors["num"]]),
        "ensemble_size": str(options.published_size),
    }
    data = stack(pd.concat(rows, ignore_index=True), published_table(references, "distance_mean"))
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), data, facts)


def _published(table: pd.DataFrame, size: int) -> tuple[float, float] | None:
    """Returns the published distance of single networks and the ratio of that of ensembles to it, where known."""
    known = dict(zip(table["ensemble_size"], table["mean"], strict=True)) if len(table) else {}
    return (float(known[1]), float(known[size] / known[1])) if {1, size} <= set(known) else None


def _cells(
    own: pd.DataFrame, law: pd.Series, norm: str, target: tuple[float, float] | None, tolerance: float
) -> dict[str, str]:
    single = own.iloc[0]
    level, level_error = float(single["mean"]), float(single["stderr"])
    # A mean of squares falls like the square of what the law says of norms.
    name = "law_square" if norm == "mean_square" else "law_ratio"
    ratio, error = float(law[name]), float(law[f"{name}_stderr"])
    wide = quantile(2.0, float(law["floor_squared_dof"])) * error
    cells = {
        "one member": measured(level, level_error),
        "over published": "–",
        "explains level": "–",
        "squared floor / noise": measured(float(law["floor_squared"]), float(law["floor_squared_stderr"])),
        "ratio": measured(ratio, error),
        "explains ratio": "–",
    }
    if target is not None:
        cells["over published"] = f"{level / target[0]:.2f}"
        cells["explains level"] = _word(level - target[0], 2 * level_error, tolerance * target[0])
        cells["explains ratio"] = _word(ratio - target[1], wide, tolerance * target[1])
    return cells


def _word(difference: float, wide: float, tolerance: float) -> str:
    if abs(difference) + wide <= tolerance:
        return "yes"
    return "no" if abs(difference) - wide > tolerance else "unclear"
