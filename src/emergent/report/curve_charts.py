"""Charts of curves that are moved through: distances and pools by epoch, tails, networks on a line."""

import math

import pandas as pd

from emergent.config.figure_kinds import (
    CurvesByWidth,
    DistanceByEpoch,
    LearnedCurves,
    PoolByEpoch,
    TailWithBound,
)
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.curves_by_width import BAND, reach
from emergent.figures.drawing import References, published_table, require_rows, require_table, select_data
from emergent.figures.facts import Inputs
from emergent.figures.learned_curves import MEAN, symmetric_reach
from emergent.figures.metrics import SYMMETRY, axis_label, metric_look, panel_title, primary_sets, scale_divergence
from emergent.report.chart import Chart, Curve, Panel, Row, axis, chart, row, rows
from emergent.report.metric_charts import EPOCH, SIZE, plain

FRAMES = 20
"""Most times of networks on a line that a chart keeps."""


def distance(inputs: Inputs, references: References, entry: DistanceByEpoch) -> Chart | None:
    """Returns a panel per data set: distance of two kinds of ensembles, against epoch or ensemble size."""
    table = require_table(inputs, "distance", ("data", "epoch", "ensemble_size", "mean", "std", "num"))
    published = published_table(references, "distance")
    home = select_data(table, entry.options.data, "distance")
    panels = []
    for data in dict.fromkeys(table["data"]):
        own = table[table["data"] == data]
        theirs = published if data == home else published.iloc[:0]
        panels.append(Panel(inputs.data_name(str(data)), "Distance of mean logits", True, (
            Curve("ours", style.BLUE, "line", _spread(own)),
            Curve("published", style.BLUE, "published", _spread(theirs)),
        )))  # fmt: skip
    axes = [axis(EPOCH, table["epoch"]), axis(SIZE, table["ensemble_size"], log=True)]
    return chart(axes, panels, "Bars: one standard deviation over disjoint ensembles, where there are several.")


def _spread(table: pd.DataFrame) -> tuple[Row, ...]:
    found = []
    for item in table.to_dict("records"):
        mean, std = float(item["mean"]), float(item.get("std", math.nan))
        found.append(row((float(item["epoch"]), float(item["ensemble_size"])), mean, mean - std, mean + std))
    return rows(found)


def pool(inputs: Inputs, references: References, entry: PoolByEpoch) -> Chart | None:
    """Returns a panel per metric and role: members and the ensemble of all of them, against epoch."""
    del references
    table = scale_divergence(require_table(inputs, "pool", ("arm", "data", "epoch", "metric", "predictor", "mean")),
                             entry.options.divergence)  # fmt: skip
    looks, sets, panels = arm_looks(inputs), primary_sets(table), []
    for metric in SYMMETRY:
        for role, data in sets.items():
            own = table[(table["metric"] == metric) & (table["data"] == data)]
            curves = []
            for arm in inputs.arms_in(table):
                mine, look = own[own["arm"] == arm.name], looks[arm.name]
                for predictor, label in (("pool", "all members together"), ("members", "members")):
                    part = mine[mine["predictor"] == predictor]
                    line = "line" if predictor == "pool" else "dashed"
                    curves.append(Curve(f"{look.word}, {label}", look.color, line, rows(
                        row((float(epoch),), float(mean), float(low), float(high)) for epoch, mean, low, high
                        in zip(part["epoch"], part["mean"], part["low"], part["high"], strict=True)
                    ), band=True))  # fmt: skip
            label = plain(axis_label(metric, entry.options.divergence))
            panels.append(
                Panel(panel_title(inputs.data_name(data), role), label, metric_look(metric).log, tuple(curves))
            )
    return chart([axis(EPOCH, table["epoch"])], panels, "Bands: 95 % of the members.")


