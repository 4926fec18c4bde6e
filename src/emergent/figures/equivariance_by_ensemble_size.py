"""Equivariance errors of ensembles of augmented networks against their size, a curve per size of the training set.

Input: summary table ``efficiency`` of one or several experiments. Our own figure.
"""

import math

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.data_efficiency_figures import EquivarianceByEnsembleSize
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_rows, require_table, span, stack
from emergent.figures.error_by_training_size import COLUMNS
from emergent.figures.facts import Inputs

METRIC = "equivariance_error"
COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PURPLE, "#8c564b", "#17becf")


def draw(inputs: Inputs, references: References, entry: EquivarianceByEnsembleSize) -> Drawing:
    """Returns a panel per function: means over trials with bars of one standard error, and the slope of noise.

    Args:
        inputs: holds ``efficiency``, with ensembles of several sizes of one arm.
        references: not used; no numbers are published.
        entry: titles.

    Raises:
        DataError: the table is missing, or no arm has ensembles.
    """
    del references
    table = require_table(inputs, "efficiency", COLUMNS)
    table = require_rows(table, "efficiency", metric=METRIC)
    arms = set(table["arm"][table["ensemble_size"] > 1])
    table = table[table["arm"].isin(arms)]
    sizes = sorted({int(size) for size in table["size"]})
    colors = {size: COLORS[index % len(COLORS)] for index, size in enumerate(sizes)}
    figure = style.new_figure(entry.width, 2.7)
    panels = figure.subplots(1, len(inputs.facts), squeeze=False)[0]
    for panel, facts in zip(panels, inputs.facts, strict=True):
        own = require_rows(table, "efficiency", experiment=facts.experiment)
        for size, rows in own.groupby("size"):
            part = rows.sort_values("ensemble_size")
            errors = (part["std"] / part["num"].map(math.sqrt)).where(part["num"] > 1)
            panel.errorbar(part["ensemble_size"], part["mean"], yerr=errors, color=colors[int(size)],  # pyright: ignore
                           marker="o", elinewidth=0.8)  # fmt: skip
        numbers = sorted({int(number) for number in own["ensemble_size"]})
        top = float(own["mean"].max())
        panel.plot(numbers, [top / math.sqrt(number) for number in numbers], color="#555555", linestyle=":")
        panel.set_yscale("log")
        style.log_axis(panel, numbers)
        panel.set_title(facts.label)
        panel.set_xlabel("Ensemble Size $M$")
    panels[0].set_ylabel("Equivariance Error")
    handles = [Line2D([], [], color=colors[size], marker="o", markersize=3.5, label=f"n = {size}") for size in sizes]
    handles.append(Line2D([], [], color="#555555", linestyle=":", label=r"$M^{-1/2}$"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "sizes": span(sizes),
        "ensemble_sizes": span([int(number) for number in table["ensemble_size"]]),
    }
    return Drawing(figure, stack(table, pd.DataFrame()), facts)
