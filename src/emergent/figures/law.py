"""The law of orbit divergence in the ensemble size, floor + slope / N, and what is left in an infinite ensemble.

Input: summary tables ``law_points``, ``law`` and ``quantities``. arXiv:2410.01452 publishes the curves, the
law is ours.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from emergent.config.figures import DivergenceFigure
from emergent.figures import style
from emergent.figures.divergence import (
    AXIS_LABELS,
    FACTORS,
    WORDS,
    arm_style,
    arms_of,
    for_role,
    legend_handles,
    log_values,
    panel_title,
    primary_sets,
)
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    listed,
    nearest_epoch,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)

POINT_COLUMNS = ("arm", "data", "epoch", "ensemble_size", "mean", "stderr")
LAW_COLUMNS = ("arm", "data", "epoch", "quantity", "floor", "floor_stderr", "slope", "slope_stderr", "ratio",
               "ratio_stderr", "curvature", "num_members")  # fmt: skip
QUANTITY_COLUMNS = ("name", "value", "stderr")


def draw(tables: Tables, references: References, entry: DivergenceFigure) -> Drawing:
    """Returns divergence against 1/N (top), squared gap against 1/N (middle), floors over slopes (bottom).

    Args:
        tables: holds ``law_points``, ``law`` and ``quantities``.
        references: published values; series of quantity ``law``.
        entry: titles and options.

    Raises:
        DataError: a table, or the rows of a quantity, are missing.
    """
    points = require_table(tables, "law_points", POINT_COLUMNS)
    laws = require_table(tables, "law", LAW_COLUMNS)
    quantities = require_table(tables, "quantities", QUANTITY_COLUMNS).set_index("name")
    epoch = nearest_epoch(laws, "last")
    laws = _scaled(require_rows(laws, "law", epoch=epoch), FACTORS[entry.options.divergence])
    points = require_rows(points, "law_points", epoch=epoch)
    points = points.assign(**{name: points[name] * FACTORS[entry.options.divergence] for name in ("mean", "stderr")})
    published = _published_laws(references, FACTORS[entry.options.divergence])
    sets, arms = primary_sets(laws), arms_of(laws)
    figure = style.new_figure(entry.width, 6.3)
    grid = figure.subplots(3, len(sets), squeeze=False, height_ratios=(1.25, 1.0, 0.9))
    ratios = []
    for column, (role, data) in enumerate(sets.items()):
        top, middle, bottom = grid[:, column]
        sizes = require_rows(points, "law_points", data=data)["ensemble_size"]
        inverse = np.geomspace(1.0 / sizes.max(), 1.0 / sizes.min(), 60)
        for place, arm in enumerate(arms):
            rows = laws[(laws["data"] == data) & (laws["arm"] == arm)]
            own = points[(points["data"] == data) & (points["arm"] == arm)]
            theirs = for_role(published, role, arm=arm)
            top.errorbar(1.0 / own["ensemble_size"], own["mean"], yerr=own["stderr"], linestyle="none", elinewidth=0.8,
                         marker=arm_style(arm).marker, markersize=2.8, color=arm_style(arm).color)  # fmt: skip
            for law in theirs[theirs["slope"].notna()].itertuples():
                wide = np.geomspace(1e-3, 1.0 / sizes.min(), 60)
                top.plot(wide, law.floor + law.slope * wide, color=style.PUBLISHED_COLOR, linewidth=0.8,
                         linestyle=arm_style(arm).line, zorder=1.5)  # fmt: skip
            for floor in theirs.loc[theirs["slope"].isna(), "floor"]:
                top.axhline(
                    floor, color=style.PUBLISHED_COLOR, linestyle=arm_style(arm).line, linewidth=0.8, zorder=1.5
                )
            for axes, quantity in ((top, "divergence"), (middle, "squared_gap")):
                for law in rows[rows["quantity"] == quantity].to_dict("records"):
                    _draw_law(axes, arm, law, inverse)
            ratios += _draw_floors(bottom, place, arm, data, rows, quantities, theirs)
        for axes in (top, middle):
            log_values(axes)
            axes.set_xlabel("1 / Ensemble members")
            _inverse_axis(axes, sizes)
        middle.sharex(top)
        bottom.axhline(0.0, color="black", linewidth=0.8)
        bottom.set_xticks(range(len(arms)), [arm_style(arm).label for arm in arms])
        bottom.set_xlim(-0.6, len(arms) - 0.4)
        top.set_title(panel_title(data, role))
    grid[0, 0].set_ylabel(AXIS_LABELS[entry.options.divergence])
    grid[1, 0].set_ylabel("squared gap of logits")
    grid[2, 0].set_ylabel("floor / slope")
    figure.legend(handles=_legend(arms, published), loc="outside lower center", ncols=4)
    facts = {
        "epoch": str(epoch),
        "data": listed([style.data_name(data) for data in sets.values()]),
        "num_members": span([int(num) for num in laws["num_members"]]),
        "ensemble_sizes": span([int(size) for size in points["ensemble_size"]]),
        "divergence": WORDS[entry.options.divergence],
    }
    ours = pd.concat([points.assign(quantity="divergence"), laws, pd.DataFrame(ratios)], ignore_index=True)
    return Drawing(figure, stack(ours[ours["data"].isin(list(sets.values()))], published), facts)


def _inverse_axis(axes: Axes, sizes: pd.Series) -> None:
    """Makes the horizontal axis logarithmic, with ticks at 1 / N itself where the data span little."""
    axes.set_xscale("log")
    if axes.dataLim.x1 < 10 * axes.dataLim.x0:
        known = sorted({int(size) for size in sizes})
        axes.set_xticks([1.0 / size for size in known], [f"1/{size}" for size in known])
        axes.xaxis.set_minor_locator(NullLocator())


def _scaled(laws: pd.DataFrame, factor: float) -> pd.DataFrame:
    columns = ["floor", "floor_stderr", "slope", "slope_stderr", "curvature"]
    laws = laws.astype(dict.fromkeys(columns, float))
    laws.loc[laws["quantity"] == "divergence", columns] *= factor
    return laws


def _published_laws(references: References, factor: float) -> pd.DataFrame:
    """Returns one row per published law with columns ``floor`` and ``slope``, NaN where only one is known."""
    table = published_table(references, "law")
    if table.empty:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in ("arm", "role", "floor", "slope")})
    wide = table.pivot(index=["arm", "data", "role", "figure"], columns="coefficient", values=["mean", "uncertainty"])
    laws = wide["mean"].assign(floor_stderr=wide["uncertainty"]["floor"], slope_stderr=wide["uncertainty"]["slope"])
    return (laws * factor).reset_index()


def _draw_law(axes: Axes, arm: str, law: dict[str, float], inverse: np.ndarray) -> None:
    look = arm_style(arm)
    fit = law["floor"] + law["slope"] * inverse + law["curvature"] * inverse**2
    axes.plot(inverse, fit, color=look.color, linewidth=1.1, linestyle=look.line)
    low, high = law["floor"] - law["floor_stderr"], law["floor"] + law["floor_stderr"]
    # A floor that is compatible with zero has no place on a logarithmic axis; the bottom row shows it.
    if low > 0:
        axes.axhspan(low, high, color=look.color, alpha=style.BAND_ALPHA, linewidth=0)
        axes.axhline(law["floor"], color=look.color, linestyle=(0, (6, 2)), linewidth=0.9)


def _draw_floors(axes: Axes, place: int, arm: str, data: str, rows: pd.DataFrame, quantities: pd.DataFrame,
                 published: pd.DataFrame) -> list[dict[str, object]]:  # fmt: skip
    """Draws floor / slope from both laws and the published one; returns ours as rows."""
    found: list[dict[str, object]] = []
    color = arm_style(arm).color
    for law in rows[rows["quantity"] == "divergence"].to_dict("records"):
        value, error = law["ratio"], law["ratio_stderr"]
        axes.errorbar([place - 0.2], [value], yerr=[error], color=color, marker="o", markersize=4)
        found.append({"arm": arm, "data": data, "quantity": "divergence_floor_ratio", "mean": value, "stderr": error})
    name = f"gap_floor/{arm}/{data}"
    if name in quantities.index:
        value, error = (float(quantities.at[name, column]) for column in ("value", "stderr"))
        axes.errorbar([place], [value], yerr=[error], color=color, marker="s", markersize=4)
        found.append({"arm": arm, "data": data, "quantity": "gap_floor_ratio", "mean": value, "stderr": error})
    for law in published[published["slope"].notna()].to_dict("records"):
        value, error = _ratio(law)
        axes.errorbar(
            [place + 0.2], [value], yerr=[error], color=style.PUBLISHED_COLOR, linestyle="none", elinewidth=0.8
        )
        style.published(axes, [place + 0.2], [value], "o")
    return found


def _ratio(law: dict[str, float]) -> tuple[float, float]:
    """Returns floor / slope of a published law and its standard error, both taken as independent."""
    value = law["floor"] / law["slope"]
    return value, math.hypot(law["floor_stderr"], value * law["slope_stderr"]) / abs(law["slope"])


def _legend(arms: list[str], published: pd.DataFrame) -> list[Line2D]:
    def entry(label: str, **look: object) -> Line2D:
        return Line2D([], [], **{"color": "#555555", "linestyle": "none", "label": label, **look})  # type: ignore[arg-type]

    handles = legend_handles(arms)
    handles.append(entry("floor", linestyle=(0, (6, 2)), linewidth=0.9))
    handles.append(entry("floor of the divergence", marker="o", markersize=4))
    handles.append(entry("floor of the squared gap", marker="s", markersize=4))
    if len(published):
        handles.append(entry("fit to published curves", color=style.PUBLISHED_COLOR, linestyle="-", marker="o",
                             markerfacecolor="none", markersize=4, linewidth=0.8))  # fmt: skip
    return handles
