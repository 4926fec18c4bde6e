"""Black-body radiation as predicted, a panel per test temperature; below, errors by arm with published ones.

Input: summary tables ``curves`` and ``errors``. A figure of arXiv 2301.13724 has predictions of three arms.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from emergent.config.symmetry_figures import PredictedRadiation
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, published_table, require_table, span, stack
from emergent.figures.facts import Inputs

CURVES = ("arm", "wavelength", "temperature", "label", "predictions")
ERRORS = ("arm", "ensemble_size", "trial", "rmse", "equivariance")
QUANTITY = "rmse"
HIGHEST, LOWEST = 1.5, 3.0
"""Decades above the largest and below the smallest radiance that are shown: some predictions leave them."""
NONE = 1e-9
"""Errors of equivariance below are rounding, and not drawn."""


def draw(inputs: Inputs, references: References, entry: PredictedRadiation) -> Drawing:
    """Returns predictions above, root mean square errors and errors of equivariance below.

    Args:
        inputs: holds ``curves`` and ``errors``.
        references: published errors, quantity ``rmse``.
        entry: titles, and whose predictions are drawn.

    Raises:
        DataError: a table is missing.
    """
    curves, errors = require_table(inputs, "curves", CURVES), require_table(inputs, "errors", ERRORS)
    arms = {arm.name: arm for arm in inputs.arms_in(errors)}
    shown = [name for name in entry.options.arms if name in arms]
    colors = style.item_colors(shown)
    figure = style.new_figure(entry.width, 5.0)
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1.0], squeeze=False)[:, 0]
    temperatures = sorted(curves["temperature"].unique())
    panels = above.subplots(1, len(temperatures), sharey=True, squeeze=False)[0]
    for panel, temperature in zip(panels, temperatures, strict=True):
        rows = curves[np.isclose(curves["temperature"], temperature)]
        _draw_curves(panel, rows, colors)
        panel.set_title(f"{temperature:,.0f} K")
        panel.set_xlabel("Wavelength [m]")
    labels = np.log10(np.exp(curves["label"]))
    panels[0].set_ylim(10 ** (labels.min() - LOWEST), 10 ** (labels.max() + HIGHEST))
    panels[0].set_ylabel(r"Radiance [W m$^{-3}$ sr$^{-1}$]")
    handles = [panels[0].plot([], [], color=color, label=arms[name].label)[0] for name, color in colors.items()]
    handles += panels[0].plot([], [], "k.", label="test samples")
    above.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    published = published_table(references, QUANTITY)
    left, right = below.subplots(1, 2, sharey=True)
    names = list(arms)
    _draw_errors(left, errors, names, "rmse")
    for row in published.to_dict("records"):
        if row["arm"] in names:
            style.published(left, [row["mean"]], [names.index(row["arm"]) + 0.28], "D")
    _draw_errors(right, errors[errors["equivariance"] > NONE], names, "equivariance")
    left.set_xscale("log")
    # Less than two decades: labels of the steps between would lie on each other.
    left.xaxis.set_minor_formatter(NullFormatter())
    right.set_xlim(left=0)
    left.set_yticks(range(len(names)), [arms[name].label for name in names])
    left.set_ylim(len(names) - 0.4, -0.6)
    left.set_xlabel("Error of ln of the radiance")
    right.set_xlabel("Error of equivariance under changes of units")
    sizes = sorted({int(size) for size in errors["ensemble_size"]})
    keys = [left.plot([], [], linestyle="none", marker=str(mark), color=color, label=_word(size))[0]
            for size, mark, color in _looks(sizes)]  # fmt: skip
    keys += [style.published_handle("D")] if len(published) else []
    below.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    facts = {"num_members": str(int(errors["trial"].max()) + 1), "ensemble_sizes": span(sizes)}
    return Drawing(figure, stack(pd.concat([errors, curves], ignore_index=True), published), facts)


def _draw_curves(panel: Axes, rows: pd.DataFrame, colors: dict[str, str]) -> None:
    for name, color in colors.items():
        own = rows[rows["arm"] == name].sort_values("wavelength")
        panel.plot(own["wavelength"], np.exp(own["predictions"]), color=color)
    own = rows[rows["arm"] == next(iter(colors))]
    panel.plot(own["wavelength"], np.exp(own["label"]), "k.", markersize=2.5, zorder=3)
    panel.set_xscale("log")
    panel.set_yscale("log")


def _looks(sizes: list[int]) -> list[tuple[int, object, str]]:
    marks, colors = style.markers(sizes), style.size_colors(sizes)
    return [(size, marks[size], colors[size]) for size in sizes]


def _word(size: int) -> str:
    return "one network" if size == 1 else f"ensembles of {size}"


def _draw_errors(axes: Axes, errors: pd.DataFrame, names: list[str], column: str) -> None:
    """Draws trials, and their median as a larger mark."""
    sizes = sorted({int(size) for size in errors["ensemble_size"]})
    for step, (size, mark, color) in enumerate(_looks(sizes)):
        rows = errors[errors["ensemble_size"] == size]
        heights = [names.index(str(arm)) + 0.14 * (step - 1) for arm in rows["arm"]]
        axes.plot(rows[column], heights, linestyle="none", marker=str(mark), color=color, markersize=2.5, alpha=0.5)
        medians = rows.groupby("arm", sort=False)[column].median()
        heights = [names.index(str(arm)) + 0.14 * (step - 1) for arm in medians.index]
        axes.plot(medians, heights, linestyle="none", marker=str(mark), color=color, markersize=5.0)
