"""How far the invariants of two clouds are apart: a row per set of invariants, a column per way to make the pair.

Input: summary table ``separation``.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from emergent.config.symmetry_figures import InvariantMatrix
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = (
    "candidate",
    "label",
    "symbol",
    "group",
    "complete",
    "pair",
    "orbit",
    "invariant",
    "same",
    "separated",
    "num",
)
LOWEST = -17.0
LIGHT_BELOW = -8.0
"""Words in cells below are white: colours there are dark."""
HALF = 0.5


def draw(inputs: Inputs, references: References, entry: InvariantMatrix) -> Drawing:
    """Returns the matrix; cells of pairs on one orbit, and of pairs that are missed, have a frame.

    Args:
        inputs: holds ``separation``.
        references: not used; the theorems have no numbers.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    del references
    table = require_table(inputs, "separation", COLUMNS)
    rows, columns = list(dict.fromkeys(table["candidate"])), list(dict.fromkeys(table["pair"]))
    known = table.set_index(["candidate", "pair"])
    values = np.array([[known.loc[(row, column), "invariant"] for column in columns] for row in rows], float)
    figure = style.new_figure(entry.width, 0.34 * len(rows) + 1.2)
    axes = figure.subplots()
    picture = axes.imshow(values, cmap="cividis", vmin=LOWEST, vmax=0.0, aspect="auto")
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            _draw_cell(axes, (x, y), known.loc[(row, column)])
    first = table.drop_duplicates("candidate").set_index("candidate")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), [f"{first.loc[row, 'symbol']}: {first.loc[row, 'label']}" for row in rows])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    groups = list(first["group"])
    for y in range(1, len(rows)):
        if groups[y] != groups[y - 1]:
            axes.axhline(y - HALF, color="white", linewidth=2.5)
    bar = figure.colorbar(picture, ax=axes, fraction=0.03, pad=0.02)
    bar.set_label(r"Distance of invariants, $\log_{10}$")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    handles = [
        Patch(facecolor="none", edgecolor="white", label="no frame: two orbits, told apart"),
        Patch(facecolor="none", edgecolor=style.GREEN, linewidth=1.8, label="one orbit, invariants equal"),
        Patch(facecolor="none", edgecolor=style.RED, linewidth=1.8, label="at odds with the orbits"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "groups": listed(list(dict.fromkeys(first["symbol"]))),
    }
    return Drawing(figure, stack(table, pd.DataFrame()), facts)


def _draw_cell(axes: Axes, place: tuple[int, int], cell: pd.Series) -> None:
    """Writes a logarithm, and frames pairs on one orbit, and those about which invariants and orbits are at odds."""
    x, y = place
    color = "white" if cell["invariant"] < LIGHT_BELOW else "black"
    axes.text(x, y, f"{cell['invariant']:.1f}", ha="center", va="center", color=color, fontsize=7)
    same, separated = cell["same"] > HALF, cell["separated"] > HALF
    if same or not separated:
        edge = style.GREEN if same and not separated else style.RED
        box = Rectangle((x - 0.46, y - 0.43), 0.92, 0.86, fill=False, edgecolor=edge, linewidth=1.8)
        axes.add_patch(box)
