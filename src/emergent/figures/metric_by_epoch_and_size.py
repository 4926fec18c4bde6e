"""A metric against epoch for several ensemble sizes: one arm, one data set.

Input: the summary table that the entry names. arXiv:2403.03103 shows the orbit same prediction in this form.
"""

from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import MetricByEpochAndSize
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    metric_rows,
    published_table,
    require_rows,
    select_data,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_epoch import COLUMNS
from emergent.figures.metrics import metric_look


def draw(inputs: Inputs, references: References, entry: MetricByEpochAndSize) -> Drawing:
    """Returns one curve per ensemble size, bars of one standard deviation over ensembles, and the members' mean.

    Args:
        inputs: holds the table that the options name.
        references: published values; series of the table's name with ``_sizes`` are drawn.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of the arm and data set are missing.
    """
    what = entry.options.table
    table = metric_rows(inputs, entry.options, COLUMNS)
    data = select_data(table, entry.options.data, what)
    arm = entry.options.arm or str(table.loc[table["order"].idxmax(), "arm"])
    rows = require_rows(table, what, data=data, arm=arm)
    members = require_rows(rows, what, predictor="members").sort_values("epoch")
    ensembles = require_rows(rows, what, predictor="ensemble").sort_values("epoch")
    group, order = str(rows["group"].iloc[0]), int(rows["order"].iloc[0])
    published = published_table(references, f"{what}_sizes")
    published = published[published["group"] == group] if len(published) else published
    sizes = sorted({int(size) for size in ensembles["ensemble_size"]})
    known = sorted({*sizes, *(int(size) for size in (published["ensemble_size"] if len(published) else ()))})
    colors, marks = style.size_colors(sizes), style.markers(known)
    figure = style.new_figure(entry.width, 2.9)
    axes = figure.subplots()
    look = metric_look(entry.options.metric or what)
    if look.best_is_order:
        axes.axhline(order, color="#555555", linestyle=":", label="perfect invariance")
    elif look.log:
        axes.set_yscale("log")
    axes.fill_between(members["epoch"], members["low"], members["high"], color="#888888", alpha=style.BAND_ALPHA,
                      linewidth=0)  # fmt: skip
    axes.plot(members["epoch"], members["mean"], color="#555555", linestyle="--", label="members")
    for size in sizes:
        own = ensembles[ensembles["ensemble_size"] == size]
        axes.errorbar(own["epoch"], own["mean"], yerr=own["std"].where(own["num"] > 1), color=colors[size],
                      marker=marks[size], markersize=2.8, elinewidth=0.8,
                      label=f"{size} models")  # fmt: skip
    for size, theirs in published.groupby("ensemble_size") if len(published) else ():
        style.published(axes, theirs["epoch"], theirs["mean"], marks[size])
    handles = axes.get_legend_handles_labels()[0]
    if len(published):
        handles += [
            style.published_handle(marks[size], f", {size} models") for size in sorted(set(published["ensemble_size"]))
        ]
    axes.set_title(f"{style.group_name(group)}, {inputs.data_name(data)}")
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Orbit Same Predictions" if look.word == "OSP" else look.axis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    facts = {
        "groups": group,
        "data": inputs.data_name(data),
        "ensemble_sizes": listed(sizes),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
    }
    return Drawing(figure, stack(rows, published), facts)
