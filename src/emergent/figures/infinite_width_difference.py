"""Relative difference between ensemble mean and infinite-width prediction against ensemble size.

Input: summary table ``ntk_difference``. arXiv:2403.03103 has a figure of this form.
"""

from itertools import zip_longest

import numpy as np
from matplotlib.lines import Line2D

from emergent.config.infinite_width_figures import InfiniteWidthDifference
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "width", "data", "ensemble_size", "mean", "std", "num")


def draw(inputs: Inputs, references: References, entry: InfiniteWidthDifference) -> Drawing:
    """Returns one panel per data set, one curve per width.

    Args:
        inputs: holds ``ntk_difference``.
        references: published values; series of quantity ``ntk_difference`` are drawn.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of one panel are missing.
    """
    table = require_table(inputs, "ntk_difference", COLUMNS)
    table = table[np.isfinite(table["width"])]
    published = published_table(references, "ntk_difference")
    widths = sorted({int(width) for width in table["width"]})
    colors = style.width_colors(widths)
    marks = style.markers(sorted({*widths, *(published["width"] if len(published) else ())}))
    figure = style.new_figure(entry.width, 2.7)
    axes = figure.subplots(1, len(entry.options.data), squeeze=False)[0]
    for panel, data in zip(axes, entry.options.data, strict=True):
        rows = require_rows(table, "ntk_difference", data=data)
        for width, group in rows.sort_values("ensemble_size").groupby("width"):
            panel.errorbar(group["ensemble_size"], group["mean"], yerr=group["std"].where(group["num"] > 1),
                           color=colors[width], marker=marks[width], elinewidth=0.8)  # fmt: skip
        theirs = published[published["data"] == data] if len(published) else published
        for width, group in theirs.groupby("width") if len(theirs) else ():
            style.published(panel, group["ensemble_size"], group["mean"], str(marks[width]))
        style.log_axis(panel, [*rows["ensemble_size"], *(theirs["ensemble_size"] if len(theirs) else ())])
        if entry.options.scale == "log":
            style.log_decades(panel)
        else:
            panel.axhline(0.0, color=style.NTK_COLOR)
        panel.set_title(inputs.data_name(data))
        panel.set_xlabel("Ensemble Size")
    axes[0].set_ylabel("Relative difference to NTK")
    upper = [Line2D([], [], color=colors[w], marker=marks[w], markersize=3.5, label=f"width {w}") for w in widths]
    if entry.options.scale == "linear":
        upper.append(Line2D([], [], color=style.NTK_COLOR, label="NTK"))
    lower = [
        style.published_handle(marks[width], f", width {width}")
        for width in (sorted(set(published["width"])) if len(published) else ())
    ]
    # The legend fills column by column; taken in turn, ours stand in the first row and the published in the second.
    handles = [handle for pair in zip_longest(upper, lower) for handle in pair if handle is not None]
    figure.legend(handles=handles, loc="outside lower center", ncols=max(len(upper), len(lower)))
    facts = {
        "widths": listed(widths),
        "num_ensembles": span([int(num) for num in table["num"]]),
        "ensemble_sizes": span([int(size) for size in table["ensemble_size"]]),
    }
    return Drawing(figure, stack(table, published), facts)
