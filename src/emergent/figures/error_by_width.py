"""Relative error of mean kernels of random networks against their width, a panel for each kernel.

Input: summary table ``convergence``. arXiv:2406.06504 has a figure of this form, with linear axes.
"""

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.infinite_width_figures import ErrorByWidth
from emergent.figures import style
from emergent.figures.arms import arm_looks, legend_handles
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

COLUMNS = ("arm", "kernel", "width", "error", "error_stderr", "noise", "num")
TITLES = {"nngp": "NNGP", "ntk": "NTK"}


def draw(inputs: Inputs, references: References, entry: ErrorByWidth) -> Drawing:
    """Returns errors with bars, what noise alone would leave, and published errors.

    Args:
        inputs: holds ``convergence``.
        references: published values; series of quantity ``error`` are drawn in the marker of their arm.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of a panel are missing.
    """
    table = require_table(inputs, "convergence", COLUMNS)
    published = published_table(references, "error")
    known = arm_looks(inputs)
    looks = {arm.name: known[arm.name] for arm in inputs.arms_in(table)}
    figure = style.new_figure(entry.width, 3.0)
    for panel, kernel in zip(figure.subplots(1, 2, sharey=True), TITLES, strict=True):
        for arm, look in looks.items():
            rows = require_rows(table, "convergence", arm=arm, kernel=kernel).sort_values("width")
            panel.errorbar(rows["width"], rows["error"], yerr=rows["error_stderr"], color=look.color,
                           marker=look.marker, linestyle=look.line, elinewidth=0.8)  # fmt: skip
            panel.plot(rows["width"], rows["noise"], color=look.color, linestyle=":", linewidth=1.0)
            if len(published):
                theirs = published[(published["arm"] == arm) & (published["kernel"] == kernel)]
                style.published(panel, theirs["width"], theirs["mean"], look.marker)
        style.log_axis(panel, [*table["width"], *(published["width"] if len(published) else ())])
        panel.set_yscale("log")
        panel.set_title(TITLES[kernel])
        panel.set_xlabel("Network Width")
    figure.axes[0].set_ylabel("Relative Error")
    handles = [*legend_handles(list(looks.values())),
               Line2D([], [], color="#555555", linestyle=":", label="noise of an exact mean")]  # fmt: skip
    if len(published):
        handles += [style.published_handle(look.marker, f", {look.label}") for look in looks.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "arms": listed([look.label for look in looks.values()]),
        "widths": span([int(width) for width in table["width"]]),
    }
    return Drawing(figure, stack(table, published if len(published) else pd.DataFrame()), facts)
