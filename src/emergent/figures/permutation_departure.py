"""Distance from the equivariant weights against distance moved, for three ways of training from one equivariant point.

Input: summary table ``departure``. arXiv:2303.13458, first version: permutations.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from emergent.config.figures import PermutationFigure
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, Tables, require_rows, require_table, stack

COLUMNS = ("arm", "mode", "member", "step", "moved", "distance")
MODES: dict[str, tuple[str, str, LineStyleType]] = {
    "equivariant": ("Equivariant", style.GREEN, "solid"),
    "augmented": ("Augmented", style.BLUE, "dashed"),
    "nominal": ("Nominal", style.RED, "dotted"),
}
MARGIN = 1.5
"""Axes end at this multiple of the largest median."""


def draw(tables: Tables, references: References, entry: PermutationFigure) -> Drawing:
    """Returns the figure: two panels with the same curves, scaled to nominal (left) and augmented training (right).

    Args:
        tables: holds ``departure``.
        references: not used; no numbers are published.
        entry: titles.

    Raises:
        DataError: the table or the rows of a way of training are missing.
    """
    del references
    table = require_table(tables, "departure", COLUMNS)
    rows = {mode: require_rows(table, "departure", mode=mode) for mode in MODES}
    medians = {mode: part.groupby("step")[["moved", "distance"]].median() for mode, part in rows.items()}
    figure = style.new_figure(entry.width, 2.8)
    for panel, scale in zip(figure.subplots(1, 2), ("nominal", "augmented"), strict=True):
        for mode, part in rows.items():
            _draw_mode(panel, mode, part, medians[mode])
        panel.set_xlim(0, MARGIN * max(float(median["moved"].max()) for median in medians.values()))
        panel.set_ylim(0, MARGIN * float(medians[scale]["distance"].max()))
        panel.set_xlabel(r"$\Vert A - A_0 \Vert$")
        panel.set_title(f"Scaled to {MODES[scale][0].lower()} training")
        panel.ticklabel_format(axis="both", style="sci", scilimits=(-2, 2))
    figure.axes[0].set_ylabel(r"$\Vert A_{\mathcal{E}^\perp} \Vert$")
    handles = [Line2D([], [], color=color, linestyle=line, label=name) for name, color, line in MODES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {"num_members": str(int(table["member"].nunique())), "epoch": str(int(table["step"].max()))}
    return Drawing(figure, stack(table, pd.DataFrame()), facts)


def _draw_mode(axes: Axes, mode: str, rows: pd.DataFrame, median: pd.DataFrame) -> None:
    _, color, line = MODES[mode]
    for _, run in rows.sort_values("step").groupby("member"):
        axes.plot(run["moved"], run["distance"], color=color, linestyle=line, linewidth=0.8, alpha=0.1)
    axes.plot(median["moved"], median["distance"], color=color, linestyle=line, linewidth=1.6)
