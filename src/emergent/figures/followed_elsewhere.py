"""Errors of rollouts of pendulums as in training, in another unit, and of a wider range; errors under changes of units.

Input: summary tables ``followed`` and ``unit_errors``. arXiv:2204.00887 has a table of the errors of rollouts.
"""

import math
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.dynamics_figures import FollowedElsewhere
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import Drawing, References, published_table, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "test", "ensemble_size", "mean", "std", "median", "lost", "num")
UNIT_COLUMNS = ("arm", "ensemble_size", "mean", "std", "num")
QUANTITY = "rollout_score"
TESTS = {
    "same_law": "as in\ntraining",
    "new_unit": "another\nunit",
    "returned": "another unit,\nand back",
    "wide": "wider\nrange",
}
"""Name of a test to that in figures."""
GREY: dict[str, Any] = {"color": style.PUBLISHED_COLOR, "marker": "D", "markersize": 3.0}
WIDTH = 0.7
"""Of a test, part of which each arm has."""


def draw(inputs: Inputs, references: References, entry: FollowedElsewhere) -> Drawing:
    """Returns errors by test (left) and the error under changes of units by ensemble size (right).

    Args:
        inputs: holds ``followed`` and ``unit_errors``.
        references: published errors of rollouts, grey.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    table = require_table(inputs, "followed", COLUMNS)
    units = require_table(inputs, "unit_errors", UNIT_COLUMNS)
    published = published_table(references, QUANTITY)
    looks, largest = arm_looks(inputs), int(table["ensemble_size"].max())
    arms = inputs.arms_in(table)
    figure = style.new_figure(entry.width, 2.9)
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    handles = []
    for place, arm in enumerate(arms):
        look = looks[arm.name]
        shift = WIDTH * ((place + 0.5) / len(arms) - 0.5)
        plain: dict[str, Any] = {"color": look.color, "marker": look.marker, "markersize": 4.0}
        handles.append(Line2D([], [], linestyle="", label=look.label, **plain))
        for row in table[table["arm"] == arm.name].to_dict("records"):
            single = int(row["ensemble_size"]) == 1
            if not single and int(row["ensemble_size"]) != largest:
                continue
            where = list(TESTS).index(str(row["test"])) + shift + (0.0 if single else 0.07)
            face = look.color if single else "white"
            left.errorbar([where], [row["mean"]], yerr=[_stderr(row)], markerfacecolor=face, **plain)
        theirs = published[published["arm"] == arm.name].dropna(subset="mean") if len(published) else published
        for row in theirs.to_dict("records"):
            where = list(TESTS).index(str(row["test"])) + shift - 0.07
            left.errorbar([where], [row["mean"]], yerr=[row["spread"]], **GREY)
        own = units[units["arm"] == arm.name].sort_values("ensemble_size")
        right.errorbar(own["ensemble_size"], own["mean"], yerr=[_stderr(row) for row in own.to_dict("records")],
                       color=look.color, marker=look.marker, linestyle="-")  # fmt: skip
    if largest > 1:
        handles.append(Line2D([], [], color="#555555", linestyle="", marker="o", markersize=4, markerfacecolor="white",
                              label=f"ensembles of {largest}"))  # fmt: skip
    if len(published) and published["mean"].notna().any():
        handles.append(Line2D([], [], linestyle="", label=style.PUBLISHED_LABEL, **GREY))
    left.set_yscale("log")
    left.set_xticks(range(len(TESTS)), list(TESTS.values()))
    left.set_xlim(-0.6, len(TESTS) - 0.4)
    left.set_ylabel("Relative error of rollouts")
    style.log_axis(right, sorted({int(size) for size in units["ensemble_size"]}))
    right.set_yscale("log")
    right.set_xlabel("Ensemble members")
    right.set_ylabel("Error under changes of units")
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {"num_members": span([int(num) for num in table["num"]]), "ensemble_size": str(largest)}
    return Drawing(figure, stack(pd.concat([table, units], ignore_index=True), published), facts)


def _stderr(row: dict[str, float]) -> float:
    return row["std"] / math.sqrt(row["num"]) if row["num"] > 1 else 0.0
