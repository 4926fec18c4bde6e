"""What infinitely many members of finite width keep of their distance to others and to their limit, against width.

Input: summary table ``floors``. arXiv:2406.06504 says that infinitely wide ensembles agree, and shows no floors.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.distance_figures import DistanceFloor
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, stack
from emergent.figures.facts import Inputs
from emergent.statistics.estimate import quantile

COLUMNS = ("series", "arm", "width", "data", "num", "floor_squared", "floor_squared_stderr", "floor_squared_dof",
           "floor", "floor_stderr", "fitted_squared", "fitted_squared_stderr")  # fmt: skip
NAMES = {"pair": "augmented CNNs to GCNNs", "compared_ntk": "augmented CNNs to NTK", "reference_ntk": "GCNNs to NTK"}
APART = 1.05
"""Series that share a width stand side by side, this far apart."""


def draw(inputs: Inputs, references: References, entry: DistanceFloor) -> Drawing:
    """Returns one panel per data set: floors over noise by series, and their fit by ``a / width``.

    A floor whose square is not two errors above 0 is drawn as the upper end of its interval.

    Args:
        inputs: holds ``floors``.
        references: not used; no floors were published.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of one panel are missing.
    """
    del references
    table = require_table(inputs, "floors", COLUMNS)
    table = table[table["data"].isin(entry.options.data)]
    names = [name for name in NAMES if name in set(table["series"])]
    colors, marks = style.item_colors(names), style.markers(names)
    figure = style.new_figure(entry.width, 2.9)
    axes = figure.subplots(1, len(entry.options.data), squeeze=False)[0]
    for panel, data in zip(axes, entry.options.data, strict=True):
        rows = require_rows(table, "floors", data=data)
        for place, name in enumerate(names):
            _draw_series(panel, rows[rows["series"] == name].sort_values("width"), colors[name], marks[name],
                         APART ** (place - (len(names) - 1) / 2))  # fmt: skip
        panel.set_xscale("log")
        widths = sorted({int(width) for width in rows["width"]})
        panel.set_xticks(widths, [str(width) for width in widths])
        panel.minorticks_off()
        style.log_decades(panel)
        panel.set_title(inputs.data_name(data))
        panel.set_xlabel("Channels")
    axes[0].set_ylabel("Distance of infinite ensembles\nover scatter of members")
    figure.legend(handles=_handles(table, names, colors, marks), loc="outside lower center", ncols=3)
    sizes = table[table["series"] == "pair"].groupby("width")["num"].first().sort_index()
    facts = {
        "widths": listed([int(width) for width in sizes.index]),
        "num_members": listed([str(int(num)) for num in sizes]),
    }
    return Drawing(figure, stack(table, pd.DataFrame()), facts)


def _limits(rows: pd.DataFrame) -> np.ndarray:
    """Returns two errors of each floor's square: what a floor has to exceed to be seen."""
    return np.array([quantile(2.0, dof) for dof in rows["floor_squared_dof"]]) * rows["floor_squared_stderr"].to_numpy()


def _fit_is_seen(rows: pd.DataFrame) -> bool:
    """Returns whether the fit to all widths is two errors above 0; of noise alone it would say nothing."""
    return bool((rows["fitted_squared"] > 2 * rows["fitted_squared_stderr"]).all())


def _draw_series(panel: Axes, rows: pd.DataFrame, color: str, marker: str, shift: float) -> None:
    errors = _limits(rows)
    seen = rows["floor_squared"].to_numpy() > errors
    found = rows[seen]
    panel.errorbar(shift * found["width"], found["floor"], yerr=found["floor_stderr"], color=color, marker=marker,
                   linestyle="none", elinewidth=0.8)  # fmt: skip
    limits = np.sqrt((rows["floor_squared"].clip(lower=0.0) + errors)[~seen])
    panel.plot(shift * rows["width"][~seen], limits, color=color, marker="v", markerfacecolor="none", linestyle="none")
    if len(rows) and _fit_is_seen(rows):
        panel.plot(rows["width"], np.sqrt(rows["fitted_squared"]), color=color, linestyle=":", linewidth=1.0)


def _handles(table: pd.DataFrame, names: list[str], colors: dict[str, str], marks: dict[object, str]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=colors[name], marker=marks[name], linestyle="none", label=NAMES[name]) for name in names
    ]
    if (table["floor_squared"].to_numpy() <= _limits(table)).any():
        handles.append(
            Line2D([], [], color="black", marker="v", markerfacecolor="none", linestyle="none", label="upper limit")
        )
    if any(_fit_is_seen(rows) for _, rows in table.groupby(["series", "data"])):
        handles.append(Line2D([], [], color="black", linestyle=":", label="a / width, fitted"))
    return handles
