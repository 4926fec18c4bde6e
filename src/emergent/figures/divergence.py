"""What the figures on orbit divergence share: columns of tables, looks of arms, scale, panels and published rows.

Tables and published values hold the sum of both directions of the KL divergence; figures may show their mean, which is
half of it. arXiv:2410.01452, image experiments.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from emergent.config.figure_options import DivergenceScale
from emergent.figures import style
from emergent.figures.drawing import References, data_roles, published_table

METRICS = ("osp", "divergence")
"""Metrics of symmetry that the paper plots: the rows of its figures."""

METRIC_WORDS = {"osp": "OSP", "divergence": "divergence"}
"""Their names in tables."""

ENSEMBLE_COLUMNS = ("arm", "group", "order", "data", "epoch", "ensemble_size", "metric", "mean", "std", "num")
POOL_COLUMNS = ("arm", "group", "order", "data", "epoch", "predictor", "metric", "mean", "low", "high", "num")


class ArmStyle(NamedTuple):
    """How one arm is drawn and called.

    Attributes:
        color: of lines and filled markers.
        line: line style.
        marker: shape, also of the published values.
        label: name in legends, as in the paper.
        word: name in tables, which set no mathematics.
        short: name where space is scarce.
    """

    color: str
    line: Literal["-", "--", "-.", ":"]
    marker: str
    label: str
    word: str
    short: str


_ARMS = {
    "sym": ArmStyle("#1f77b4", "-", "o", r"$\mathcal{L}^{\mathrm{sym}}$", "sym", "sym"),
    "asym_invariant_init": ArmStyle(
        "#ff7f0e", "--", "s", r"$\mathcal{L}^{\mathrm{as}},\ \rho(g)A\sim A$", "as (invariant init)", "as inv."
    ),
    "asym": ArmStyle("#2ca02c", "-.", "^", r"$\mathcal{L}^{\mathrm{as}}$", "as", "as"),
    "cnn": ArmStyle("red", ":", "D", r"$\mathcal{L}^{\mathrm{cnn}}$", "cnn", "cnn"),
}

FACTORS: dict[DivergenceScale, float] = {"full": 1.0, "half": 0.5}
"""From the scale of the tables to the one shown."""

AXIS_LABELS: dict[DivergenceScale, str] = {"full": "KL-DIV (sum)", "half": "KL-DIV (mean)"}

WORDS: dict[DivergenceScale, str] = {
    "full": "the sum of the Kullback-Leibler divergences in both directions",
    "half": "the mean of the Kullback-Leibler divergences in both directions",
}


def arm_style(arm: str) -> ArmStyle:
    """Returns the looks of an arm; an unpublished arm gets a spare look and its own name."""
    name = arm.replace("_", " ")
    return _ARMS.get(arm, ArmStyle(style.PURPLE, "-", "v", name, name, name))


def arms_of(table: pd.DataFrame) -> list[str]:
    """Returns the arms of a table, those of the paper first and in its order."""
    found = list(dict.fromkeys(str(arm) for arm in table["arm"]))
    return [arm for arm in _ARMS if arm in found] + [arm for arm in found if arm not in _ARMS]


def primary_sets(table: pd.DataFrame) -> dict[str, str]:
    """Returns role to data set: the first in-distribution set and the first one out of distribution."""
    firsts: dict[str, str] = {}
    for data, role in data_roles(table).items():
        if role in ("in", "ood"):
            firsts.setdefault(role, data)
    return firsts


def panel_title(data: str, role: str) -> str:
    """Returns a data set's name and whether it is in distribution."""
    return f"{style.data_name(data)} ({'in' if role == 'in' else 'out of'} distribution)"


def metric_panels(
    width: str, num_columns: int, divergence: DivergenceScale, xlabel: str, share_rows: bool = False
) -> tuple[Figure, np.ndarray]:
    """Returns a figure, one or two columns of text wide, and its panels [2, C], a row for each metric, with labels."""
    figure = style.new_figure(width, 4.3)
    grid = figure.subplots(2, num_columns, sharex=True, sharey="row" if share_rows else False, squeeze=False)
    grid[0, 0].set_ylabel("OSP")
    grid[1, 0].set_ylabel(AXIS_LABELS[divergence])
    for axes in grid[1]:
        axes.set_xlabel(xlabel)
    return figure, grid


def scale_divergence(table: pd.DataFrame, choice: DivergenceScale) -> pd.DataFrame:
    """Returns the rows with the divergences among them (column ``metric``) on the scale that a figure shows."""
    columns = [name for name in ("mean", "std", "low", "high", "spread", "uncertainty", "difference", "pool_stderr")
               if name in table]  # fmt: skip
    table = table.astype(dict.fromkeys(columns, float))
    table.loc[table["metric"] == "divergence", columns] *= FACTORS[choice]
    return table


def published_points(references: References) -> pd.DataFrame:
    """Returns the published points of both metrics with a column ``metric``; no row if there are none."""
    parts = [published_table(references, metric).assign(metric=metric) for metric in METRICS]
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame({"metric": pd.Series(dtype=str)})


def for_role(published: pd.DataFrame, role: str, **keys: object) -> pd.DataFrame:
    """Returns the published rows of one role and further keys; none if nothing was published."""
    for column, value in {"role": role, **keys}.items():
        if published.empty or column not in published:
            return published.iloc[:0]
        published = published[published[column] == value]
    return published


def log_values(axes: Axes) -> None:
    """Makes the vertical axis logarithmic, with plain numbers between the decades where it spans few of them."""
    axes.set_yscale("log")
    low, high = axes.dataLim.minposy, axes.dataLim.y1
    if not 0 < low <= high < float("inf"):
        return
    if high / low < 30:
        steps = (1.0, 2.0, 5.0) if high / low > 4 else (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend_handles(arms: Sequence[str], markers: bool = True) -> list[Line2D]:
    """Returns one legend entry per arm."""
    return [
        Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker if markers else "none",
               markersize=3.5, label=look.label)
        for look in map(arm_style, arms)
    ]  # fmt: skip
