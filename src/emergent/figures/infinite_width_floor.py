"""Distance to the infinitely wide ensemble that infinitely many members of finite width keep, against width.

Input: summary table ``ntk_floor``. arXiv:2403.03103 shows distances of ensembles, no floors.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.infinite_width_figures import InfiniteWidthFloor
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, published_table, require_rows, require_table, stack
from emergent.figures.facts import Inputs
from emergent.statistics.estimate import quantile

COLUMNS = ("arm", "width", "data", "num", "floor_squared", "floor_squared_stderr", "floor", "floor_stderr", "noise",
           "fitted_squared")  # fmt: skip


def draw(inputs: Inputs, references: References, entry: InfiniteWidthFloor) -> Drawing:
    """Returns one panel per data set: floors, their fit by ``a / width``, and published distances.

    A floor whose square is not two errors above 0 is drawn as the upper limit of its interval.

    Args:
        inputs: holds ``ntk_floor``.
        references: published values; of series of quantity ``ntk_difference`` the largest ensembles are drawn.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of one panel are missing.
    """
    table = require_table(inputs, "ntk_floor", COLUMNS)
    published = published_table(references, "ntk_difference")
    if len(published):
        published = published[published["ensemble_size"] == published["ensemble_size"].max()]
    figure = style.new_figure(entry.width, 2.7)
    axes = figure.subplots(1, len(entry.options.data), squeeze=False)[0]
    for panel, data in zip(axes, entry.options.data, strict=True):
        rows = require_rows(table, "ntk_floor", data=data).sort_values("width")
        _draw_floors(panel, rows)
        theirs = published[published["data"] == data] if len(published) else published
        if len(theirs):
            own = theirs.sort_values("width")
            style.published(panel, own["width"], own["mean"], "s")
        panel.set_xscale("log")
        widths = sorted({int(width) for width in rows["width"]})
        panel.set_xticks(widths, [str(width) for width in widths])
        panel.minorticks_off()
        style.log_decades(panel)
        panel.set_title(inputs.data_name(data))
        panel.set_xlabel("Width")
    axes[0].set_ylabel("Distance to NTK that is left")
    handles = [handle for handle, drawn in zip(_handles(), _drawn(table, entry.options.data), strict=True) if drawn]
    if len(published):
        handles.append(style.published_handle("s", f", {int(published['ensemble_size'].max())} members"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    sizes = table.groupby("width")["num"].first().sort_index()
    facts = {
        "widths": listed([int(width) for width in sizes.index]),
        "num_members": listed([str(int(num)) for num in sizes]),
    }
    return Drawing(figure, stack(table, published), facts)


def _limits(rows: pd.DataFrame) -> pd.Series:
    """Returns two errors of each floor's square: what a floor has to exceed to be seen."""
    return np.array([quantile(2.0, float(num) - 1) for num in rows["num"]]) * rows["floor_squared_stderr"]


def _drawn(table: pd.DataFrame, data: Sequence[str]) -> tuple[bool, bool, bool]:
    """Returns whether there are floors, upper limits, and fits to draw."""
    rows = table[table["data"].isin(data)]
    seen = rows["floor_squared"] > _limits(rows)
    return bool(seen.any()), bool((~seen).any()), bool((rows.groupby("data")["fitted_squared"].min() > 0).any())


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], color="black", marker="o", linestyle="none", label=r"$M \to \infty$ members"),
        Line2D([], [], color="black", marker="v", markerfacecolor="none", linestyle="none", label="upper limit"),
        Line2D([], [], color="black", linestyle=":", label="a / width, fitted"),
    ]


def _draw_floors(panel: Axes, rows: pd.DataFrame) -> None:
    errors = _limits(rows)
    seen = rows["floor_squared"] > errors
    found = rows[seen]
    panel.errorbar(found["width"], found["floor"], yerr=found["floor_stderr"], color="black", marker="o",
                   linestyle="none", elinewidth=0.8)  # fmt: skip
    limits = np.sqrt((rows["floor_squared"].clip(lower=0.0) + errors)[~seen])
    panel.plot(rows["width"][~seen], limits, color="black", marker="v", markerfacecolor="none", linestyle="none")
    if (rows["fitted_squared"] > 0).all():
        panel.plot(rows["width"], np.sqrt(rows["fitted_squared"]), color="black", linestyle=":", linewidth=1.0)
