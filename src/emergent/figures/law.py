"""The law of orbit divergence in the ensemble size, floor + slope / N, and what is left in an infinite ensemble.

Input: summary tables ``law_points``, ``law`` and ``quantities``. arXiv:2410.01452 publishes the curves, the
law is ours.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from emergent.config.figure_kinds import Law
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks, legend_handles
from emergent.figures.drawing import (
    Drawing,
    References,
    nearest_epoch,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import FACTORS, WORDS, axis_label, for_role, panel_title, primary_sets

POINT_COLUMNS = ("arm", "data", "epoch", "ensemble_size", "mean", "stderr")
LAW_COLUMNS = ("arm", "data", "epoch", "quantity", "floor", "floor_stderr", "slope", "slope_stderr", "ratio",
               "ratio_stderr", "curvature", "num_members")  # fmt: skip
QUANTITY_COLUMNS = ("name", "value", "stderr")
TICKS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
FEW_TICKS = (5, 20, 100, 1000)
"""Ensemble sizes at which the horizontal axis is labelled, as far as the data reach; the few if these are many."""
MOST_TICKS = 5
END_OF_CURVE = 100
"""A level in which a published curve ends, whose slope is not known, is drawn from this ensemble size on."""
LARGEST_PUBLISHED = 1000
"""Fits to published curves are drawn up to this ensemble size."""
ESTIMATORS = {"divergence": ("o", -0.24), "squared gap": ("s", 0.0)}
"""Marker and place beside the arm of each estimator of floor / slope."""
PUBLISHED_PLACE = 0.24
MOST_UNEQUAL = 10.0
"""Ratio of the ranges of two panels from which on they have an axis each."""


def draw(inputs: Inputs, references: References, entry: Law) -> Drawing:
    """Returns divergence against 1/N with both fits (top) and floor / slope of every arm (bottom).

    Axes are equal in a row. Floors have no place on the logarithmic axis, where those compatible with zero would
    vanish: the bottom row has them, for every arm in the same way.

    Args:
        inputs: holds ``law_points``, ``law`` and ``quantities``.
        references: published values; series of quantity ``law``.
        entry: titles and options.

    Raises:
        DataError: a table, or the rows of a quantity, are missing.
    """
    factor = FACTORS[entry.options.divergence]
    laws, points, quantities = _tables(inputs, factor)
    published = _published_laws(references, factor)
    sets, looks = primary_sets(laws), arm_looks(inputs)
    arms = [arm.name for arm in inputs.arms_in(laws)]
    figure = style.new_figure(entry.width, 4.9)
    grid = figure.subplots(2, len(sets), squeeze=False, height_ratios=(1.35, 1.0))
    ratios = []
    for column, (role, data) in enumerate(sets.items()):
        top, bottom = grid[:, column]
        for place, arm in enumerate(arms):
            rows = laws[(laws["data"] == data) & (laws["arm"] == arm)]
            own = points[(points["data"] == data) & (points["arm"] == arm)].sort_values("ensemble_size")
            theirs = for_role(published, role, arm=arm)
            _draw_published(top, looks[arm], theirs, own["ensemble_size"].min())
            _draw_fit(top, looks[arm], own, rows[rows["quantity"] == "divergence"])
            found = _ratios(arm, data, rows, quantities)
            _draw_ratios(bottom, place, looks[arm], found, theirs)
            ratios += [
                {
                    "arm": arm,
                    "data": data,
                    "quantity": f"{name.split()[-1]}_floor_ratio",
                    "mean": value,
                    "stderr": error,
                }
                for name, (value, error) in found.items()
            ]
        top.set_title(panel_title(inputs.data_name(data), role))
        top.set_xlabel("1 / Ensemble members")
        bottom.axhline(0.0, color="black", linewidth=0.8, zorder=1.5)
        bottom.set_xticks(range(len(arms)), [looks[arm].label for arm in arms])
        bottom.set_xlim(-0.6, len(arms) - 0.4)
    _finish_upper(grid[0], points, published)
    _finish_lower(grid[1])
    grid[0, 0].set_ylabel(axis_label("divergence", entry.options.divergence))
    grid[1, 0].set_ylabel("floor / slope\n(0: exactly invariant)")
    handles = _legend([looks[arm] for arm in arms], published[published["arm"].isin(arms)])
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    facts = {
        "epoch": str(int(laws["epoch"].iloc[0])),
        "data": inputs.data_names(list(sets.values())),
        "num_members": span([int(num) for num in laws["num_members"]]),
        "ensemble_sizes": span([int(size) for size in points["ensemble_size"]]),
        "divergence": WORDS[entry.options.divergence],
    }
    ours = pd.concat([points.assign(quantity="divergence"), laws, pd.DataFrame(ratios)], ignore_index=True)
    return Drawing(figure, stack(ours[ours["data"].isin(list(sets.values()))], published), facts)


def _tables(inputs: Inputs, factor: float) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Returns laws and points at the last epoch, on the scale shown, and quantities by name."""
    points = require_table(inputs, "law_points", POINT_COLUMNS)
    laws = require_table(inputs, "law", LAW_COLUMNS)
    quantities = require_table(inputs, "quantities", QUANTITY_COLUMNS).set_index("name")
    epoch = nearest_epoch(laws, "last")
    columns = ["floor", "floor_stderr", "slope", "slope_stderr", "curvature"]
    laws = require_rows(laws, "law", epoch=epoch).astype(dict.fromkeys(columns, float))
    laws.loc[laws["quantity"] == "divergence", columns] *= factor
    points = require_rows(points, "law_points", epoch=epoch)
    return laws, points.assign(**{name: points[name] * factor for name in ("mean", "stderr")}), quantities