def tail(inputs: Inputs, references: References, entry: TailWithBound) -> Chart | None:
    """Returns a panel per arm: how often ensembles are farther than a distance from the infinite one; the bound."""
    del references
    columns = ("arm", "data", "ensemble_size", "deviation", "mean", "stderr", "bound", "gaussian")
    table = require_rows(require_table(inputs, "tail", columns), "tail", data=entry.options.data)
    panels = []
    for arm in inputs.arms_in(table):
        own = table[table["arm"] == arm.name]
        lines = own.drop_duplicates("deviation").sort_values("deviation")
        points = [
            row((float(item["deviation"]), float(item["ensemble_size"])), float(item["mean"]),
                item["mean"] - item["stderr"], item["mean"] + item["stderr"])
            for item in own[own["mean"] > 0].to_dict("records")
        ]  # fmt: skip
        panels.append(Panel(arm.label, "Frequency of larger distances", True, (
            Curve("ensembles", style.BLUE, "points", rows(points)),
            Curve("bound", style.RED, "dashed", _function(lines, "bound")),
            Curve("normal distribution", style.PUBLISHED_COLOR, "line", _function(lines, "gaussian")),
        )))  # fmt: skip
    axes = [axis("Distance δ / σ", table["deviation"]), axis(SIZE, table["ensemble_size"], log=True)]
    return chart(axes, panels, "Bars: one standard error.", False)


def _function(table: pd.DataFrame, column: str) -> tuple[Row, ...]:
    return rows(row((float(x), None), float(y)) for x, y in zip(table["deviation"], table[column], strict=True))


def learned(inputs: Inputs, references: References, entry: LearnedCurves) -> Chart | None:
    """Returns one panel: networks on a line and their mean, with the steps of training as a slider."""
    arm = entry.options.arm
    table = require_rows(require_table(inputs, "curves", ("arm", "epoch", "member", "x", "value")), "curves", arm=arm)
    truth = require_rows(require_table(inputs, "targets", ("data", "x", "value")), "targets", data=entry.options.truth)
    times = sorted({int(epoch) for epoch in table["epoch"]})
    kept = {times[round(index * (len(times) - 1) / (FRAMES - 1))] for index in range(FRAMES)}
    table = table[table["epoch"].isin(kept)]
    published = published_table(references, "ensemble_mean")
    curves = [
        *_networks(table, "epoch"),
        Curve("ensemble mean", style.RED, "line", _line(table[table["member"] == MEAN], "epoch", "value")),
        Curve("function", style.PUBLISHED_COLOR, "dashed", _line(truth, None, "value")),
        Curve("published mean", style.RED, "published",
              _line(published, "epoch", "mean") if len(published) else ()),
    ]  # fmt: skip
    axes = [axis("x", table["x"]), axis("Step of training", kept)]
    # As in the printed figure, of untrained networks a few leave the panel.
    first = table.loc[table["epoch"] == table["epoch"].min(), "value"]
    panel = Panel("", "Output", False, tuple(curves), symmetric_reach(first))
    return chart(axes, [panel], "Move the slider to train the networks.", False)


def _networks(table: pd.DataFrame, slider: str) -> list[Curve]:
    """Returns a thin line for each network."""
    members = sorted({int(member) for member in table["member"]} - {MEAN})
    return [Curve("members", style.BLUE, "thin", _line(table[table["member"] == member], slider, "value"))
            for member in members]  # fmt: skip


def _line(table: pd.DataFrame, slider: str | None, column: str, band: str = "") -> tuple[Row, ...]:
    """Returns a function of x, with a band of twice the column of standard deviations to either side."""
    found = []
    for item in table.sort_values("x").to_dict("records"):
        y, half = float(item[column]), BAND * float(item[band]) if band else math.nan
        found.append(row((float(item["x"]), None if slider is None else float(item[slider])), y, y - half, y + half))
    return rows(found)


def widening(inputs: Inputs, references: References, entry: CurvesByWidth) -> Chart | None:
    """Returns one panel: networks on a line and their mean beside the infinite width, with the width as a slider."""
    del references
    table = require_table(inputs, "curves", ("width", "member", "x", "value"))
    table = table[table["width"].notna()]
    limit = require_table(inputs, "limit", ("arm", "x", "mean", "std"))
    truth = require_rows(require_table(inputs, "targets", ("data", "x", "value")), "targets", data=entry.options.truth)
    curves = [
        *_networks(table, "width"),
        Curve("mean of the members", style.BLUE, "line", _line(table[table["member"] == MEAN], "width", "value")),
        Curve("infinitely wide", style.RED, "dashed",
              _line(limit[limit["arm"] == limit["arm"].iloc[0]], None, "mean", "std"), True),
        Curve("function", style.PUBLISHED_COLOR, "dotted", _line(truth, None, "value")),
    ]  # fmt: skip
    axes = [axis("x", table["x"]), axis("Width", table["width"])]
    note = "Band: two standard deviations of an infinitely wide network. Move the slider to widen the networks."
    return chart(axes, [Panel("", "Output", False, tuple(curves), reach(truth))], note, False)
