"""Networks on a line beside the infinitely wide ensemble, a panel per width, and how they approach it.

Input: summary tables ``curves``, ``limit``, ``targets`` and ``approach``. Talks on arXiv:2403.03103.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from emergent.config.figure_kinds import CurvesByWidth
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "width", "member", "x", "value")
APPROACH = ("arm", "width", "num", "what", "square", "stderr")
MEAN = -1
"""Number of the mean of all members among the members."""
BAND = 2
"""Standard deviations of an infinitely wide network that the band about its mean holds to either side."""
NAMES = {"excess": "members, less the scatter of the limit", "bias": "mean of infinitely many"}


def draw(inputs: Inputs, references: References, entry: CurvesByWidth) -> Drawing:
    """Returns a panel per width, narrowest first, and a last one with distances to the limit against width.

    Args:
        inputs: holds ``curves``, ``limit``, ``targets`` and ``approach``.
        references: not used; nothing could be read.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of the function are missing.
    """
    del references
    curves = require_table(inputs, "curves", COLUMNS)
    limit = require_table(inputs, "limit", ("arm", "x", "mean", "std"))
    targets = require_table(inputs, "targets", ("data", "role", "x", "value"))
    truth = require_rows(targets, "targets", data=entry.options.truth).sort_values("x")
    approach = require_table(inputs, "approach", APPROACH)
    curves, approach = curves[curves["width"].notna()], approach[approach["width"].notna()]
    arms = sorted(inputs.arms_in(curves), key=lambda arm: arm.width or 0)
    figure = style.new_figure(entry.width, 3.9)
    columns = -(-(len(arms) + 1) // 2)
    axes = figure.subplots(2, columns, squeeze=False)
    points = targets[targets["role"] == "train"]
    # One limit belongs to all widths.
    band = limit[limit["arm"] == limit["arm"].iloc[0]].sort_values("x")
    for panel, arm in zip(axes.flat, arms, strict=False):
        _draw_width(panel, curves[curves["arm"] == arm.name], band, truth, points)
        panel.set_ylim(*reach(truth))
        panel.set_title(arm.label)
        panel.set_xlabel("$x$")
        panel.set_ylabel("Output" if panel in axes[:, 0] else "")
    _draw_approach(axes.flat[len(arms)], approach)
    for panel in axes.flat[len(arms) + 1 :]:
        panel.set_visible(False)
    figure.legend(handles=_handles(approach), loc="outside lower center", ncols=4, columnspacing=1.4)
    facts = {"num_members": span([int(num) for num in approach["num"]]),
             "widths": listed([int(width) for width in sorted(set(approach["width"]))])}  # fmt: skip
    tables = [curves, limit.assign(data="limit"), truth, approach]
    return Drawing(figure, stack(pd.concat(tables, ignore_index=True), pd.DataFrame()), facts)


def reach(truth: pd.DataFrame) -> tuple[float, float]:
    """Returns the ends of the vertical axis, by the function that is learned; networks may leave the frame."""
    highest = 1.6 * float(truth["value"].abs().max())
    return -highest, highest


def _draw_width(
    panel: Axes, rows: pd.DataFrame, limit: pd.DataFrame, truth: pd.DataFrame, points: pd.DataFrame
) -> None:
    found = rows.pivot(index="x", columns="member", values="value").sort_index()
    low, high = limit["mean"] - BAND * limit["std"], limit["mean"] + BAND * limit["std"]
    panel.fill_between(limit["x"], low, high, color=style.NTK_COLOR, alpha=style.BAND_ALPHA, linewidth=0, zorder=1)
    panel.plot(found.index, found.drop(columns=MEAN).to_numpy(), color=style.BLUE, linewidth=0.6, alpha=0.45, zorder=2)
    panel.plot(found.index, found[MEAN].to_numpy(), color=style.BLUE, linewidth=1.8, zorder=3)
    panel.plot(limit["x"], limit["mean"], color=style.NTK_COLOR, linewidth=1.2, linestyle=(0, (3, 1.5)), zorder=4)
    panel.plot(truth["x"], truth["value"], color="black", linewidth=0.9, linestyle=(0, (1.2, 1.2)), zorder=5)
    panel.plot(points["x"], points["value"], color="black", marker="o", markersize=2.2, linestyle="none", zorder=6)


def _draw_approach(panel: Axes, approach: pd.DataFrame) -> None:
    """Draws roots of squares; one that is not two errors above 0 as the upper end of its interval."""
    colors, marks = style.item_colors(list(NAMES)), style.markers(list(NAMES))
    for what in NAMES:
        rows = approach[approach["what"] == what].sort_values("width")
        seen = rows["square"] > 2 * rows["stderr"]
        root = np.sqrt(rows["square"].clip(lower=0.0))
        panel.errorbar(rows["width"][seen], root[seen], yerr=(rows["stderr"] / 2 / root)[seen], color=colors[what],
                       marker=marks[what], elinewidth=0.8, linestyle=":", linewidth=0.8)  # fmt: skip
        upper = np.sqrt((rows["square"].clip(lower=0.0) + 2 * rows["stderr"])[~seen])
        panel.plot(rows["width"][~seen], upper, color=colors[what], marker="v", markerfacecolor="none",
                   linestyle="none")  # fmt: skip
    panel.set_xscale("log")
    widths = sorted(set(approach["width"]))
    panel.set_xticks(widths, [f"{int(width)}" for width in widths])
    panel.minorticks_off()
    style.log_decades(panel)
    panel.set_title("Distance to the limit")
    panel.set_xlabel("Width")


def _handles(approach: pd.DataFrame) -> list[Line2D | Patch]:
    colors, marks = style.item_colors(list(NAMES)), style.markers(list(NAMES))
    upper = approach[approach["what"].isin(list(NAMES))]
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=style.BLUE, linewidth=1.0, alpha=0.6, label="members"),
        Line2D([], [], color=style.BLUE, linewidth=1.8, label="their mean"),
        Line2D([], [], color=style.NTK_COLOR, linewidth=1.2, linestyle=(0, (3, 1.5)), label="NTK mean"),
        Patch(color=style.NTK_COLOR, alpha=style.BAND_ALPHA, linewidth=0, label=f"and {BAND} std of a wide network"),
        Line2D([], [], color="black", linewidth=0.9, linestyle=(0, (1.2, 1.2)), label="function, training points"),
        *(Line2D([], [], color=colors[what], marker=marks[what], linestyle=":", linewidth=0.8, label=label)
          for what, label in NAMES.items()),
    ]  # fmt: skip
    if (upper["square"] <= 2 * upper["stderr"]).any():
        handles.append(
            Line2D([], [], color="black", marker="v", markerfacecolor="none", linestyle="none", label="upper limit")
        )
    return handles
