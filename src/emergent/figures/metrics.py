"""Names, axes and scales of metrics, and published points of several metrics.

Tables and published values hold the sum of both directions of the KL divergence; figures may show their mean, which is
half of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from emergent.config.figure_options import DivergenceScale
from emergent.figures import style
from emergent.figures.drawing import References, data_roles, published_table

SYMMETRY = ("osp", "divergence")
"""Metrics of symmetry of classifiers: the rows of figures that show both."""


class MetricLook(NamedTuple):
    """How a metric is called and drawn.

    Attributes:
        word: in tables and running text.
        axis: label of the axis.
        log: whether its axis is logarithmic.
        best_is_order: whether a perfectly symmetric predictor reaches the order of the group, rather than 0.
        without: its value where there is no symmetry at all, if there is such a value.
        best: its value of a perfectly symmetric predictor, where it is shown and the same for all groups.
    """

    word: str
    axis: str
    log: bool = False
    best_is_order: bool = False
    without: float | None = None
    best: float | None = None


_METRICS = {
    "osp": MetricLook("OSP", "OSP", best_is_order=True),
    "osp_fraction": MetricLook("fraction", "Fraction Orbit\nSame Prediction", best=1.0),
    "divergence": MetricLook("divergence", "KL-DIV", log=True),
    "accuracy": MetricLook("accuracy", "Accuracy"),
    "orbit_std": MetricLook("orbit standard deviation", "Relative Orbit\nStandard Deviation", log=True, without=1.0),
    "orbit_mse": MetricLook("orbit MSE", "Orbit MSE", log=True),
    "equivariance_error": MetricLook("equivariance error", "Equivariance error", log=True),
}

# The released code of arXiv 2410.01452 sums both directions; its later figures show half of that.
FACTORS: dict[DivergenceScale, float] = {"full": 1.0, "half": 0.5}
"""From the scale of the tables to the one shown."""

AXIS_WORDS: dict[DivergenceScale, str] = {"full": "sum", "half": "mean"}

WORDS: dict[DivergenceScale, str] = {
    "full": "the sum of the Kullback-Leibler divergences in both directions",
    "half": "the mean of the Kullback-Leibler divergences in both directions",
}


def metric_look(metric: str) -> MetricLook:
    """Returns how a metric is called and drawn; one that is not listed here goes by its own name, on a linear axis."""
    name = metric.replace("_", " ")
    return _METRICS.get(metric, MetricLook(name, name))


def axis_label(metric: str, divergence: DivergenceScale) -> str:
    """Returns the label of a metric's axis, which for the divergence says what is shown of both directions."""
    label = metric_look(metric).axis
    return f"{label} ({AXIS_WORDS[divergence]})" if metric == "divergence" else label


def primary_sets(table: pd.DataFrame) -> dict[str, str]:
    """Returns role to data set: the first in-distribution set and the first one out of distribution."""
    firsts: dict[str, str] = {}
    for data, role in data_roles(table).items():
        if role in ("in", "ood"):
            firsts.setdefault(role, data)
    return firsts


def panel_title(name: str, role: str) -> str:
    """Returns a data set's name and whether it is in distribution."""
    return f"{name} ({'in' if role == 'in' else 'out of'} distribution)"


def metric_panels(
    width: str, labels: Sequence[str], num_columns: int, xlabel: str, share_rows: bool = False
) -> tuple[Figure, np.ndarray]:
    """Returns a figure, one or two columns of text wide, and its panels [R, C], a row for each label, with labels."""
    figure = style.new_figure(width, 0.5 + 1.9 * len(labels))
    grid = figure.subplots(len(labels), num_columns, sharex=True, sharey="row" if share_rows else False, squeeze=False)
    for axes, label in zip(grid[:, 0], labels, strict=True):
        axes.set_ylabel(label)
    for axes in grid[-1]:
        axes.set_xlabel(xlabel)
    return figure, grid


def scale_divergence(table: pd.DataFrame, choice: DivergenceScale) -> pd.DataFrame:
    """Returns the rows with the divergences among them (column ``metric``) on the scale that a figure shows."""
    columns = [name for name in ("mean", "std", "low", "high", "spread", "uncertainty", "difference", "pool_stderr")
               if name in table]  # fmt: skip
    table = table.astype(dict.fromkeys(columns, float))
    table.loc[table["metric"] == "divergence", columns] *= FACTORS[choice]
    return table


def published_points(references: References, metrics: Sequence[str] = SYMMETRY) -> pd.DataFrame:
    """Returns the published points of some metrics with a column ``metric``; no row if there are none."""
    parts = [published_table(references, metric).assign(metric=metric) for metric in metrics]
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
