"""How often finite ensembles are farther from the infinite one than a distance, with the bound on it.

Input: summary table ``tail``. The lemma behind the bound is in arXiv:2403.03103, which has no such picture.
"""

import math

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.figure_kinds import TailWithBound
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "data", "ensemble_size", "deviation", "mean", "stderr", "bound", "gaussian", "num")

APART = 0.06
"""Distance between marks of neighbouring ensemble sizes."""


def draw(inputs: Inputs, references: References, entry: TailWithBound) -> Drawing:
    """Returns a panel per arm: frequencies by ensemble size, the normal one and the bound.

    Args:
        inputs: holds ``tail``.
        references: not used; nothing of the kind is published.
        entry: titles and options.

    Raises:
        DataError: the table, or the rows of the evaluation set, are missing.
    """
    del references
    table = require_rows(require_table(inputs, "tail", COLUMNS), "tail", data=entry.options.data)
    sizes = sorted({int(size) for size in table["ensemble_size"]})
    colors, marks = style.size_colors(sizes), style.markers(sizes)
    arms = inputs.arms_in(table)
    figure = style.new_figure(entry.width, 3.0)
    panels = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    for panel, arm in zip(panels, arms, strict=True):
        rows = table[table["arm"] == arm.name].sort_values("deviation")
        lines = rows.drop_duplicates("deviation")
        panel.plot(lines["deviation"], lines["bound"], color="black", linestyle="--")
        panel.plot(lines["deviation"], lines["gaussian"], color=style.PUBLISHED_COLOR)
        for size, part in rows.groupby("ensemble_size"):
            # Side by side, so that equal frequencies do not hide one another.
            shift = APART * (sizes.index(int(str(size))) - (len(sizes) - 1) / 2)
            # None so far has no place on a logarithmic axis, and says no more than that there are too few ensembles.
            own = part[part["mean"] > 0]
            panel.errorbar(own["deviation"] + shift, own["mean"], yerr=own["stderr"], color=colors[int(str(size))],
                           marker=marks[int(str(size))], linestyle="none", elinewidth=0.8)  # fmt: skip
        panel.set_title(arm.label)
        panel.set_xlabel(r"Distance $\delta$ / $\sigma$")
    # From the rarest frequency to 1: the bound says nothing above it.
    lowest = math.floor(math.log10(float(table.loc[table["mean"] > 0, "mean"].min())))
    panels[0].set_yscale("log")
    panels[0].set_ylim(10.0**lowest, 2.0)
    panels[0].set_ylabel(r"Frequency of larger distances")
    handles = [
        *(
            Line2D([], [], color=colors[size], marker=marks[size], linestyle="none", label=f"M = {size}")
            for size in sizes
        ),
        Line2D([], [], color=style.PUBLISHED_COLOR, label="normal distribution"),
        Line2D([], [], color="black", linestyle="--", label="bound"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "arms": listed([arm.label for arm in arms]),
        "data": inputs.data_name(entry.options.data),
        "ensemble_sizes": listed(sizes),
        "num_ensembles": span([int(num) for num in table["num"]]),
        "num_members": span([known.num_members for known in inputs.facts]),
    }
    return Drawing(figure, stack(table, pd.DataFrame()), facts)
