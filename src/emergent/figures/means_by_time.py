"""Means of augmented, equivariant and plain infinite ensembles against training time, beside the spectrum, arm by arm.

Input: summary tables ``means`` and ``spectrum``. Our own figure.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.infinite_width_figures import MeansByTime
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = {"means": ("arm", "curve", "time", "what", "mean", "stderr", "num"),
           "spectrum": ("arm", "irrep", "rank", "eigenvalue", "num")}  # fmt: skip
LABELS = {"augmented": "augmented CNN", "equivariant": "GCNN", "plain": "CNN, not augmented"}
DASHES = {"augmented": "-", "equivariant": (0, (1, 1)), "plain": "--"}


def draw(inputs: Inputs, references: References, entry: MeansByTime) -> Drawing:
    """Returns a row of three panels per arm: one output, distances, eigenvalues.

    Args:
        inputs: holds ``means`` and ``spectrum``.
        references: none are drawn.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of a panel are missing.
    """
    del references
    means, spectrum = (require_table(inputs, name, columns) for name, columns in COLUMNS.items())
    arms = inputs.arms_in(means)
    colors = style.item_colors(list(LABELS))
    figure = style.new_figure(entry.width, 2.6 * len(arms))
    for row, arm in zip(figure.subplots(len(arms), 3, squeeze=False), arms, strict=True):
        own = require_rows(means, "means", arm=arm.name)
        for curve in LABELS:
            _line(
                row[0], require_rows(own[own["what"] == "example"], "means", curve=curve), colors[curve], DASHES[curve]
            )
        for curve in ("augmented", "plain"):
            _line(
                row[1], require_rows(own[own["what"] == "distance"], "means", curve=curve), colors[curve], DASHES[curve]
            )
        row[1].set_yscale("log")
        row[0].set_ylabel(f"{arm.label}: Output of One Image")
        row[1].set_ylabel("Distance to GCNN")
        for panel in row[:2]:
            panel.set_xlabel("Training Time")
        _eigenvalues(row[2], require_rows(spectrum, "spectrum", arm=arm.name))
    handles = [
        Line2D([], [], color=colors[curve], linestyle=DASHES[curve], label=text) for curve, text in LABELS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {"num_members": str(int(means["num"].max())), "arms": listed([arm.label for arm in arms])}
    return Drawing(figure, stack(pd.concat([means, spectrum]), pd.DataFrame()), facts)


def _line(panel: Axes, rows: pd.DataFrame, color: str, dashes: object) -> None:
    """Draws a curve over finite times, and its value at infinite time as a marker at the right edge."""
    rows = rows.sort_values("time")
    finite = rows[np.isfinite(rows["time"])]
    panel.plot(finite["time"], finite["mean"], color=color, linestyle=dashes)  # type: ignore[arg-type]
    if len(finite) < len(rows):
        panel.plot([finite["time"].max() * 3], [rows["mean"].iloc[-1]], marker=">", color=color, markersize=4)
    panel.set_xscale("log")


def _eigenvalues(panel: Axes, rows: pd.DataFrame) -> None:
    names = list(dict.fromkeys(rows["irrep"]))
    # Other colours than those of networks, from dark to light.
    colors = style.size_colors(list(range(1, len(names) + 1)))
    for index, name in enumerate(names):
        own = rows[rows["irrep"] == name].sort_values("rank")
        panel.plot(own["rank"], own["eigenvalue"], color=colors[index + 1], label=name)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("Rank")
    panel.set_ylabel("Eigenvalue / Images")
    panel.legend(loc="upper right", fontsize="small", title="representation", title_fontsize="small")
