"""Test error of linear estimators under groups against the size of the training set, a panel per truth.

Input: summary tables ``risks`` and ``crossings``. S. Villar's talk has a figure of four such panels.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from emergent.config.symmetry_figures import RiskBySize
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "size", "estimator", "group", "symbol", "clusters", "noise", "median", "theory", "trial",
           "trial_stderr", "num")  # fmt: skip
CROSSINGS = ("arm", "estimator", "size", "stderr", "theory")
PUBLISHED, THEORY = "descent", "projected"
"""Estimators that are drawn: what was published, and what theory is about."""
HEADROOM = 1.25
WIDE = 5.0
"""Panels whose curves span more than this factor have a logarithmic axis."""


def draw(inputs: Inputs, references: References, entry: RiskBySize) -> Drawing:
    """Returns a panel per truth with one output, each with the same axes and a curve per group.

    Args:
        inputs: holds ``risks`` and ``crossings``.
        references: not used; the published curves are not known as numbers.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    table = require_table(inputs, "risks", COLUMNS)
    shown = table[table["arm"].isin(table.loc[table["estimator"] == PUBLISHED, "arm"])]
    lines = require_table(inputs, "crossings", CROSSINGS)
    arms = inputs.arms_in(shown)
    ordered = shown.sort_values("clusters", ascending=False, kind="stable")
    symbols = dict(zip(ordered["group"], ordered["symbol"], strict=True))
    colors = style.item_colors([str(group) for group in symbols])
    figure = style.new_figure(entry.width, 4.6)
    panels = figure.subplots(2, -(-len(arms) // 2), sharex=True, squeeze=False).reshape(-1)
    for panel, arm in zip(panels, arms, strict=False):
        rows = shown[shown["arm"] == arm.name]
        for group, color in colors.items():
            _draw_group(panel, rows[rows["group"] == group], color)
        for line in lines.to_dict("records"):
            if line["arm"] == arm.name and line["estimator"] == THEORY:
                _draw_crossing(panel, line)
        _set_limits(panel, rows)
        panel.set_title(rf"$\beta \propto$ {arm.label}" if arm.label[0] == "(" else rf"$\beta$: {arm.label}")
    for panel in panels.reshape(2, -1)[1]:
        panel.set_xlabel("Training samples n")
    for panel in panels.reshape(2, -1)[:, 0]:
        panel.set_ylabel("Test error")
    handles = [Line2D([], [], color=color, label=symbols[group]) for group, color in colors.items()]
    handles += [
        Line2D([], [], color="black", linestyle="-", label="projected least squares, theory"),
        Line2D([], [], color="black", linestyle=":", label="gradient descent, median"),
        Line2D([], [], color="black", linestyle="none", marker="o", label="gradient descent, trials"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    sizes = sorted({int(size) for size in shown["size"]})
    facts = {
        "num_members": span([int(num) for num in shown["num"]]),
        "sizes": span(sizes),
        "arms": listed([arm.label for arm in arms]),
        "groups": listed(list(symbols.values())),
    }
    return Drawing(figure, stack(pd.concat([shown, lines], ignore_index=True), pd.DataFrame()), facts)


def _draw_group(panel: Axes, rows: pd.DataFrame, color: str) -> None:
    theory = rows[rows["estimator"] == THEORY].sort_values("size")
    found = rows[rows["estimator"] == PUBLISHED].sort_values("size")
    panel.plot(theory["size"], theory["noise"] + theory["theory"], color=color)
    panel.plot(found["size"], found["noise"] + found["median"], color=color, linestyle=":", linewidth=1.0)
    panel.errorbar(found["size"], found["trial"], yerr=found["trial_stderr"], color=color, marker="o", linestyle="none",
                   elinewidth=0.7, markersize=3.0, alpha=0.75)  # fmt: skip


def _set_limits(panel: Axes, rows: pd.DataFrame) -> None:
    """Ends the axis at what theory and medians span: single trials may diverge."""
    theory, found = (rows[rows["estimator"] == name] for name in (THEORY, PUBLISHED))
    top = max(float((theory["noise"] + theory["theory"]).max()), float((found["noise"] + found["median"]).max()))
    low = float(rows["noise"].min())
    panel.set_ylim(0.85 * low, HEADROOM * top)
    if top > WIDE * low:
        panel.set_yscale("log")
        panel.yaxis.set_minor_formatter(NullFormatter())


def _draw_crossing(panel: Axes, line: dict) -> None:
    """Marks the size at which theory has two groups cross, and where ours do with its standard error."""
    panel.axvline(line["theory"], color="black", linewidth=0.8, linestyle="--")
    words = f"$n^*$ = {line['theory']:.2f}"
    if np.isfinite(line["size"]):
        error = line["stderr"] if np.isfinite(line["stderr"]) else 0.0
        panel.axvspan(line["size"] - error, line["size"] + error, color="black", alpha=style.BAND_ALPHA, linewidth=0)
        words += f"\nmeasured {line['size']:.2f} $\\pm$ {error:.2f}"
    panel.annotate(words, (line["theory"], 0.97), xycoords=("data", "axes fraction"), xytext=(4, 0),
                   textcoords="offset points", va="top", fontsize=7)  # fmt: skip
