"""Errors of invariance against the distance of a group from the finite part that augmented, with their bound.

Input: summary table ``errors``. The lemma behind the bound is in arXiv:2403.03103, which has no such picture.
"""

from itertools import zip_longest

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from emergent.config.figure_kinds import ErrorWithBound
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "order", "kappa", "time", "what", "mean", "stderr", "num")
LINES: dict[str, tuple[LineStyleType, str]] = {
    "error": ("-", "error"),
    "terms": (":", "error without cancellation"),
    "bound": ("--", r"bound $\kappa\,C(x)$"),
}
"""Line and name of each quantity."""


def draw(inputs: Inputs, references: References, entry: ErrorWithBound) -> Drawing:
    """Returns a panel per arm: error, what the bound is on, and the bound, in one colour per training time.

    Args:
        inputs: holds ``errors``.
        references: not used; nothing of the kind is published.
        entry: titles and options.

    Raises:
        DataError: the table is missing.
    """
    del references
    table = require_table(inputs, "errors", COLUMNS)
    times = sorted({int(time) for time in table["time"]})
    shown = table[table["time"].isin(entry.options.times or times) & table["what"].isin(LINES)]
    times = sorted({int(time) for time in shown["time"]})
    colors = style.size_colors(times)
    arms = inputs.arms_in(shown)
    figure = style.new_figure(entry.width, 3.5)
    panels = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    for panel, arm in zip(panels, arms, strict=True):
        _draw_arm(panel, shown[shown["arm"] == arm.name], colors)
        panel.set_title(arm.label)
    style.log_decades(panels[0])
    panels[0].set_ylabel(r"Difference of mean outputs under SO(2)")
    upper = [Line2D([], [], color=color, marker="o", label=rf"$\eta t$ = {time}") for time, color in colors.items()]
    lower = [Line2D([], [], color="black", linestyle=line, label=word) for line, word in LINES.values()]
    # The legend fills column by column; taken in turn, times stand in the first row and lines in the second.
    handles = [handle for pair in zip_longest(upper, lower) for handle in pair if handle is not None]
    figure.legend(handles=handles, loc="outside lower center", ncols=max(len(upper), len(lower)))
    facts = {
        "num_members": span([int(num) for num in shown["num"]]),
        "arms": listed([arm.label for arm in arms]),
        "groups": listed([f"C{order}" for order in sorted({int(order) for order in shown["order"]})]),
    }
    return Drawing(figure, stack(shown, pd.DataFrame()), facts)


def _draw_arm(panel: Axes, rows: pd.DataFrame, colors: dict[int, str]) -> None:
    for (time, what), part in rows.groupby(["time", "what"]):
        own = part.sort_values("kappa")
        line, color = LINES[str(what)][0], colors[int(str(time))]
        if what == "error":
            panel.errorbar(own["kappa"], own["mean"], yerr=own["stderr"], color=color, marker="o",
                           elinewidth=0.8)  # fmt: skip
        else:
            panel.plot(own["kappa"], own["mean"], color=color, linestyle=line, linewidth=1.0)
    panel.set_xscale("log")
    ticks = rows.drop_duplicates("order").sort_values("kappa")
    panel.set_xticks(ticks["kappa"], [f"{kappa:.2g}\n{style.group_name(f'C{order}')}" for kappa, order in
                                      zip(ticks["kappa"], ticks["order"], strict=True)])  # fmt: skip
    panel.minorticks_off()
    panel.set_xlabel(r"$\kappa$ = 2 sin($\pi$ / 2k)")
