"""Distance from the equivariant weights against distance moved, for three ways of training from one equivariant point.

Input: summary table ``departure``. arXiv:2303.13458, first version.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from emergent.config.departure_training import MODES, Group, Mode
from emergent.config.figures import DepartureFigure
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, Tables, require_rows, require_table, stack

COLUMNS = ("arm", "group", "mode", "member", "step", "moved", "distance")
LINES: dict[Mode, tuple[str, str, LineStyleType]] = {
    "equivariant": ("Equivariant", style.GREEN, "solid"),
    "augmented": ("Augmented", style.BLUE, "dashed"),
    "nominal": ("Nominal", style.RED, "dotted"),
}
GROUPS: dict[Group, str] = {
    "relabelling": "Relabelling",
    "C4": "Quarter turns",
    "shifts_x": "Shifts along x",
    "shifts_xy": "Shifts",
    "C4_shifts_xy": "Quarter turns and shifts",
}
SCALED_TO: tuple[Mode, Mode] = ("nominal", "augmented")
MARGIN = 1.5
"""Axes end at this multiple of the largest median."""


def draw(tables: Tables, references: References, entry: DepartureFigure) -> Drawing:
    """Returns the figure: for each group two panels with the same curves, scaled to nominal and to augmented training.

    Args:
        tables: holds ``departure``.
        references: not used; no numbers are published.
        entry: titles.

    Raises:
        DataError: the table or the rows of a way of training are missing.
    """
    del references
    table = require_table(tables, "departure", COLUMNS)
    groups = list(dict.fromkeys(table["group"]))
    figure = style.new_figure(entry.width, 0.9 + 1.9 * len(groups))
    grid = figure.subplots(len(groups), 2, squeeze=False)
    for panels, group in zip(grid, groups, strict=True):
        rows = {mode: require_rows(table, "departure", group=group, mode=mode) for mode in MODES}
        medians = {mode: part.groupby("step")[["moved", "distance"]].median() for mode, part in rows.items()}
        for panel, scale in zip(panels, SCALED_TO, strict=True):
            for mode in MODES:
                _draw_mode(panel, mode, rows[mode], medians[mode])
            panel.set_xlim(0, MARGIN * max(float(median["moved"].max()) for median in medians.values()))
            panel.set_ylim(0, MARGIN * float(medians[scale]["distance"].max()))
            # At a fixed height, clear of the factor above the axis.
            panel.set_title(f"{GROUPS[group]}: scaled to {LINES[scale][0].lower()} training", y=1.08)
            panel.ticklabel_format(axis="both", style="sci", scilimits=(-2, 2))
        panels[0].set_ylabel(r"$\Vert A_{\mathcal{E}^\perp} \Vert$")
    for panel in grid[-1]:
        panel.set_xlabel(r"$\Vert A - A_0 \Vert$")
    handles = [Line2D([], [], color=color, linestyle=line, label=name) for name, color, line in LINES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {"num_members": str(int(table["member"].nunique())), "epoch": str(int(table["step"].max()))}
    return Drawing(figure, stack(table, pd.DataFrame()), facts)


def _draw_mode(axes: Axes, mode: Mode, rows: pd.DataFrame, median: pd.DataFrame) -> None:
    _, color, line = LINES[mode]
    for _, run in rows.sort_values("step").groupby("member"):
        axes.plot(run["moved"], run["distance"], color=color, linestyle=line, linewidth=0.8, alpha=0.1)
    axes.plot(median["moved"], median["distance"], color=color, linestyle=line, linewidth=1.6)
