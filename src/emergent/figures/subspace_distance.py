"""Distance of networks from the equivariant subspace E along augmented training, run by run and in the median.

Input: summary table ``subspace_distance``. arXiv:2303.13458, experimental results of the later versions.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import SubspaceDistance
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "member", "time_unit", "time", "distance")
_COLORS = ("#D81B60", "#1E88E5", "#FFC107", "#004D40", style.PURPLE, style.ORANGE)
"""Of arms, in the order of the experiment: the published ones first."""


def draw(inputs: Inputs, references: References, entry: SubspaceDistance) -> Drawing:
    """Returns the distance per epoch (left) and per batch of the first epoch (right).

    Args:
        inputs: holds ``subspace_distance``.
        references: not used; no numbers are published.
        entry: titles and options.

    Raises:
        DataError: the table or the rows of an arm are missing.
    """
    del references
    table = require_table(inputs, "subspace_distance", COLUMNS)
    arms = entry.options.arms
    known = inputs.arms_in(table)
    labels = {arm.name: arm.label for arm in known}
    colors = {arm.name: _COLORS[index % len(_COLORS)] for index, arm in enumerate(inputs.arms())}
    rows = {arm: require_rows(table, "subspace_distance", arm=arm) for arm in arms}
    shown = pd.concat([rows[arm] for arm in arms], ignore_index=True)
    figure = style.new_figure(entry.width, 2.8)
    left, right = figure.subplots(1, 2)
    for panel, unit, label in ((left, "epoch", "Epoch"), (right, "batch", "Batch in the first epoch")):
        panel.set_yscale(entry.options.scale)
        for arm in arms:
            chosen = require_rows(rows[arm], "subspace_distance", time_unit=unit)
            _draw_arm(panel, chosen, colors[arm])
        panel.set(xlabel=label, ylabel="")
        panel.set_xlim(left=0)
        if entry.options.scale == "linear":
            panel.set_ylim(bottom=0)
            panel.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylabel(r"Distance from $\mathcal{E}$")
    handles = [Line2D([], [], color=colors[arm], label=labels[arm]) for arm in arms]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(arms))
    num_runs = max(int(part["member"].nunique()) for part in rows.values())
    facts = {
        "num_members": str(num_runs),
        "arms": listed([labels[arm] for arm in arms]),
        "epoch": f"{shown.loc[shown['time_unit'] == 'epoch', 'time'].max():g}",
    }
    return Drawing(figure, stack(shown, pd.DataFrame()), facts)


def _draw_arm(axes: Axes, rows: pd.DataFrame, color: str) -> None:
    # Here and not above: all figures import this module, and seaborn takes a second.
    import seaborn as sns

    # Where rounding leaves nothing at all, a logarithmic axis has no place for the point.
    shown = rows[rows["distance"] > 0] if axes.get_yscale() == "log" else rows
    look: dict[str, Any] = {"data": shown, "x": "time", "y": "distance", "color": color, "ax": axes}
    sns.lineplot(**look, units="member", estimator=None, linewidth=0.3, alpha=0.6)
    sns.lineplot(**look, estimator="median", errorbar=None, linewidth=1.6)
