"""A cloud of ensemble members pushed by an equivariant flow, and its mean on the fixed line of the mirror image.

Input: summary tables ``particles`` and ``mean``. arXiv:2410.01452, schematic figure.
"""

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.figure_kinds import Flow
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, stack
from emergent.figures.facts import Inputs


def draw(inputs: Inputs, references: References, entry: Flow) -> Drawing:
    """Returns one column per time, one row per arm.

    Args:
        inputs: holds ``particles`` and ``mean``.
        references: not used; the published equation is not known.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of an arm are missing.
    """
    del references
    particles = require_table(inputs, "particles", ("time", "arm", "x", "y"))
    means = require_table(inputs, "mean", ("time", "arm", "x", "y", "y_stderr", "num"))
    arms = entry.options.arms
    labels = {arm.name: arm.label for arm in inputs.arms_in(particles)}
    rows = {arm: require_rows(particles, "particles", arm=arm) for arm in arms}
    times = sorted(set(rows[arms[0]]["time"]))
    figure = style.new_figure(entry.width, 2.5 * len(arms) + 0.3)
    grid = figure.subplots(len(arms), len(times), sharex=True, sharey=True, squeeze=False)
    for arm, panels in zip(arms, grid, strict=True):
        for time, panel in zip(times, panels, strict=True):
            cloud = rows[arm][rows[arm]["time"] == time]
            mean = require_rows(means, "mean", arm=arm, time=time).iloc[0]
            panel.axhline(0.0, color="black", linewidth=1.0, zorder=2)
            panel.scatter(cloud["x"], cloud["y"], s=1.5, color=style.BLUE, alpha=0.5, linewidths=0, zorder=3,
                          rasterized=True)  # fmt: skip
            panel.plot(mean["x"], mean["y"], marker="o", markersize=5.5, color=style.RED, zorder=5,
                       markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
            panel.set_title(f"$t$ = {time:g}")
            panel.set_aspect("equal")
            panel.set_xlim(-entry.options.half_width, entry.options.half_width)
            panel.set_ylim(-entry.options.half_width, entry.options.half_width)
            panel.grid(visible=False)
            panel.tick_params(labelbottom=False, labelleft=False, length=0)
        if len(arms) > 1:
            panels[0].set_ylabel(labels[arm])
    handles = [
        Line2D([], [], color=style.BLUE, linestyle="none", marker="o", markersize=3.0, label="Ensemble members"),
        Line2D([], [], color=style.RED, linestyle="none", marker="o", markersize=5.5, label="Ensemble mean"),
        Line2D([], [], color="black", linewidth=1.0, label="Fixed points of the mirror image"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    shown = pd.concat([rows[arm] for arm in arms], ignore_index=True).assign(what="member")
    centres = means[means["arm"].isin(arms)].assign(what="mean")
    facts = {"num_members": str(int(means["num"].max())), "arms": listed([labels[arm] for arm in arms])}
    return Drawing(figure, stack(pd.concat([shown, centres], ignore_index=True), pd.DataFrame()), facts)
