"""A metric of ensembles and of their members against epoch, one colour per arm, one panel per data set or size.

Input: the summary table that the entry names, with members and ensembles. arXiv:2403.03103 shows the orbit same
prediction in this form.
"""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import MetricByEpoch
from emergent.config.figure_options import Band
from emergent.figures import style
from emergent.figures.arms import ArmLook, curve_looks
from emergent.figures.drawing import (
    Drawing,
    References,
    data_roles,
    listed,
    metric_rows,
    nearest_size,
    published_table,
    require_rows,
    select_data,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import MetricLook, metric_look, panel_title

COLUMNS = ("arm", "group", "order", "data", "epoch", "predictor", "ensemble_size", "mean", "std", "low", "high",
           "minimum", "maximum", "num")  # fmt: skip

BAND_WORDS: dict[Band, str] = {
    "quartiles": "25 to 75 % quantiles",
    "range": "minimum to maximum",
    "std": "mean ± one standard deviation",
}


class Panel(NamedTuple):
    """One panel: a data set, and the size of the ensembles."""

    data: str
    size: int


def draw(inputs: Inputs, references: References, entry: MetricByEpoch) -> Drawing:
    """Returns ensemble curve and members' band per arm, and dotted lines where the symmetry is perfect.

    Args:
        inputs: holds the table that the options name.
        references: published values; series of the table's name are drawn on the panel they belong to.
        entry: titles and options.

    Raises:
        DataError: the table, the data set, the members' or the ensembles' rows are missing.
    """
    options = entry.options
    table = metric_rows(inputs, options, COLUMNS)
    if options.arms:
        table = table[table["arm"].isin(options.arms)]
    roles = data_roles(table)
    names = list(roles) if options.data is None else [select_data(table, options.data, options.table)]
    wanted = options.published_data
    home = str(wanted) if wanted in names else next((name for name in names if roles[name] == "ood"), names[0])
    table = table[table["data"].isin(names)]
    members = require_rows(table, options.table, predictor="members")
    ensembles = require_rows(table, options.table, predictor="ensemble")
    wished = (options.ensemble_size,) if isinstance(options.ensemble_size, int) else options.ensemble_size
    sizes = list(dict.fromkeys(nearest_size(ensembles, size) for size in wished))
    ensembles = ensembles[ensembles["ensemble_size"].isin(sizes)]
    published = published_table(references, options.table)
    if "data" in published:
        published = published[published["data"].isna() | published["data"].isin(table["data"])]
    arms = inputs.arms_in(table)
    looks, look = curve_looks(inputs, arms), metric_look(options.metric or options.table)
    orders = {str(arm): int(order) for arm, order in zip(table["arm"], table["order"], strict=True)}
    shown = [Panel(data, size) for data in names for size in sizes]
    figure = style.new_figure(entry.width, 2.9 if len(shown) <= 3 else 4.6)
    axes = panels(figure, len(shown))
    drawn_published = False
    for axis, panel in zip(axes, shown, strict=True):
        for arm in arms:
            color = looks[arm.name].color
            if look.best_is_order:
                axis.axhline(orders[arm.name], color=color, linestyle=":", linewidth=1.0)
            own = members[(members["data"] == panel.data) & (members["arm"] == arm.name)]
            draw_members(axis, own, color, options.band)
            own = require_rows(ensembles, options.table, data=panel.data, arm=arm.name, ensemble_size=panel.size)
            own = own.sort_values("epoch")
            axis.plot(own["epoch"], own["mean"], color=color, marker=looks[arm.name].marker, markersize=2.6)
            theirs = published_curve(published, str(arm.group), panel, home)
            if len(theirs):
                style.published(axis, theirs["epoch"], theirs["mean"], looks[arm.name].marker)
                drawn_published = True
        title = narrow_title(inputs, {name: roles[name] for name in names}, panel.data)
        axis.set_title(title if len(sizes) == 1 else f"{title}\nensembles of {panel.size}")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _set_values(axes, look, sorted(set(orders.values())))
    label_outside(axes, "Epoch", "Orbit Same Predictions" if look.word == "OSP" else look.axis)
    detail = published_detail(sizes, options.published_size) if drawn_published else None
    handles = _legend([looks[arm.name] for arm in arms], sizes, look, detail)
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if entry.width == "two" else 2)
    facts = {
        "groups": listed([arm.group for arm in arms]),
        "data": inputs.data_names(names),
        "ensemble_size": listed(sizes),
        "ensemble_sizes": listed(sizes),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
        "band": BAND_WORDS[options.band],
        **draw_facts(inputs, table),
    }
    return Drawing(figure, stack(pd.concat([members, ensembles], ignore_index=True), published), facts)


