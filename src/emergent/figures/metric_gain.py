"""F3a: how much more invariant an ensemble is than its members, against epoch, one panel per data set.

Our own companion to F3: where all curves lie close to their ceiling, their difference tells more than their level.
Input: summary table ``osp``.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from emergent.config.figures import PredictionFigure
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    data_roles,
    listed,
    nearest_size,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.metric_by_epoch import COLUMNS, label_outside, panel_title, panels

KEYS = ["arm", "group", "order", "data", "epoch"]


def draw(tables: Tables, references: References, entry: PredictionFigure) -> Drawing:
    """Returns F3a: ensemble minus mean of the members, bars of one standard deviation over ensembles.

    Args:
        tables: holds ``osp``.
        references: not used; nothing was published in this form.
        entry: titles and options.

    Raises:
        DataError: the table, the members' or the ensembles' rows are missing.
    """
    table = require_table(tables, "osp", COLUMNS)
    members = require_rows(table, "osp", predictor="members")
    ensembles = require_rows(table, "osp", predictor="ensemble")
    size = nearest_size(ensembles, entry.options.ensemble_size)
    ensembles = require_rows(ensembles, "osp", ensemble_size=size)
    gain = ensembles[[*KEYS, "mean", "std", "num"]].merge(members[[*KEYS, "mean"]], on=KEYS, suffixes=("", "_members"))
    gain["gain"] = gain["mean"] - gain["mean_members"]
    groups = [str(group) for group in dict.fromkeys(gain.sort_values("order")["group"])]
    colors, marks = style.group_colors(groups), style.markers(groups)
    names = list(dict.fromkeys(table["data"]))
    figure = style.new_figure(entry.width, 2.6 if len(names) <= 3 else 4.2)
    axes = panels(figure, len(names))
    for panel, data in zip(axes, names, strict=True):
        panel.axhline(0.0, color="black", linewidth=0.8)
        for group in groups:
            rows = gain[(gain["data"] == data) & (gain["group"] == group)].sort_values("epoch")
            error = rows["std"].where(rows["num"] > 1, np.nan)
            panel.errorbar(rows["epoch"], rows["gain"], yerr=error, color=colors[group], marker=marks[group],
                           markersize=2.6, elinewidth=0.8)  # fmt: skip
        panel.set_title(panel_title(data_roles(table), data))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_outside(axes, "Epoch", "OSP, ensemble − members")
    handles = [
        Line2D([], [], color=colors[group], marker=marks[group], markersize=3.5, label=style.group_name(group))
        for group in groups
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "groups": listed(groups),
        "data": listed([style.data_name(name) for name in names]),
        "ensemble_size": str(size),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in gain["num"]]),
    }
    return Drawing(figure, stack(gain, pd.DataFrame()), facts)
