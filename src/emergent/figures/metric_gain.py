"""How much more symmetric an ensemble is than its members, against epoch, one panel per data set.

Where all curves lie close to their ceiling, their difference tells more than their level. Input: the summary table that
the entry names.
"""

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import MetricGain
from emergent.figures import style
from emergent.figures.arms import curve_looks
from emergent.figures.drawing import (
    Drawing,
    References,
    data_roles,
    listed,
    metric_rows,
    nearest_size,
    require_rows,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_epoch import COLUMNS, label_outside, narrow_title, panels
from emergent.figures.metrics import metric_look

KEYS = ["arm", "group", "order", "data", "epoch"]


def draw(inputs: Inputs, references: References, entry: MetricGain) -> Drawing:
    """Returns ensemble minus mean of the members with bars, from epoch 1 on.

    Bars are one standard error of the mean over ensembles and images, each ensemble less its own members, where the
    table knows it, and one standard deviation over ensembles otherwise.

    Before training, most networks predict one class for everything, so that ensembles scatter over many times the gain;
    epoch 0 is left out.

    Args:
        inputs: holds the table that the options name.
        references: not used; nothing was published in this form.
        entry: titles and options.

    Raises:
        DataError: the table, the members' or the ensembles' rows are missing, or there is no epoch after 0.
    """
    del references
    options = entry.options
    table = metric_rows(inputs, options, COLUMNS)
    table = table[table["epoch"] > 0]
    members = require_rows(table, options.table, predictor="members")
    ensembles = require_rows(table, options.table, predictor="ensemble")
    size = nearest_size(ensembles, options.ensemble_size)
    ensembles = require_rows(ensembles, options.table, ensemble_size=size)
    known = "gain_stderr" in ensembles
    bar = "gain_stderr" if known else "std"
    gain = ensembles[[*KEYS, "mean", bar, "num"]].merge(members[[*KEYS, "mean"]], on=KEYS, suffixes=("", "_members"))
    gain["gain"] = gain["mean"] - gain["mean_members"]
    arms = inputs.arms_in(gain)
    looks = curve_looks(inputs, arms)
    names = list(dict.fromkeys(table["data"]))
    figure = style.new_figure(entry.width, 2.6 if len(names) <= 3 else 4.2)
    axes = panels(figure, len(names))
    for panel, data in zip(axes, names, strict=True):
        panel.axhline(0.0, color="black", linewidth=0.8)
        for arm in arms:
            rows = gain[(gain["data"] == data) & (gain["arm"] == arm.name)].sort_values("epoch")
            panel.errorbar(rows["epoch"], rows["gain"], yerr=rows[bar].where(rows["num"] > 1),
                           color=looks[arm.name].color, marker=looks[arm.name].marker, markersize=2.6,
                           elinewidth=0.8)  # fmt: skip
        panel.set_title(narrow_title(inputs, data_roles(table), data))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_outside(axes, "Epoch", f"{metric_look(options.metric or options.table).axis}, ensemble − members")
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, markersize=3.5, label=look.label)
        for look in (looks[arm.name] for arm in arms)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "groups": listed([arm.group for arm in arms]),
        "data": inputs.data_names(names),
        "ensemble_size": str(size),
        "num_members": span([int(num) for num in members["num"]]),
        "num_ensembles": span([int(num) for num in gain["num"]]),
        "bars": "one standard error of the mean over images and" if known else "one standard deviation",
    }
    return Drawing(figure, stack(gain, pd.DataFrame()), facts)
