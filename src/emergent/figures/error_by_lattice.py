"""Test errors of networks on larger and larger lattices, and errors of symmetries of their ensembles.

Input: summary tables ``lattices`` and ``ensembles``. arXiv:2012.12901 shows errors by lattice.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.lattice_figures import ErrorByLattice
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks, legend_handles
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs

RANGES = ("median", "low", "high", "num")
PANELS = {"rotation": "Change under $D_4$", "gauge": "Change under Gauge"}


def draw(inputs: Inputs, references: References, entry: ErrorByLattice) -> Drawing:
    """Returns three panels: medians of networks, or of ensembles, with bars from the smallest to the largest.

    Args:
        inputs: holds ``lattices`` and ``ensembles`` of one experiment.
        references: published ranges, series ``mse`` of an arm, are drawn in grey.
        entry: titles.

    Raises:
        DataError: a table, or the rows of a panel, are missing.
    """
    lattices = require_table(inputs, "lattices", ("arm", "lattice", *RANGES))
    ensembles = require_table(inputs, "ensembles", ("arm", "ensemble_size", "metric", *RANGES))
    looks = {name: look._replace(line="-") for name, look in arm_looks(inputs).items()}
    theirs = published_table(references, "mse")
    figure = style.new_figure(entry.width, 2.9)
    panels: Any = figure.subplots(1, 1 + len(PANELS))
    if len(theirs):
        _draw_published(panels[0], theirs[theirs["arm"].isin(list(looks))], looks)
    _draw_ranges(panels[0], lattices, "lattice", looks)
    panels[0].set(title="Test Error", xlabel="Lattice Size $L$", ylabel="Mean Square")
    for panel, (metric, title) in zip(panels[1:], PANELS.items(), strict=True):
        own = require_rows(ensembles, "ensembles", metric=metric)
        _draw_ranges(panel, own, "ensemble_size", looks)
        sizes = sorted({int(size) for size in own["ensemble_size"]})
        top = float(own["median"].max())
        panel.plot(sizes, [top / size for size in sizes], color="#555555", linestyle=":", zorder=1)
        panel.set(title=title, xlabel="Ensemble Size $M$")
    for panel in panels:
        style.log_decades(panel)
    handles = legend_handles(list(looks.values()))
    handles.append(Line2D([], [], color="#555555", linestyle=":", label="$M^{-1}$"))
    if len(theirs):
        handles.append(Line2D([], [], color=style.PUBLISHED_COLOR, linewidth=5, alpha=0.35,
                              label="published range of networks"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    facts = {
        "num_members": span([int(num) for num in lattices["num"]]),
        "sizes": listed(sorted({int(size) for size in lattices["lattice"]})),
        "ensemble_sizes": listed(sorted({int(size) for size in ensembles["ensemble_size"]})),
        "arms": listed([look.label for look in looks.values()]),
    }
    shown = pd.concat([lattices.assign(metric="mse"), ensembles[ensembles["metric"].isin(list(PANELS))]])
    return Drawing(figure, stack(shown, theirs.assign(metric="mse") if len(theirs) else pd.DataFrame()), facts)


def _draw_ranges(panel: Axes, table: pd.DataFrame, x: str, looks: dict[str, ArmLook]) -> None:
    """Draws the arms side by side: bars of several would hide one another."""
    arms = [arm for arm in looks if arm in set(table["arm"])]
    for index, arm in enumerate(arms):
        part, look = table[table["arm"] == arm].sort_values(x), looks[arm]
        beside = 1.035 ** (index - (len(arms) - 1) / 2)
        panel.errorbar(part[x] * beside, part["median"],
                       yerr=[part["median"] - part["low"], part["high"] - part["median"]], color=look.color,
                       marker=look.marker, linestyle=look.line, elinewidth=0.8)  # fmt: skip
    style.log_axis(panel, sorted({float(value) for value in table[x]}))


def _draw_published(panel: Axes, rows: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
    for row in rows.itertuples():
        low, high = float(row.low), float(row.high)  # pyright: ignore
        panel.vlines([float(row.lattice)], [low], [high], color=style.PUBLISHED_COLOR, linewidth=5, alpha=0.35)  # pyright: ignore
