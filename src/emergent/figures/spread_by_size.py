"""A metric of members and of ensemble means against ensemble size, one colour per width, beside the infinite ensemble.

Input: the summary table that the entry names. Upper row: members (mean, band of one standard deviation) and ensembles;
lower row: zoom on the ensembles. arXiv:2403.03103 shows the relative orbit standard deviation in this form.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from emergent.config.figure_kinds import SpreadBySize
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    metric_rows,
    published_table,
    require_rows,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import metric_look

COLUMNS = ("arm", "width", "data", "predictor", "ensemble_size", "mean", "std", "num")


def draw(inputs: Inputs, references: References, entry: SpreadBySize) -> Drawing:
    """Returns two rows of panels, one column per data set.

    Args:
        inputs: holds the table that the options name.
        references: published values; series of the table's name are drawn.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of one panel are missing.
    """
    what = entry.options.table
    look = metric_look(entry.options.metric or what)
    table = metric_rows(inputs, entry.options, COLUMNS)
    published = published_table(references, what)
    finite = require_rows(table[np.isfinite(table["width"])], what, predictor="ensemble")
    widths = sorted({int(width) for width in finite["width"]})
    colors = style.width_colors(widths)
    marks = style.markers(sorted({*widths, *(published["width"] if len(published) else ())}))
    figure = style.new_figure(entry.width, 4.4)
    axes = figure.subplots(2, len(entry.options.data), sharex=True, squeeze=False)
    for column, data in enumerate(entry.options.data):
        rows = require_rows(table, what, data=data)
        theirs = published[published["data"] == data] if len(published) else published
        upper, lower = axes[0, column], axes[1, column]
        for width in widths:
            own = rows[rows["width"] == width]
            _draw_members(upper, own, colors[width])
            for panel in (upper, lower):
                _draw_ensembles(panel, own, colors[width], str(marks[width]))
            if entry.options.guide:
                _draw_guide(lower, own, colors[width])
        for panel, predictor in ((upper, "members"), (lower, "ensemble")):
            for width, group in theirs[theirs["predictor"] == predictor].groupby("width") if len(theirs) else ():
                style.published(panel, group["ensemble_size"], group["mean"], str(marks[width]))
        _finish(upper, lower, rows, entry.options.scale, look.without)
        style.log_axis(lower, [*finite["ensemble_size"], *(theirs["ensemble_size"] if len(theirs) else ())])
        upper.set_title(inputs.data_name(data))
        lower.set_xlabel("Ensemble Size")
    axes[0, 0].set_ylabel(look.axis)
    axes[1, 0].set_ylabel(f"{look.axis} (zoom)")
    members = (table["predictor"] == "members") & np.isfinite(table["width"])
    single = (table["predictor"] == "members") & np.isinf(table["width"])
    known = sorted({int(width) for width in published["width"]}) if len(published) else []
    handles = _legend(colors, marks, entry.options.guide, known, bool(np.isinf(table["width"]).any()),
                      bool(single.any()))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.4)
    facts = {
        "widths": listed(widths),
        "num_members": span([int(num) for num in table.loc[members, "num"]]) if members.any() else "0",
        "num_ensembles": span([int(num) for num in finite["num"]]),
        "ensemble_sizes": span([int(size) for size in finite["ensemble_size"]]),
    }
    return Drawing(figure, stack(table, published), facts)


def _draw_members(axes: Axes, rows: pd.DataFrame, color: str) -> None:
    members = rows[rows["predictor"] == "members"].sort_values("ensemble_size")
    if members.empty:
        return
    sizes = rows.loc[rows["predictor"] == "ensemble", "ensemble_size"]
    # One row describes all members whatever the ensemble size: it becomes a level over the whole axis.
    once = len(members) == 1
    x = np.array([sizes.min(), sizes.max()]) if once else members["ensemble_size"].to_numpy()
    mean, std = (np.repeat(members[name].to_numpy(), 2 if once else 1) for name in ("mean", "std"))
    axes.plot(x, mean, color=color)
    axes.fill_between(x, mean - std, mean + std, color=color, alpha=style.BAND_ALPHA, linewidth=0)


def _draw_ensembles(axes: Axes, rows: pd.DataFrame, color: str, marker: str) -> None:
    rows = rows[rows["predictor"] == "ensemble"].sort_values("ensemble_size")
    axes.errorbar(rows["ensemble_size"], rows["mean"], yerr=rows["std"].where(rows["num"] > 1), color=color,
                  linestyle="--", marker=marker, markersize=3.0, elinewidth=0.8, linewidth=1.1)  # fmt: skip


def _draw_guide(axes: Axes, rows: pd.DataFrame, color: str) -> None:
    members = rows[rows["predictor"] == "members"]
    if len(members):
        sizes = np.sort(rows.loc[rows["predictor"] == "ensemble", "ensemble_size"].to_numpy())
        axes.plot(sizes, members["mean"].mean() / np.sqrt(sizes), color=color, linestyle=":", linewidth=0.9)


def _finish(upper: Axes, lower: Axes, rows: pd.DataFrame, scale: str, without: float | None) -> None:
    ntk = rows[np.isinf(rows["width"])]
    single = ntk[ntk["predictor"] == "members"]
    if len(single):
        upper.axhline(float(single["mean"].iloc[0]), color=style.NTK_COLOR, linestyle="-.", linewidth=0.9)
    if len(ntk):
        level = float(ntk.loc[ntk["predictor"] == "ensemble", "mean"].iloc[0])
        upper.axhline(level, color=style.NTK_COLOR, zorder=1.5)
        if scale == "linear":
            lower.axhline(level, color=style.NTK_COLOR, zorder=1.5)
        else:
            # A line at round-off would stretch a logarithmic axis over ten empty decades.
            lower.text(0.03, 0.04, f"NTK: {level:.0e}", color=style.NTK_COLOR, transform=lower.transAxes, fontsize=7)
    if without is not None and upper.get_ylim()[1] > 0.7 * without:
        upper.axhline(without, color="black", linestyle=(0, (6, 2)), linewidth=0.8, zorder=1.4)
        upper.text(0.98, without, "No Invariance", ha="right", va="bottom", fontsize=7,
                   transform=upper.get_yaxis_transform())  # fmt: skip
    upper.set_ylim(bottom=min(0.0, upper.get_ylim()[0]))
    if scale == "log":
        style.log_decades(lower)


def _legend(
    colors: dict[int, str],
    marks: dict[object, str],
    guide: bool,
    published: list[int],
    infinite: bool,
    single_ntk: bool,
) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=color, marker=marks[width], markersize=3.5, label=f"width {width}")
        for width, color in colors.items()
    ]
    if infinite:
        handles.append(Line2D([], [], color=style.NTK_COLOR, label="NTK"))
    if single_ntk:
        handles.append(Line2D([], [], color=style.NTK_COLOR, linestyle="-.", linewidth=0.9, label="NTK, one member"))
    handles.append(Patch(color="#888888", alpha=0.45, label="members, mean ± std"))
    handles.append(Line2D([], [], color="#555555", linestyle="--", label="ensemble mean prediction"))
    if guide:
        handles.append(Line2D([], [], color="#555555", linestyle=":", label=r"members / $\sqrt{M}$"))
    handles += [style.published_handle(marks[width], f", width {width}") for width in published]
    return handles