def _published_laws(references: References, factor: float) -> pd.DataFrame:
    """Returns one row per published law with columns ``floor`` and ``slope``, NaN where only one is known."""
    table = published_table(references, "law")
    if table.empty:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in ("arm", "role", "floor", "slope")})
    wide = table.pivot(index=["arm", "data", "role", "figure"], columns="coefficient", values=["mean", "uncertainty"])
    laws = wide["mean"].assign(floor_stderr=wide["uncertainty"]["floor"], slope_stderr=wide["uncertainty"]["slope"])
    return (laws * factor).reset_index()


def _draw_published(axes: Axes, look: ArmLook, laws: pd.DataFrame, smallest: float) -> None:
    for law in laws.itertuples():
        only_floor = math.isnan(law.slope)
        inverse = np.geomspace(1.0 / LARGEST_PUBLISHED, 1.0 / (END_OF_CURVE if only_floor else smallest), 60)
        values = law.floor + (0.0 if only_floor else law.slope) * inverse
        axes.plot(inverse, values, color=style.PUBLISHED_COLOR, linewidth=0.9, linestyle=look.line, zorder=1.5)


def _draw_fit(axes: Axes, look: ArmLook, points: pd.DataFrame, laws: pd.DataFrame) -> None:
    axes.errorbar(1.0 / points["ensemble_size"], points["mean"], yerr=points["stderr"], linestyle="none",
                  elinewidth=0.8, marker=look.marker, markersize=3.0, color=look.color)  # fmt: skip
    sizes = points["ensemble_size"]
    inverse = np.geomspace(1.0 / sizes.max(), 1.0 / sizes.min(), 60)
    for law in laws.itertuples():
        fit = law.floor + law.slope * inverse + law.curvature * inverse**2
        axes.plot(inverse, fit, color=look.color, linewidth=1.1, linestyle=look.line)


def _ratios(arm: str, data: str, laws: pd.DataFrame, quantities: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Returns floor / slope and its error by estimator, as far as known."""
    law = require_rows(laws, "law", quantity="divergence").iloc[0]
    found = {"divergence": (float(law["ratio"]), float(law["ratio_stderr"]))}
    name = f"gap_floor/{arm}/{data}"
    if name in quantities.index:
        found["squared gap"] = (float(quantities.at[name, "value"]), float(quantities.at[name, "stderr"]))
    return found


def _draw_ratios(
    axes: Axes, place: int, look: ArmLook, ours: dict[str, tuple[float, float]], published: pd.DataFrame
) -> None:
    """Draws floor / slope of both estimators and the published one."""
    for estimator, (value, error) in ours.items():
        marker, offset = ESTIMATORS[estimator]
        axes.errorbar([place + offset], [value], yerr=[error], color=look.color, marker=marker, markersize=4)
    for law in published[published["slope"].notna()].to_dict("records"):
        value = law["floor"] / law["slope"]
        # Both coefficients taken as independent.
        error = math.hypot(law["floor_stderr"], value * law["slope_stderr"]) / abs(law["slope"])
        axes.errorbar([place + PUBLISHED_PLACE], [value], yerr=[error], color=style.PUBLISHED_COLOR,
                      linestyle="none", elinewidth=0.8)  # fmt: skip
        style.published(axes, [place + PUBLISHED_PLACE], [value], "D")


def _finish_upper(row: np.ndarray, points: pd.DataFrame, published: pd.DataFrame) -> None:
    """Gives the panels of the upper row the same axes, labelled by ensemble size."""
    largest, smallest = points["ensemble_size"].max(), points["ensemble_size"].min()
    largest = max(largest, LARGEST_PUBLISHED if len(published) else 0)
    ticks = [size for size in TICKS if smallest <= size <= largest]
    if len(ticks) > MOST_TICKS:
        ticks = [size for size in FEW_TICKS if smallest <= size <= largest]
    if len(ticks) < 2:
        ticks = sorted({int(smallest), int(largest)})
    for axes in row:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(0.85 / largest, 1.18 / smallest)
        axes.set_xticks([1.0 / size for size in ticks], [f"1/{size}" for size in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    _equal_values(row)


def _finish_lower(row: np.ndarray) -> None:
    """Gives the panels of the lower row the same axis, unless one of them would then show nothing."""
    reach = [max(abs(limit) for limit in axes.get_ylim()) for axes in row]
    if max(reach) < MOST_UNEQUAL * min(reach):
        _equal_values(row)


def _equal_values(row: np.ndarray) -> None:
    lows, highs = zip(*(axes.get_ylim() for axes in row), strict=True)
    for axes in row:
        axes.set_ylim(min(lows), max(highs))
        axes.tick_params(labelleft=axes is row[0])


def _legend(looks: list[ArmLook], published: pd.DataFrame) -> list[Line2D]:
    def entry(label: str, **look: object) -> Line2D:
        return Line2D([], [], **{"color": "#555555", "linestyle": "none", "label": label, **look})  # type: ignore[arg-type]

    handles = legend_handles(looks)
    handles += [entry(f"from the {name}", marker=marker, markersize=4) for name, (marker, _) in ESTIMATORS.items()]
    if len(published):
        grey = style.PUBLISHED_COLOR
        handles.append(entry("published curves, our fit, or ends", color=grey, linestyle="-", linewidth=0.9))
        handles.append(entry("from published curves", color=style.PUBLISHED_COLOR, marker="D", markerfacecolor="none",
                             markersize=4))  # fmt: skip
    return handles
