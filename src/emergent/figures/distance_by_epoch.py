"""Distance between the mean outputs of two kinds of ensembles against epoch, and its law in the ensemble size.

Input: summary tables ``distance`` and ``fit``. arXiv:2406.06504, convergence of augmented CNNs to GCNNs.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import DistanceByEpoch
from emergent.figures import style
from emergent.figures.drawing import (
    Drawing,
    References,
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
from emergent.figures.facts import Inputs
from emergent.statistics.estimate import mean_error

COLUMNS = ("data", "epoch", "ensemble_size", "mean", "std", "num")
FIT_COLUMNS = ("data", "epoch", "floor_squared", "floor_squared_stderr", "noise", "noise_stderr")
HEADROOM = 1.75
"""The vertical axis ends at this multiple of the largest value."""
INSET = (0.55, 0.66, 0.43, 0.26)
"""Left, bottom, width and height of the inset, in the panel's own units."""


def draw(inputs: Inputs, references: References, entry: DistanceByEpoch) -> Drawing:
    """Returns distance against epoch per ensemble size (left), squared distance against 1/M with its fit (right).

    Epochs start at 1, as published; the distance before training, which is many times larger, stands in an inset.

    Args:
        inputs: holds ``distance`` and ``fit``.
        references: published values; series of quantity ``distance`` are drawn.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of the data set or epoch are missing.
    """
    table = require_table(inputs, "distance", COLUMNS)
    fits = require_table(inputs, "fit", FIT_COLUMNS)
    data = select_data(table, entry.options.data, "distance")
    rows = require_rows(table, "distance", data=data).sort_values("epoch")
    epoch = nearest_epoch(rows, entry.options.fit_epoch)
    fit = require_rows(fits, "fit", data=data, epoch=epoch).iloc[0]
    published = published_table(references, "distance")
    sizes = sorted({int(size) for size in rows["ensemble_size"]})
    known = sorted({*sizes, *(int(size) for size in (published["ensemble_size"] if len(published) else ()))})
    colors, marks = style.size_colors(sizes), style.markers(known)
    figure = style.new_figure(entry.width, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    _draw_epochs(left, rows[rows["epoch"] > 0], published, colors, marks)
    if (rows["epoch"] == 0).any():
        _draw_initial(left, rows[rows["epoch"] == 0], colors, marks)
    left.set_ylabel("$L^2$ distance of mean logits,\n" + " and ".join(arm.label for arm in inputs.arms()))
    left.set_title(f"Evaluated on {inputs.data_name(data)}")
    if len(published):
        last = published[published["epoch"] == published["epoch"].max()]
        for size, theirs in last.groupby("ensemble_size"):
            style.published(right, 1.0 / theirs["ensemble_size"], theirs["mean"] ** 2, marks[size])
    has_floor = _draw_law(right, require_rows(rows, "distance", epoch=epoch), fit, colors, marks)
    right.set_title(f"Law in the ensemble size, epoch {epoch}")
    published_sizes = sorted(set(published["ensemble_size"])) if len(published) else []
    handles = _legend(colors, marks, has_floor, [int(size) for size in published_sizes])
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    facts = {
        "data": inputs.data_name(data),
        "epoch": str(epoch),
        "ensemble_sizes": listed(sizes),
        "num_ensembles": span([int(num) for num in rows["num"]]),
        "num_members": str(
            max(int(size) * int(num) for size, num in zip(rows["ensemble_size"], rows["num"], strict=True))
        ),
    }
    ours = rows.merge(fits[list(FIT_COLUMNS)], on=["data", "epoch"], how="left")
    return Drawing(figure, stack(ours, published), facts)


def _draw_epochs(
    axes: Axes, rows: pd.DataFrame, published: pd.DataFrame, colors: dict[int, str], marks: dict[object, str]
) -> None:
    for size, own in rows.groupby("ensemble_size"):
        axes.errorbar(own["epoch"], own["mean"], yerr=own["std"].where(own["num"] > 1), color=colors[int(size)],
                      marker=marks[int(size)], markersize=3.0, elinewidth=0.8)  # fmt: skip
    for size, theirs in published.groupby("ensemble_size") if len(published) else ():
        style.published(axes, theirs["epoch"], theirs["mean"], marks[size])
    top = max((rows["mean"] + rows["std"].fillna(0.0)).max(), published["mean"].max() if len(published) else 0.0)
    # Room above the curves for the inset.
    axes.set_ylim(0.0, HEADROOM * top)
    axes.set_xlim(left=0.3)
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _draw_initial(axes: Axes, rows: pd.DataFrame, colors: dict[int, str], marks: dict[object, str]) -> None:
    """Draws the distance before training in an inset, one point per ensemble size."""
    inset = axes.inset_axes(INSET)
    for place, size in enumerate(sorted(colors)):
        own = rows[rows["ensemble_size"] == size]
        inset.errorbar([place], own["mean"], yerr=own["std"].where(own["num"] > 1), color=colors[size],
                       marker=marks[size], markersize=3.0, elinewidth=0.8)  # fmt: skip
    inset.set_xticks(range(len(colors)), [str(size) for size in sorted(colors)], fontsize=6)
    inset.set_xlim(-0.6, len(colors) - 0.4)
    inset.set_ylim(bottom=0.0)
    inset.yaxis.set_major_locator(MaxNLocator(3))
    inset.tick_params(labelsize=6, length=2)
    inset.set_title("epoch 0, by number of members", fontsize=6.5, pad=2)


def _draw_law(axes: Axes, rows: pd.DataFrame, fit: pd.Series, colors: dict[int, str], marks: dict[object, str]) -> bool:
    """Draws the law at one epoch; returns whether its floor is above zero and so on the logarithmic axis."""
    # Summaries that were made before the samples' part was known do not have it.
    errors = mean_error(rows["std"], rows["num"], rows.get("sample_stderr", 0.0))
    for size, mean, own in zip(rows["ensemble_size"], rows["mean"], errors, strict=True):
        # Error of the mean over disjoint ensembles, carried over to the square.
        error = 2 * mean * own
        axes.errorbar([1.0 / size], [mean**2], yerr=[error], color=colors[int(size)], marker=marks[int(size)],
                      linestyle="none")  # fmt: skip
    inverse = np.geomspace(1.0 / rows["ensemble_size"].max(), 1.0 / rows["ensemble_size"].min(), 60)
    axes.plot(inverse, fit["floor_squared"] + fit["noise"] * inverse, color="black", linewidth=1.0, zorder=1.5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    bottom, top = axes.get_ylim()
    has_floor = bool(fit["floor_squared"] > bottom / 10)
    if has_floor:
        axes.axhline(fit["floor_squared"], color="black", linestyle=":", linewidth=1.0, zorder=1.4)
    # Room above the points for the words.
    axes.set_ylim(top=top * 4)
    axes.set_xlabel("1 / Ensemble Size")
    axes.set_ylabel(r"squared distance $d^2$")
    floor, noise = (measured(fit[name], fit[f"{name}_stderr"]) for name in ("floor_squared", "noise"))
    words = f"$b^2$ = {floor}\n$v$ = {noise}"
    axes.text(0.04, 0.97, words, transform=axes.transAxes, va="top", fontsize=7)
    return has_floor


def _legend(colors: dict[int, str], marks: dict[object, str], has_floor: bool, published: list[int]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=color, marker=marks[size], markersize=3.5, label=f"{size} member{'s' * (size > 1)}")
        for size, color in colors.items()
    ]
    handles.append(Line2D([], [], color="black", linewidth=1.0, label=r"law $d^2 = b^2 + v/M$"))
    if has_floor:
        handles.append(Line2D([], [], color="black", linestyle=":", linewidth=1.0, label=r"floor $b^2$"))
    return handles + [style.published_handle(marks[size], f", {size} member{'s' * (size > 1)}") for size in published]
