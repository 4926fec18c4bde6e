"""Equivariant maps between bundles: dimension against their count, distance from convolutions, kernels on the sphere.

Input: summary tables ``pairs`` and ``norms``.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emergent.config.symmetry_figures import IntertwinerCounts
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_table, span, stack
from emergent.figures.facts import Inputs

PAIRS = ("arm", "source", "target", "source_size", "target_size", "dimension", "mackey", "apart", "control")
NORMS = ("multiplier", "band_limit", "quadrature", "closed_form")
WORDS = {"identity": "1", "band_limited": "band-limited", "inverse": "$1/(l+1)$", "inverse_power": "$(l+1)^{-3/2}$",
         "heat": "heat equation"}  # fmt: skip
ZERO = 1e-17
"""Distances that are 0 in every digit are drawn here."""


def draw(inputs: Inputs, references: References, entry: IntertwinerCounts) -> Drawing:
    """Returns three panels: counts, distances from the convolution with the kernel, and norms of kernels on the sphere.

    Args:
        inputs: holds ``pairs`` and ``norms``.
        references: not used; the statements have no numbers.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    pairs, norms = require_table(inputs, "pairs", PAIRS), require_table(inputs, "norms", NORMS)
    arms = inputs.arms_in(pairs)
    colors, marks = style.item_colors([arm.name for arm in arms]), style.markers([arm.name for arm in arms])
    figure = style.new_figure(entry.width, 2.7)
    left, middle, right = figure.subplots(1, 3)
    top = float(pairs["mackey"].max())
    left.plot([0, top], [0, top], color="black", linewidth=0.7)
    for arm in arms:
        own = pairs[pairs["arm"] == arm.name]
        look = {"color": colors[arm.name], "marker": str(marks[arm.name]), "linestyle": "none", "alpha": 0.6}
        left.plot(own["mackey"], own["dimension"], label=arm.symbol or arm.label, **look)
        middle.plot(own["source_size"] * own["target_size"], np.maximum(own["apart"], ZERO), **look)
        middle.plot(own["source_size"] * own["target_size"], own["control"], **{**look, "markerfacecolor": "none"})
    left.set_xlabel("Mackey's count")
    left.set_ylabel("Dimension of equivariant maps")
    left.legend(loc="lower right")
    middle.set_xscale("log")
    middle.set_yscale("log")
    middle.set_xlabel("Size of the matrix")
    middle.set_ylabel("Distance from convolution")
    _draw_norms(right, norms)
    facts = {"groups": listed([arm.symbol or arm.label for arm in arms]), "num_members": str(len(pairs)),
             "sizes": span([int(limit) for limit in norms["band_limit"]])}  # fmt: skip
    return Drawing(figure, stack(pd.concat([pairs, norms], ignore_index=True), pd.DataFrame()), facts)


def _draw_norms(axes: Axes, norms: pd.DataFrame) -> None:
    for (multiplier, rows), color in zip(
        norms.groupby("multiplier", sort=False), style.item_colors(list(WORDS)).values(), strict=False
    ):
        axes.plot(
            rows["band_limit"], rows["closed_form"], color=color, label=WORDS.get(str(multiplier), str(multiplier))
        )
        axes.plot(rows["band_limit"], rows["quadrature"], color=color, marker="o", linestyle="none")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("Largest degree L")
    axes.set_ylabel("Squared norm of the kernel")
    axes.legend(title="Factor of degree $l$", loc="upper left")
    axes.set_ylim(top=float(norms["quadrature"].max()) * 30)
