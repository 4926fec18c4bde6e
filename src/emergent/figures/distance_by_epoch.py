"""E4: distance between the mean logits of augmented CNN ensembles and of GCNN ensembles, and its law in M.

Input: summary tables ``distance`` and ``fit``. arXiv:2406.06504, convergence of augmented CNNs to GCNNs.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from emergent.config.figures import ConvergenceFigure
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    listed,
    measured,
    nearest_epoch,
    published_table,
    require_rows,
    require_table,
    select_data,
    span,
    stack,
)

COLUMNS = ("data", "epoch", "ensemble_size", "mean", "std", "num")
FIT_COLUMNS = ("data", "epoch", "floor", "floor_stderr", "noise", "noise_stderr")


def draw(tables: Tables, references: References, entry: ConvergenceFigure) -> Drawing:
    """Returns E4: distance against epoch per ensemble size (left), squared distance against 1/M with its fit (right).

    Args:
        tables: holds ``distance`` and ``fit``.
        references: published values; series of quantity ``distance`` are drawn.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of the data set or epoch are missing.
    """
    table = require_table(tables, "distance", COLUMNS)
    fits = require_table(tables, "fit", FIT_COLUMNS)
    data = select_data(table, entry.options.data, "distance")
    rows = require_rows(table, "distance", data=data).sort_values("epoch")
    epoch = nearest_epoch(rows, entry.options.fit_epoch)
    fit = require_rows(fits, "fit", data=data, epoch=epoch).iloc[0]
    published = published_table(references, "distance")
    sizes = sorted({int(size) for size in rows["ensemble_size"]})
    known = sorted({*sizes, *(int(size) for size in (published["ensemble_size"] if len(published) else ()))})
    colors, marks = style.size_colors(sizes), style.markers(known)
    figure = style.new_figure(entry.width, 2.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    for size in sizes:
        own = rows[rows["ensemble_size"] == size]
        left.errorbar(own["epoch"], own["mean"], yerr=own["std"].where(own["num"] > 1), color=colors[size],
                      marker=marks[size], markersize=3.0, elinewidth=0.8)  # fmt: skip
    for size, theirs in published.groupby("ensemble_size") if len(published) else ():
        style.published(left, theirs["epoch"], theirs["mean"], marks[size])
    left.set_ylim(bottom=0.0)
    left.set_xlabel("Epoch")
    left.set_ylabel(r"$L^2$(CNN-logits, GCNN-logits)")
    left.set_title(f"Evaluated on {style.data_name(data)}")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    now = require_rows(rows, "distance", epoch=epoch)
    _draw_law(right, now, fit, colors, marks)
    if len(published):
        last = published[published["epoch"] == published["epoch"].max()]
        for size, theirs in last.groupby("ensemble_size"):
            style.published(right, 1.0 / theirs["ensemble_size"], theirs["mean"] ** 2, marks[size])
    right.set_title(f"Law in the ensemble size, epoch {epoch}")
    handles = [
        Line2D([], [], color=colors[s], marker=marks[s], markersize=3.5, label=f"{s} member{'s' * (s > 1)}")
        for s in sizes
    ]
    handles.append(Line2D([], [], color="black", linewidth=1.0, label=r"fit $d^2 = b^2 + v/M$"))
    handles.append(Line2D([], [], color="black", linestyle=":", linewidth=1.0, label=r"floor $b^2$"))
    if len(published):
        handles.append(style.published_handle())
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    facts = {
        "data": style.data_name(data),
        "epoch": str(epoch),
        "ensemble_sizes": listed(sizes),
        "num_ensembles": span([int(num) for num in rows["num"]]),
        "num_members": str(
            max(int(size) * int(num) for size, num in zip(rows["ensemble_size"], rows["num"], strict=True))
        ),
    }
    ours = rows.merge(fits[list(FIT_COLUMNS)], on=["data", "epoch"], how="left")
    return Drawing(figure, stack(ours, published), facts)


def _draw_law(axes: Axes, rows: pd.DataFrame, fit: pd.Series, colors: dict[int, str], marks: dict[object, str]) -> None:
    for size, mean, std, num in zip(rows["ensemble_size"], rows["mean"], rows["std"], rows["num"], strict=True):
        # Error of the mean over disjoint ensembles, carried over to the square.
        error = 2 * mean * std / np.sqrt(num) if num > 1 else np.nan
        axes.errorbar([1.0 / size], [mean**2], yerr=[error], color=colors[int(size)], marker=marks[int(size)],
                      linestyle="none")  # fmt: skip
    inverse = np.geomspace(1.0 / rows["ensemble_size"].max(), 1.0 / rows["ensemble_size"].min(), 60)
    axes.plot(inverse, fit["floor"] ** 2 + fit["noise"] * inverse, color="black", linewidth=1.0, zorder=1.5)
    axes.axhline(fit["floor"] ** 2, color="black", linestyle=":", linewidth=1.0, zorder=1.4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("1 / Ensemble Size")
    axes.set_ylabel(r"squared distance $d^2$")
    words = f"$b$ = {measured(fit['floor'], fit['floor_stderr'])}\n$v$ = {measured(fit['noise'], fit['noise_stderr'])}"
    axes.text(0.04, 0.96, words, transform=axes.transAxes, va="top", fontsize=7)
