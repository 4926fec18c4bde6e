"""F3: orbit same prediction against epoch, one panel per data set, one colour per group.

Input: summary table ``osp``. arXiv:2403.03103, FashionMNIST experiment.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_options import Band
from emergent.config.figures import PredictionFigure
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    data_roles,
    listed,
    nearest_size,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)

COLUMNS = ("arm", "group", "order", "data", "epoch", "predictor", "ensemble_size", "mean", "std", "low", "high",
           "minimum", "maximum", "num")  # fmt: skip

BAND_WORDS: dict[Band, str] = {
    "quartiles": "25 to 75 % quantiles",
    "range": "minimum to maximum",
    "std": "mean ± one standard deviation",
}


def draw(tables: Tables, references: References, entry: PredictionFigure) -> Drawing:
    """Returns F3: ensemble curve and members' band per group, dotted lines where invariance is perfect.

    Args:
        tables: holds ``osp``.
        references: published values; series of quantity ``osp`` are drawn on the panel they belong to.
        entry: titles and options.

    Raises:
        DataError: the table, the members' or the ensembles' rows are missing.
    """
    table = require_table(tables, "osp", COLUMNS)
    members = require_rows(table, "osp", predictor="members")
    ensembles = require_rows(table, "osp", predictor="ensemble")
    size = nearest_size(ensembles, entry.options.ensemble_size)
    ensembles = require_rows(ensembles, "osp", ensemble_size=size)
    published = published_table(references, "osp")
    orders = {str(group): int(rows["order"].iloc[0]) for group, rows in table.sort_values("order").groupby("group")}
    orders = dict(sorted(orders.items(), key=lambda item: item[1]))
    colors, marks = style.group_colors(list(orders)), style.markers(list(orders))
    names = list(dict.fromkeys(table["data"]))
    roles = data_roles(table)
    wanted = entry.options.published_data
    home = wanted if wanted in names else next((name for name in names if roles[name] == "ood"), names[0])
    figure = style.new_figure(entry.width, 2.9 if len(names) <= 3 else 4.6)
    axes = panels(figure, len(names))
    for panel, data in zip(axes, names, strict=True):
        for group, order in orders.items():
            panel.axhline(order, color=colors[group], linestyle=":", linewidth=1.0)
            _draw_members(panel, members[(members["data"] == data) & (members["group"] == group)], colors[group], entry)
            own = ensembles[(ensembles["data"] == data) & (ensembles["group"] == group)].sort_values("epoch")
            panel.plot(own["epoch"], own["mean"], color=colors[group], marker=marks[group], markersize=2.6)
            if data == home and len(published):
                theirs = published[(published["group"] == group) & (published["predictor"] == "ensemble")]
                style.published(panel, theirs["epoch"], theirs["mean"], marks[group])
        panel.set_title(panel_title(roles, data))
        panel.set_yticks(list(orders.values()))
        panel.set_ylim(0.5, max(orders.values()) * 1.06)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_outside(axes, "Epoch", "Orbit Same Predictions")
    figure.legend(handles=_legend(colors, marks, bool(len(published))), loc="outside lower center", ncols=4)
    facts = {
        "groups": listed(list(orders)),
        "data": listed([style.data_name(name) for name in names]),
        "ensemble_size": str(size),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
        "band": BAND_WORDS[entry.options.band],
    }
    return Drawing(figure, stack(pd.concat([members, ensembles], ignore_index=True), published), facts)


def panels(figure: Figure, count: int) -> list[Axes]:
    """Returns ``count`` panels with shared axes: a row of up to three, otherwise two columns."""
    columns = count if count <= 3 else 2
    grid = figure.subplots(-(-count // columns), columns, sharex=True, sharey=True, squeeze=False)
    flat = list(grid.flat)
    for spare in flat[count:]:
        spare.set_visible(False)
    return flat[:count]


def panel_title(roles: dict[str, str], data: str) -> str:
    """Returns a data set's name and whether it is in distribution, in two lines if space is short."""
    place = "in distribution" if roles[data] == "in" else "out of distribution"
    gap = "\n" if len(roles) == 3 else " "
    return f"{style.data_name(data)}{gap}({place})"


def label_outside(axes: list[Axes], x_label: str, y_label: str) -> None:
    """Labels the bottom panel of each column and the left panel of each row."""
    columns = len(axes) if len(axes) <= 3 else 2
    for index, panel in enumerate(axes):
        if index % columns == 0:
            panel.set_ylabel(y_label)
        if index + columns >= len(axes):
            panel.set_xlabel(x_label)
            panel.tick_params(labelbottom=True)


def _draw_members(axes: Axes, rows: pd.DataFrame, color: str, entry: PredictionFigure) -> None:
    rows = rows.sort_values("epoch")
    mean, std = rows["mean"].to_numpy(), np.nan_to_num(rows["std"].to_numpy())
    low, high = {
        "quartiles": (rows["low"], rows["high"]),
        "range": (rows["minimum"], rows["maximum"]),
        "std": (mean - std, mean + std),
    }[entry.options.band]
    axes.fill_between(rows["epoch"], low, high, color=color, alpha=style.BAND_ALPHA, linewidth=0)
    axes.plot(rows["epoch"], mean, color=color, linestyle=(0, (4, 2)), linewidth=0.8, alpha=0.9)


def _legend(colors: dict[str, str], marks: dict[object, str], published: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=color, marker=marks[group], markersize=3.5, label=f"ensemble, {style.group_name(group)}")
        for group, color in colors.items()
    ]
    handles.append(Patch(color="#888888", alpha=0.4, label="ensemble members"))
    handles.append(Line2D([], [], color="#555555", linestyle=(0, (4, 2)), linewidth=0.8, label="mean of the members"))
    handles.append(Line2D([], [], color="#555555", linestyle=":", label="perfect invariance"))
    if published:
        handles.append(style.published_handle())
    return handles
