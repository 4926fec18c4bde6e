"""A metric against epoch for several data sets: one arm.

Input: the summary table that the entry names. arXiv:2403.03103 shows the invariance under random rotations so.
"""

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import MetricByEpochAndData
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    metric_rows,
    nearest_size,
    published_table,
    require_rows,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_epoch import BAND_WORDS, COLUMNS, draw_facts, draw_members, published_detail
from emergent.figures.metrics import metric_look


def draw(inputs: Inputs, references: References, entry: MetricByEpochAndData) -> Drawing:
    """Returns ensemble curve and members' band per data set, and a dotted line where the symmetry is perfect.

    Args:
        inputs: holds the table that the options name.
        references: published values; ensembles of the arm's group in series of the table's name are drawn, each with
            the marker of its data set.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of the arm are missing.
    """
    options = entry.options
    table = metric_rows(inputs, options, COLUMNS)
    arm = options.arm or str(table.loc[table["order"].idxmax(), "arm"])
    table = require_rows(table, options.table, arm=arm)
    ensembles = require_rows(table, options.table, predictor="ensemble")
    members = require_rows(table, options.table, predictor="members")
    size = nearest_size(ensembles, options.ensemble_size)
    group, order = str(table["group"].iloc[0]), int(table["order"].iloc[0])
    names = list(dict.fromkeys(table["data"]))
    colors, marks = style.item_colors(names), style.markers(names)
    published = published_table(references, options.table)
    if len(published):
        kept = (published["group"] == group) & (published["predictor"] == "ensemble") & published["data"].isin(names)
        published = published[kept]
    figure = style.new_figure(entry.width, 2.9)
    axes = figure.subplots()
    look = metric_look(options.metric or options.table)
    best = order if look.best_is_order else look.best
    if best is not None:
        axes.axhline(best, color="#555555", linestyle=":", linewidth=1.0)
    elif look.log:
        axes.set_yscale("log")
    for name in names:
        draw_members(axes, members[members["data"] == name], colors[name], options.band)
        own = ensembles[(ensembles["data"] == name) & (ensembles["ensemble_size"] == size)].sort_values("epoch")
        axes.plot(own["epoch"], own["mean"], color=colors[name], marker=marks[name], markersize=2.8)
        theirs = published[published["data"] == name] if len(published) else published
        if len(theirs):
            style.published(axes, theirs["epoch"], theirs["mean"], marks[name])
    axes.set_title(f"{style.group_name(group)}, ensemble of {size}")
    axes.set_xlabel("Epoch")
    axes.set_ylabel(look.axis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colors[name], marker=marks[name], markersize=3.5, label=inputs.data_name(name))
        for name in names
    ]
    handles.append(Patch(color="#888888", alpha=0.4, label="ensemble members"))
    handles.append(Line2D([], [], color="#555555", linestyle=(0, (4, 2)), linewidth=0.8, label="mean of the members"))
    if best is not None:
        handles.append(Line2D([], [], color="#555555", linestyle=":", label="perfect invariance"))
    if len(published):
        detail = published_detail([size], options.published_size)
        handles += [style.published_handle(marks[name], detail) for name in names if name in set(published["data"])]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    facts = {
        "groups": group,
        "data": inputs.data_names(names),
        "ensemble_size": str(size),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in ensembles.loc[ensembles["ensemble_size"] == size, "num"]]),
        "band": BAND_WORDS[options.band],
        **draw_facts(inputs, table),
    }
    return Drawing(figure, stack(table, published), facts)
