"""F4: orbit same prediction against epoch for several ensemble sizes, one group, one data set.

Input: summary table ``osp``. arXiv:2403.03103, FashionMNIST experiment.
"""

from matplotlib.ticker import MaxNLocator

from emergent.config.figures import SizesFigure
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    listed,
    published_table,
    require_rows,
    require_table,
    select_data,
    span,
    stack,
)
from emergent.figures.metric_by_epoch import COLUMNS


def draw(tables: Tables, references: References, entry: SizesFigure) -> Drawing:
    """Returns F4: one curve per ensemble size, bars of one standard deviation over ensembles, and the members' mean.

    Args:
        tables: holds ``osp``.
        references: published values; series of quantity ``osp_sizes`` are drawn.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of the arm and data set are missing.
    """
    table = require_table(tables, "osp", COLUMNS)
    data = select_data(table, entry.options.data, "osp")
    arm = entry.options.arm or str(table.loc[table["order"].idxmax(), "arm"])
    rows = require_rows(table, "osp", data=data, arm=arm)
    members = require_rows(rows, "osp", predictor="members").sort_values("epoch")
    ensembles = require_rows(rows, "osp", predictor="ensemble").sort_values("epoch")
    group, order = str(rows["group"].iloc[0]), int(rows["order"].iloc[0])
    published = published_table(references, "osp_sizes")
    published = published[published["group"] == group] if len(published) else published
    sizes = sorted({int(size) for size in ensembles["ensemble_size"]})
    known = sorted({*sizes, *(int(size) for size in (published["ensemble_size"] if len(published) else ()))})
    colors, marks = style.size_colors(sizes), style.markers(known)
    figure = style.new_figure(entry.width, 2.9)
    axes = figure.subplots()
    axes.axhline(order, color="#555555", linestyle=":", label="perfect invariance")
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
        handles.append(style.published_handle())
    axes.set_title(f"{style.group_name(group)}, {style.data_name(data)}")
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Orbit Same Predictions")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    facts = {
        "groups": group,
        "data": style.data_name(data),
        "ensemble_sizes": listed(sizes),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
    }
    return Drawing(figure, stack(rows, published), facts)
