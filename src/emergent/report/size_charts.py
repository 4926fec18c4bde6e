"""Charts against the ensemble size, and against other sizes: widths, training sets."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from emergent.config.figure_kinds import Law, MetricBySize, SpreadBySize
from emergent.config.infinite_width_figures import ErrorByWidth, InfiniteWidthDifference, LearningCurve
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, metric_rows, published_table, require_rows, require_table
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_size import shown_rows
from emergent.figures.metrics import (
    FACTORS,
    axis_label,
    for_role,
    metric_look,
    panel_title,
    primary_sets,
    published_points,
    scale_divergence,
)
from emergent.report.chart import Chart, Curve, Panel, Row, axis, chart, row, rows
from emergent.report.metric_charts import SIZE, level, plain

SPREADS = "Bars and bands: one standard deviation over disjoint ensembles and over members."


def spread(inputs: Inputs, references: References, entry: SpreadBySize) -> Chart | None:
    """Returns a panel per data set: members and ensembles of every width, against ensemble size."""
    options = entry.options
    table = metric_rows(inputs, options, ("width", "data", "predictor", "ensemble_size", "mean", "std", "num"))
    finite = table[np.isfinite(table["width"].astype(float))]
    published = published_table(references, options.table)
    colors = style.width_colors(sorted({int(width) for width in finite["width"]}))
    log = options.scale == "log"
    panels = []
    for data in options.data:
        curves: list[Curve] = []
        for width, color in colors.items():
            own = finite[(finite["data"] == data) & (finite["width"] == width)]
            members = own[own["predictor"] == "members"]
            at = None if len(members) == 1 else "ensemble_size"
            curves += [
                Curve(f"width {width}, ensembles", color, "line",
                      _spread(own[own["predictor"] == "ensemble"], "ensemble_size")),
                Curve(f"width {width}, members", color, "dashed", _spread(members, at), True),
            ]  # fmt: skip
            if options.guide and len(members):
                sizes, mean = sorted(set(own["ensemble_size"])), float(members["mean"].mean())
                curves.append(Curve("members / √M", color, "dotted",
                                    rows(row((float(size),), mean / math.sqrt(size)) for size in sizes)))  # fmt: skip
        infinite = table[(table["data"] == data) & np.isinf(table["width"].astype(float))]
        levels = infinite.loc[infinite["predictor"] == "ensemble", "mean"]
        if len(levels) and not log:
            curves.append(level("NTK", style.NTK_COLOR, 1, float(levels.iloc[0])))
        curves += _published_widths(published, data, colors)
        label = plain(metric_look(options.metric or options.table).axis)
        panels.append(Panel(inputs.data_name(data), label, log, tuple(curves)))
    sizes = finite.loc[finite["predictor"] == "ensemble", "ensemble_size"]
    return chart([axis(SIZE, sizes, log=True)], panels, SPREADS)


def _spread(table: pd.DataFrame, at: str | None) -> tuple[Row, ...]:
    found = []
    for item in table.to_dict("records"):
        place = None if at is None else float(item[at])
        mean, std = float(item["mean"]), float(item["std"]) if item["num"] > 1 else math.nan
        found.append(row((place,), mean, mean - std, mean + std))
    return rows(found)


def _published_widths(published: pd.DataFrame, data: str, colors: Mapping[int, str]) -> list[Curve]:
    """Returns published values in the colour of ours of the same width, grey where there is none."""
    curves = []
    own = published[published["data"] == data] if len(published) else published
    for name, part in own.groupby("width") if len(own) else ():
        width = int(float(str(name)))
        points = zip(part["ensemble_size"], part["mean"], strict=True)
        found = rows(row((float(size),), float(mean)) for size, mean in points)
        curves.append(Curve(f"width {width}, published", colors.get(width, style.PUBLISHED_COLOR), "published", found))
    return curves


def difference(inputs: Inputs, references: References, entry: InfiniteWidthDifference) -> Chart | None:
    """Returns a panel per data set: distance of ensembles from the infinitely wide one, against ensemble size."""
    table = require_table(inputs, "ntk_difference", ("width", "data", "ensemble_size", "mean", "std", "num"))
    table = table[np.isfinite(table["width"].astype(float))]
    published = published_table(references, "ntk_difference")
    colors = style.width_colors(sorted({int(width) for width in table["width"]}))
    log = entry.options.scale == "log"
    panels = [
        Panel(inputs.data_name(data), "Relative difference to NTK", log, (
            *(Curve(f"width {width}, ensembles", color, "line",
                    _spread(table[(table["data"] == data) & (table["width"] == width)], "ensemble_size"))
              for width, color in colors.items()),
            *_published_widths(published, data, colors),
        ))
        for data in entry.options.data
    ]  # fmt: skip
    return chart([axis(SIZE, table["ensemble_size"], log=True)], panels, SPREADS)


def by_size(inputs: Inputs, references: References, entry: MetricBySize) -> Chart | None:
    """Returns a panel per metric and role: every arm against ensemble size, as in the printed figure."""
    options = entry.options
    table, sets, matched = shown_rows(inputs, options)
    published = published_points(references, options.metrics)
    published = scale_divergence(published, options.divergence) if len(published) else published
    looks, panels = arm_looks(inputs), []
    for metric in options.metrics:
        label = options.labels.get(metric) or plain(axis_label(metric, options.divergence))
        for role, data in sets.items():
            own = table[(table["metric"] == metric) & (table["data"] == data)]
            curves = []
            for arm in inputs.arms_in(table):
                look, mine = looks[arm.name], own[own["arm"] == arm.name]
                curves.append(Curve(look.word, look.color, "line", _bars(mine, "ensemble_size", "mean", "std")))
                theirs = for_role(published, role, metric=metric, arm=arm.name)
                ends = _bars(theirs, "ensemble_size", "mean", "spread")
                curves.append(Curve(f"{look.word}, published", look.color, "published", ends))
            panels.append(
                Panel(panel_title(inputs.data_name(data), role), label, metric_look(metric).log, tuple(curves))
            )
    note = "Bars: one standard deviation over ensembles drawn from one pool."
    if matched:
        note = "Bars: one standard error of ours; one standard deviation over drawn ensembles of what is published."
    return chart([axis(SIZE, table["ensemble_size"], log=True)], panels, note)


def _bars(table: pd.DataFrame, at: str, mean: str, error: str) -> tuple[Row, ...]:
    """Returns the rows of a curve with bars of one column of errors; values that are not known are left out."""
    found = []
    for item in table.to_dict("records"):
        value, bar = float(item[mean]), float(item.get(error, math.nan))
        found.append(row((float(item[at]),), value, value - bar, value + bar))
    return rows(found)


def law(inputs: Inputs, references: References, entry: Law) -> Chart | None:
    """Returns a panel per role: divergence of every arm against ensemble size, with the law floor + slope / N."""
    del references
    factor = FACTORS[entry.options.divergence]
    points = require_table(inputs, "law_points", ("arm", "data", "epoch", "ensemble_size", "mean", "stderr"))
    laws = require_rows(require_table(inputs, "law", ("arm", "data", "epoch", "floor", "slope")), "law",
                        quantity="divergence")  # fmt: skip
    epoch = int(laws["epoch"].max())
    points = points.assign(mean=points["mean"] * factor, stderr=points["stderr"] * factor)
    points, laws = points[points["epoch"] == epoch], laws[laws["epoch"] == epoch]
    looks, panels = arm_looks(inputs), []
    for role, data in primary_sets(laws).items():
        curves = []
        for arm in inputs.arms_in(laws):
            look = looks[arm.name]
            own = points[(points["data"] == data) & (points["arm"] == arm.name)]
            fit = laws[(laws["data"] == data) & (laws["arm"] == arm.name)]
            curves.append(Curve(look.word, look.color, "points", _bars(own, "ensemble_size", "mean", "stderr")))
            if len(fit) and len(own):
                floor, slope = factor * float(fit["floor"].iloc[0]), factor * float(fit["slope"].iloc[0])
                sizes = np.geomspace(own["ensemble_size"].min(), own["ensemble_size"].max(), 40)
                fitted = rows(row((float(size),), floor + slope / float(size)) for size in sizes)
                curves.append(Curve(f"{look.word}, floor + slope / N", look.color, "dotted", fitted))
        label = plain(axis_label("divergence", entry.options.divergence))
        panels.append(Panel(panel_title(inputs.data_name(data), role), label, True, tuple(curves)))
    return chart([axis(SIZE, points["ensemble_size"], log=True)], panels, "Bars: one standard error.")


def learning(inputs: Inputs, references: References, entry: LearningCurve) -> Chart | None:
    """Returns one panel: accuracy or error of every arm against the size of the training set."""
    table = require_table(inputs, "learning", ("arm", "size", "mean", "std", "num"))
    table = table.assign(stderr=(table["std"] / table["num"] ** 0.5).where(table["num"] > 1))
    published = published_table(references, "learning")
    looks, curves = arm_looks(inputs), []
    for arm in inputs.arms_in(table):
        look = looks[arm.name]
        curves.append(Curve(look.word, look.color, "line",
                            _bars(table[table["arm"] == arm.name], "size", "mean", "stderr")))  # fmt: skip
        theirs = published[published["arm"] == arm.name] if len(published) else published
        curves.append(Curve(f"{look.word}, published", look.color, "published",
                            _bars(theirs, "size", "mean", "uncertainty")))  # fmt: skip
    accuracy = entry.options.metric == "accuracy"
    panel = Panel("", "Test accuracy" if accuracy else "Mean absolute error (meV)", not accuracy, tuple(curves))
    return chart([axis("Training set size", table["size"], log=True)], [panel], "Bars: one standard error over splits.")


def by_width(inputs: Inputs, references: References, entry: ErrorByWidth) -> Chart | None:
    """Returns a panel per kernel: error of the mean of random networks against their width."""
    del entry
    table = require_table(inputs, "convergence", ("arm", "kernel", "width", "error", "error_stderr", "noise"))
    published = published_table(references, "error")
    looks, panels = arm_looks(inputs), []
    for kernel in dict.fromkeys(table["kernel"]):
        curves = []
        for arm in inputs.arms_in(table):
            look = looks[arm.name]
            own = table[(table["kernel"] == kernel) & (table["arm"] == arm.name)]
            curves.append(Curve(look.word, look.color, "line", _bars(own, "width", "error", "error_stderr")))
            curves.append(Curve("noise of an exact mean", look.color, "dotted", _bars(own, "width", "noise", "")))
            theirs = (
                published[(published["arm"] == arm.name) & (published["kernel"] == kernel)]
                if len(published)
                else published
            )
            curves.append(Curve(f"{look.word}, published", look.color, "published",
                                _bars(theirs, "width", "mean", "uncertainty")))  # fmt: skip
        panels.append(Panel(str(kernel).upper(), "Relative error", True, tuple(curves)))
    return chart([axis("Network width", table["width"], log=True)], panels, "Bars: one standard error.")
