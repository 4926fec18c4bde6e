"""Errors of predicted speeds by the number of clusters with weights of their own, of networks and ensembles.

Input: summary table ``traffic``. Huang, Levie and Villar (NeurIPS 2023) have a table of these numbers.
"""

import math

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.symmetry_figures import ErrorByClusters
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("experiment", "arm", "clusters", "threshold", "ensemble_size", "mean", "std", "num", "edges")
QUANTITY = "mae"
LOOKS = ((style.BLUE, "o"), (style.ORANGE, "s"))


def draw(inputs: Inputs, references: References, entry: ErrorByClusters) -> Drawing:
    """Returns a curve per graph, filled markers for networks and open ones for the largest ensembles.

    Args:
        inputs: holds ``traffic``.
        references: not used; published errors are those of a longer series, and stand in the table.
        entry: titles.

    Raises:
        DataError: the table is missing.
    """
    table = require_table(inputs, "traffic", COLUMNS)
    del references
    largest = int(table["ensemble_size"].max())
    figure = style.new_figure(entry.width, 2.6)
    axes = figure.subplots()
    handles = []
    places = {number: place for place, number in enumerate(sorted({int(n) for n in table["clusters"]}))}
    for (threshold, own), (color, marker) in zip(table.groupby("threshold"), LOOKS, strict=False):
        edges = int(own["edges"].iloc[0])
        label = f"{'whole' if threshold == 0 else 'sparse'} graph, {edges} ways"
        for size in dict.fromkeys((1, largest)):
            rows = own[own["ensemble_size"] == size].sort_values("clusters")
            errors = (rows["std"] / rows["num"].map(math.sqrt)).where(rows["num"] > 1)
            axes.errorbar([places[int(n)] for n in rows["clusters"]], rows["mean"], yerr=errors, color=color,
                          marker=marker, linestyle="-" if size == 1 else ":", elinewidth=0.8,
                          markerfacecolor=color if size == 1 else "white")  # fmt: skip
        handles.append(Line2D([], [], color=color, marker=marker, markersize=3.5, label=label))
    if largest > 1:
        handles.append(Line2D([], [], color="#555555", linestyle=":", marker="o", markersize=3.5,
                              markerfacecolor="white", label=f"ensembles of {largest}"))  # fmt: skip
    axes.set_xticks(list(places.values()), [str(number) for number in places])
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.set_xlabel("Clusters of sensors")
    axes.set_ylabel("Mean absolute error (mi/h)")
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    facts = {"num_members": span([int(num) for num in table["num"]]), "ensemble_size": str(largest)}
    return Drawing(figure, stack(table, pd.DataFrame()), facts)