def draw_facts(inputs: Inputs, table: pd.DataFrame) -> dict[str, str]:
    """Returns how many random rotations a sample has, and the error that they leave at most; none without such sets."""
    if "draw_stderr" not in table:
        return {}
    shown = set(table["data"])
    draws = [data.rotations.num for facts in inputs.facts for data in facts.data
             if data.name in shown and data.rotations is not None]  # fmt: skip
    return {"draws": span(draws) if draws else "–", "draw_error": f"{table['draw_stderr'].max():.1g}"}


def published_curve(published: pd.DataFrame, group: str, panel: Panel, home: str) -> pd.DataFrame:
    """Returns the published ensembles of one group on one panel.

    Rows that name no data set belong to ``home``; those that name the size of their ensembles to panels of that size.
    """
    if published.empty:
        return published
    chosen = (published["group"] == group) & (published["predictor"] == "ensemble")
    own = published["data"].fillna(home) if "data" in published else home
    if "ensemble_size" in published:
        sizes = published["ensemble_size"]
        chosen &= sizes.isna() | (sizes == panel.size)
    return published[chosen & (own == panel.data)]


def panels(figure: Figure, count: int) -> list[Axes]:
    """Returns ``count`` panels with shared axes: a row of up to three, otherwise two columns."""
    columns = count if count <= 3 else 2
    grid = figure.subplots(-(-count // columns), columns, sharex=True, sharey=True, squeeze=False)
    flat = list(grid.flat)
    for spare in flat[count:]:
        spare.set_visible(False)
    return flat[:count]


def narrow_title(inputs: Inputs, roles: dict[str, str], data: str) -> str:
    """Returns a data set's name and whether it is in distribution, in two lines if space is short."""
    title = panel_title(inputs.data_name(data), roles[data])
    return title.replace(" (", "\n(") if len(roles) == 3 else title


def label_outside(axes: list[Axes], x_label: str, y_label: str) -> None:
    """Labels the bottom panel of each column and the left panel of each row."""
    columns = len(axes) if len(axes) <= 3 else 2
    for index, panel in enumerate(axes):
        if index % columns == 0:
            panel.set_ylabel(y_label)
        if index + columns >= len(axes):
            panel.set_xlabel(x_label)
            panel.tick_params(labelbottom=True)


def _set_values(axes: list[Axes], look: MetricLook, orders: list[int]) -> None:
    for panel in axes:
        if look.best_is_order:
            panel.set_yticks(orders)
            panel.set_ylim(0.5, max(orders) * 1.06)
        elif look.log:
            panel.set_yscale("log")
        elif look.best is not None:
            panel.axhline(look.best, color="#555555", linestyle=":", linewidth=1.0)


def draw_members(axes: Axes, rows: pd.DataFrame, color: str, band: Band) -> None:
    """Draws the band over members in the statistic asked for, and their mean as a thin dashed line."""
    rows = rows.sort_values("epoch")
    # Where the deviation is not known, as that of a single member, there is no band.
    low, high = {
        "quartiles": (rows["low"], rows["high"]),
        "range": (rows["minimum"], rows["maximum"]),
        "std": (rows["mean"] - rows["std"], rows["mean"] + rows["std"]),
    }[band]
    axes.fill_between(rows["epoch"], low, high, color=color, alpha=style.BAND_ALPHA, linewidth=0)
    axes.plot(rows["epoch"], rows["mean"], color=color, linestyle=(0, (4, 2)), linewidth=0.8, alpha=0.9)


def published_detail(sizes: list[int], published_size: int | None) -> str:
    """Returns how large the published ensembles are, and a warning if ours are of another size."""
    if published_size is None:
        return ""
    return f", ensemble of {published_size}" + ("" if published_size in sizes else f" (ours: {listed(sizes)})")


def _legend(looks: list[ArmLook], sizes: list[int], look: MetricLook, published: str | None) -> list[Line2D | Patch]:
    # Of several sizes the panels say which is theirs.
    name = f"ensemble of {sizes[0]}" if len(sizes) == 1 else "ensemble"
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=arm.color, marker=arm.marker, markersize=3.5, label=f"{name}, {arm.label}")
        for arm in looks
    ]
    handles.append(Patch(color="#888888", alpha=0.4, label="ensemble members"))
    handles.append(Line2D([], [], color="#555555", linestyle=(0, (4, 2)), linewidth=0.8, label="mean of the members"))
    if look.best_is_order or look.best is not None:
        handles.append(Line2D([], [], color="#555555", linestyle=":", label="perfect invariance"))
    if published is not None:
        handles.append(style.published_handle(detail=published))
    return handles
