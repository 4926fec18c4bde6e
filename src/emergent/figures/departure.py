"""Distance from the equivariant weights against distance moved, for three ways of training from one equivariant point.

Input: summary table ``departure``. arXiv:2303.13458, first version.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from emergent.config.departure_training import MODES, Mode
from emergent.config.figure_kinds import Departure
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_rows, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "group", "mode", "member", "step", "moved", "distance")
LINES: dict[Mode, tuple[str, str, LineStyleType]] = {
    "equivariant": ("Equivariant", style.GREEN, "solid"),
    "augmented": ("Augmented", style.BLUE, "dashed"),
    "nominal": ("Nominal", style.RED, "dotted"),
}
SCALED_TO: tuple[Mode, Mode] = ("nominal", "augmented")
MARGIN = 1.08
"""Axes end at this multiple of the largest value of the way of training that they are scaled to."""


def draw(inputs: Inputs, references: References, entry: Departure) -> Drawing:
    """Returns the figure: for each group two panels with the same curves, scaled to nominal and to augmented training.

    Args:
        inputs: holds ``departure``.
        references: not used; no numbers are published.
        entry: titles.

    Raises:
        DataError: the table or the rows of a way of training are missing.
    """
    del references
    table = require_table(inputs, "departure", COLUMNS)
    arms = inputs.arms_in(table)
    figure = style.new_figure(entry.width, 0.9 + 1.9 * len(arms))
    grid = figure.subplots(len(arms), 2, squeeze=False)
    for panels, arm in zip(grid, arms, strict=True):
        rows = {mode: require_rows(table, "departure", arm=arm.name, mode=mode) for mode in MODES}
        for panel, scale in zip(panels, SCALED_TO, strict=True):
            # Every run of the way of training that the panel is scaled to lies inside.
            panel.set_xlim(0, MARGIN * max(float(part["moved"].max()) for part in rows.values()))
            panel.set_ylim(0, MARGIN * float(rows[scale]["distance"].max()))
            for mode in MODES:
                _draw_mode(panel, mode, rows[mode])
            # At a fixed height, clear of the factor above the axis.
            panel.set_title(f"{arm.label}: scaled to {LINES[scale][0].lower()} training", y=1.08)
            panel.ticklabel_format(axis="both", style="sci", scilimits=(-2, 2))
        panels[0].set_ylabel(r"$\Vert A_{\mathcal{E}^\perp} \Vert$")
    for panel in grid[-1]:
        panel.set_xlabel(r"$\Vert A - A_0 \Vert$")
    handles = [Line2D([], [], color=color, linestyle=line, label=name) for name, color, line in LINES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {"num_members": str(int(table["member"].nunique())), "epoch": str(int(table["step"].max()))}
    return Drawing(figure, stack(table, pd.DataFrame()), facts)


def _draw_mode(axes: Axes, mode: Mode, rows: pd.DataFrame) -> None:
    _, color, line = LINES[mode]
    for _, run in rows.sort_values("step").groupby("member"):
        axes.plot(run["moved"], run["distance"], color=color, linewidth=0.7, alpha=0.4)
    median = rows.groupby("step")[["moved", "distance"]].median()
    # Equivariant training stays at distance 0, on the axis itself, which must not cut its line in half.
    shown = median[median["moved"] <= axes.get_xlim()[1]] if mode == "equivariant" else median
    axes.plot(shown["moved"], shown["distance"], color=color, linestyle=line, linewidth=2.2, zorder=3,
              clip_on=mode != "equivariant")  # fmt: skip
