"""Accuracies of classifiers on the sphere, and changes of their logits against the angle by which images are turned.

Input: summary tables ``scores`` and ``angles``.
"""

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.sphere_figures import ChangeByAngle
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import Drawing, References, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

SCORE_COLUMNS = ("arm", "ensemble_size", "metric", "mean", "stderr", "num")
COLUMNS = ("arm", "ensemble_size", "angle", "mean", "stderr", "num")
TESTS = {"upright": "not rotated", "score": "rotated"}


def draw(inputs: Inputs, references: References, entry: ChangeByAngle) -> Drawing:
    """Returns accuracies (left) and changes of logits by angle (right); dotted and open: the largest ensembles.

    Args:
        inputs: holds ``scores`` and ``angles``.
        references: not used.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    scores = require_table(inputs, "scores", SCORE_COLUMNS)
    angles = require_table(inputs, "angles", COLUMNS)
    looks, largest = arm_looks(inputs), int(angles["ensemble_size"].max())
    arms = inputs.arms_in(angles)
    figure = style.new_figure(entry.width, 2.8)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    handles = []
    for place, arm in enumerate(arms):
        look = looks[arm.name]
        marks: dict[str, Any] = {"color": look.color, "marker": look.marker, "markersize": 4.0}
        handles.append(Line2D([], [], linestyle="-", label=look.label, **marks))
        # Arms of few networks may have no ensemble so large.
        sizes = angles.loc[angles["arm"] == arm.name, "ensemble_size"]
        for size in (size for size in dict.fromkeys((1, largest)) if size in set(sizes)):
            face = look.color if size == 1 else "white"
            shift = 0.6 * ((place + 0.5) / len(arms) - 0.5) + (0.04 if size > 1 else 0.0)
            for where, metric in enumerate(TESTS):
                row = require_rows(scores, "scores", arm=arm.name, ensemble_size=size, metric=metric).iloc[0]
                left.errorbar([where + shift], [row["mean"]], yerr=[row["stderr"]], markerfacecolor=face, **marks)
            own = require_rows(angles, "angles", arm=arm.name, ensemble_size=size).sort_values("angle")
            right.errorbar(own["angle"], own["mean"], yerr=own["stderr"], linestyle="-" if size == 1 else ":",
                           markerfacecolor=face, **marks)  # fmt: skip
    if largest > 1:
        handles.append(Line2D([], [], color="#555555", linestyle=":", marker="o", markersize=4, markerfacecolor="white",
                              label=f"ensembles of {largest}"))  # fmt: skip
    left.set_xticks(range(len(TESTS)), list(TESTS.values()))
    left.set_xlim(-0.5, len(TESTS) - 0.5)
    left.set_xlabel("Test Images")
    left.set_ylabel("Accuracy (%)")
    right.set_xlabel("Angle of Rotations (degrees)")
    right.set_ylabel("Change of Logits")
    right.set_ylim(bottom=0)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    single = scores.loc[scores["ensemble_size"] == 1, "num"]
    facts = {"num_members": span([int(num) for num in single]), "ensemble_size": str(largest)}
    return Drawing(figure, stack(pd.concat([scores, angles], ignore_index=True), pd.DataFrame()), facts)
