"""The registry of charts: kind in ``config/figures.yaml`` to the function that makes one of its inputs.

Kinds that are not here have their printed picture and their table of numbers alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emergent.config.figure_kinds import Entry
from emergent.figures.drawing import References
from emergent.figures.facts import Inputs
from emergent.figures.inputs import load_inputs
from emergent.figures.plots import PLOTS
from emergent.report import curve_charts, metric_charts, size_charts
from emergent.report.chart import Chart

CHARTS: dict[str, Callable[[Any, Any, Any], Chart | None]] = {
    "metric_by_epoch": metric_charts.by_epoch,
    "metric_by_epoch_and_size": metric_charts.by_epoch,
    "metric_by_epoch_and_data": metric_charts.by_epoch,
    "metric_gain": metric_charts.gain,
    "spread_by_size": size_charts.spread,
    "infinite_width_difference": size_charts.difference,
    "metric_by_size": size_charts.by_size,
    "law": size_charts.law,
    "learning_curve": size_charts.learning,
    "error_by_width": size_charts.by_width,
    "distance_by_epoch": curve_charts.distance,
    "pool_by_epoch": curve_charts.pool,
    "tail_with_bound": curve_charts.tail,
    "learned_curves": curve_charts.learned,
    "curves_by_width": curve_charts.widening,
}


def read_inputs(entry: Entry, summaries: Mapping[str, Path]) -> Inputs:
    """Returns what a figure is drawn from: whole tables of its experiments, of which it shows a part.

    Raises:
        DataError: a summary, or a table in it, is missing.
    """
    return load_inputs(entry, PLOTS[entry.plot], summaries)


def chart_of(entry: Entry, inputs: Inputs, references: References) -> Chart | None:
    """Returns the chart of a figure; None for kinds that have none, and where there is nothing to move through.

    Args:
        entry: of the figure.
        inputs: its tables, all ensemble sizes and epochs of them.
        references: published values by file name.

    Raises:
        DataError: a table lacks what the chart shows.
    """
    make = CHARTS.get(entry.plot)
    return None if make is None else make(inputs, references, entry)
