"""Networks on a line and their mean while they are trained, beside the function that they learn; picture and animation.

Input: summary tables ``curves``, ``targets`` and ``asymmetry``. Talks on arXiv:2403.03103, toy example.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emergent.config.figure_kinds import LearnedCurves
from emergent.figures import style
from emergent.figures.drawing import (
    Animation,
    Drawing,
    References,
    listed,
    published_table,
    require_rows,
    require_table,
    stack,
)
from emergent.figures.facts import Inputs

COLUMNS = ("arm", "epoch", "member", "x", "value", "mirrored")
MEAN = -1
"""Number of the mean of all members among the members."""
_MEMBER: dict[str, Any] = {"color": style.BLUE, "linewidth": 0.6, "alpha": 0.45, "zorder": 2}
_MEAN: dict[str, Any] = {"color": style.RED, "linewidth": 2.0, "zorder": 4}
_TRUTH: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": (0, (1.2, 1.2)), "zorder": 5}
_MIRRORED: dict[str, Any] = {"color": style.ORANGE, "linewidth": 2.0, "linestyle": (0, (2.6, 1.6)), "zorder": 6}


def draw(inputs: Inputs, references: References, entry: LearnedCurves) -> Drawing:
    """Returns a panel per time, and the last one again with the left half of the mean mirrored onto the right.

    Args:
        inputs: holds ``curves``, ``targets`` and ``asymmetry``.
        references: published values of the mean, series ``ensemble_mean`` with key ``epoch``.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of the arm are missing.
    """
    curves, truth, panels = _tables(inputs, entry)
    curves = curves[curves["epoch"].isin(panels)]
    published = published_table(references, "ensemble_mean")
    columns = -(-(len(panels) + 1) // 2)
    figure = style.new_figure(entry.width, 3.9)
    axes = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    for panel, epoch in zip(axes.flat, [*panels, panels[-1]], strict=False):
        _prepare(panel, truth, curves)
        _lines(panel, curves[curves["epoch"] == epoch])
        panel.set_title(_time(epoch))
        here = published[published["epoch"] == epoch] if len(published) else published
        if len(here):
            style.published(panel, list(here["x"]), list(here["mean"]), "o", face="white")
    last = axes.flat[len(panels)]
    _mirror(last, curves[curves["epoch"] == panels[-1]])
    last.set_title(f"{_time(panels[-1])}, left half mirrored")
    for panel in axes.flat[len(panels) + 1 :]:
        panel.set_visible(False)
    for panel in axes[-1]:
        panel.set_xlabel("$x$")
    for panel in axes[:, 0]:
        panel.set_ylabel("Output")
    handles = _handles()
    if len(published):
        handles.append(style.published_handle("o", ", read from a slide", face="white"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.4)
    facts = {"num_members": str(curves["member"].max() + 1), "epoch": f"{panels[-1]}",
             "arms": listed([arm.label for arm in inputs.arms_in(curves)])}  # fmt: skip
    return Drawing(figure, stack(pd.concat([curves, truth], ignore_index=True), published), facts)


def animate(inputs: Inputs, entry: LearnedCurves) -> Animation:
    """Returns a frame for every checkpoint; those of the panels stay for longer.

    Args:
        inputs: as for ``draw``.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of the arm are missing.
    """
    curves, truth, panels = _tables(inputs, entry)
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    panel = figure.subplots()
    _prepare(panel, truth, curves)
    panel.set_xlabel("$x$")
    panel.set_ylabel("Output")
    # Widest here, so that the layout of the first frame has room for all.
    panel.set_title(_time(panels[-1]), loc="left")
    handles = _handles()
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    drawn: list[Line2D] = []

    def show(epoch: int) -> None:
        while drawn:
            drawn.pop().remove()
        rows = curves[curves["epoch"] == epoch]
        drawn.extend([*_lines(panel, rows), *_mirror(panel, rows)])
        panel.set_title(_time(epoch), loc="left")

    return Animation(figure, sorted({int(epoch) for epoch in curves["epoch"]}), show, frozenset(panels))


def _tables(inputs: Inputs, entry: LearnedCurves) -> tuple[pd.DataFrame, pd.DataFrame, list[int]]:
    """Returns the curves of the arm, the function on its finest grid, and the times of the panels."""
    curves = require_rows(require_table(inputs, "curves", COLUMNS), "curves", arm=entry.options.arm)
    targets = require_table(inputs, "targets", ("data", "x", "value"))
    truth = require_rows(targets, "targets", data=entry.options.truth).assign(arm=entry.options.arm)
    asymmetry = require_table(inputs, "asymmetry", ("arm", "epoch"))
    times = sorted(set(require_rows(asymmetry, "asymmetry", arm=entry.options.arm)["epoch"]))
    return curves, truth[["arm", "x", "value", "data"]], [int(time) for time in times]


def _prepare(panel: Axes, truth: pd.DataFrame, curves: pd.DataFrame) -> None:
    panel.plot(truth["x"], truth["value"], **_TRUTH)
    panel.axvline(0.0, color="#b0b0b0", linewidth=0.7, zorder=1)
    # A little beyond the ends, so that markers there are whole.
    panel.set_xlim(1.06 * truth["x"].min(), 1.06 * truth["x"].max())
    panel.set_ylim(*symmetric_reach(curves.loc[curves["epoch"] == curves["epoch"].min(), "value"]))


def symmetric_reach(untrained: pd.Series) -> tuple[float, float]:
    """Returns the ends of the vertical axis: of untrained networks a few run far off, and may leave the frame."""
    reach = float(np.clip(np.quantile(untrained.abs(), 0.98), 1.4, 3.0))
    return -reach, reach


def _lines(panel: Axes, rows: pd.DataFrame) -> Sequence[Line2D]:
    found = rows.pivot(index="x", columns="member", values="value").sort_index()
    members = panel.plot(found.index, found.drop(columns=MEAN).to_numpy(), **_MEMBER)
    return [*members, *panel.plot(found.index, found[MEAN].to_numpy(), **_MEAN)]


def _mirror(panel: Axes, rows: pd.DataFrame) -> Sequence[Line2D]:
    """Draws f(-x) of the mean over the right half, where f(x) stands already."""
    right = rows[(rows["member"] == MEAN) & (rows["x"] >= 0)].sort_values("x")
    return panel.plot(right["x"], right["mirrored"], **_MIRRORED)


def _time(epoch: int) -> str:
    if epoch == 0:
        return "initialisation"
    return f"after {epoch:,} step{'s' if epoch > 1 else ''}".replace(",", "\u2009")


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], color=style.BLUE, linewidth=1.0, alpha=0.7, label="members"),
        Line2D([], [], **_MEAN, label="ensemble mean"),
        Line2D([], [], **_MIRRORED, label="its left half, mirrored"),
        Line2D([], [], **_TRUTH, label=r"$\cos x$"),
    ]
