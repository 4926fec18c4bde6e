"""Points that move from a helix to another class, in data and in latent space, and how far from it they end.

Input: summary tables ``attacked`` and ``paths``. arXiv:2206.05075 shows boxes of these distances; no numbers are known.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.counterfactual_figures import AttackPaths
from emergent.figures import style
from emergent.figures.attack_boxes import COLUMNS, DATA, LATENT, START, boxes_of, draw_boxes, sizes_of
from emergent.figures.drawing import Drawing, References, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

PATHS = ("arm", "networks", "space", "sample", "step", "x", "y", "z")
MARGIN = 0.4
"""Of the axes beyond what is drawn."""


def draw(inputs: Inputs, references: References, entry: AttackPaths) -> Drawing:
    """Returns two projections of the helix with paths of points where one network is attacked, and boxes of distances.

    Args:
        inputs: holds ``attacked`` and ``paths``.
        references: not used: no numbers are published.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    table = require_table(inputs, "attacked", COLUMNS)
    paths = require_table(inputs, "paths", PATHS)
    boxes = boxes_of(inputs, table)
    own = require_rows(paths, "paths", arm=boxes[0].arm)
    own = own[own["networks"] <= 1]
    figure = style.new_figure(entry.width, 2.9)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.15, 1))
    pictures, right = halves
    panels: Any = pictures.subplots(2, 1, sharex=True)
    top, bottom = panels
    _draw_curve(top, own, "x", "$x_1$")
    _draw_curve(bottom, own, "y", "$x_2$")
    bottom.set_xlabel("$x_3$")
    handles = [
        Line2D([], [], color=START, label="helix"),
        Line2D([], [], color="black", marker="o", markersize=3, linestyle="none", label="start"),
        Line2D([], [], color=DATA, label="moved in X"),
        Line2D([], [], color=LATENT, label="in Z"),
    ]
    pictures.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.0)
    panel = right.subplots()
    draw_boxes(panel, table, boxes)
    panel.set(ylabel="Distance to Helix", xlabel="Space and Number of Networks Attacked")
    facts = {
        "num_members": span([facts.num_members for facts in inputs.facts]),
        "ensemble_size": span(sizes_of(table)[1:]),
    }
    return Drawing(figure, stack(pd.concat([table, own], ignore_index=True), pd.DataFrame()), facts)


def _draw_curve(panel: Axes, paths: pd.DataFrame, column: str, label: str) -> None:
    """Draws one projection along the axis of the helix."""
    reach = float(np.abs(paths["z"]).max()) + MARGIN
    curve = require_rows(paths, "paths", space="curve").sort_values("step")
    panel.plot(curve["z"], curve[column], color=START, linewidth=2.6, alpha=0.5, zorder=1)
    for (space, _), rows in paths[paths["space"] != "curve"].groupby(["space", "sample"], sort=False):
        rows = rows.sort_values("step")
        color = DATA if space == "x" else LATENT
        panel.plot(rows["z"], rows[column], color=color, linewidth=0.9, zorder=3)
        last, first = rows.iloc[-1], rows.iloc[0]
        panel.plot([last["z"]], [last[column]], color=color, marker="D", markersize=2.8, zorder=4)
        panel.plot([first["z"]], [first[column]], color="black", marker="o", markersize=2.8, zorder=5)
    panel.set_xlim(-reach, reach)
    panel.set_ylabel(label)
