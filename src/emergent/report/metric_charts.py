"""Charts of a metric of ensembles and members, against epoch and ensemble size."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from emergent.config.figure_kinds import MetricByEpoch, MetricByEpochAndData, MetricByEpochAndSize, MetricGain
from emergent.config.figure_options import EpochAndDataOptions, EpochOptions
from emergent.figures.arms import curve_looks
from emergent.figures.drawing import References, data_roles, metric_rows, nearest_size, published_table, select_data
from emergent.figures.facts import Inputs
from emergent.figures.metrics import metric_look, panel_title
from emergent.report.chart import Chart, Curve, Panel, Row, axis, chart, row, rows

EPOCH, SIZE = "Epoch", "Ensemble size"
ERRORS = "Bars: one standard error of the mean over disjoint ensembles. Bands: 25 to 75 % of the members."


class Chosen(NamedTuple):
    """What a figure shows of a table of a metric.

    Attributes:
        arms: names; none means all.
        data: a data set or a role; None for all.
        size: of ensembles.
        published_data: data set of published curves that name none.
        published_size: members of published ensembles that name none.
    """

    arms: tuple[str, ...]
    data: str | None
    size: int | None
    published_data: str | None
    published_size: int | None


def _chosen(entry: MetricByEpoch | MetricByEpochAndSize | MetricByEpochAndData) -> Chosen:
    options = entry.options
    if isinstance(options, EpochOptions):
        size = options.ensemble_size if isinstance(options.ensemble_size, int) else max(options.ensemble_size)
        return Chosen(options.arms, options.data, size, options.published_data, options.published_size)
    arms = () if options.arm is None else (options.arm,)
    if isinstance(options, EpochAndDataOptions):
        return Chosen(arms, None, options.ensemble_size, None, options.published_size)
    return Chosen(arms, options.data, None, None, None)


def by_epoch(
    inputs: Inputs, references: References, entry: MetricByEpoch | MetricByEpochAndSize | MetricByEpochAndData
) -> Chart | None:
    """Returns a panel per data set: ensembles and members of every arm, against epoch or ensemble size."""
    name, chosen = entry.options.table, _chosen(entry)
    table = metric_rows(inputs, entry.options, ("arm", "data", "epoch", "predictor", "ensemble_size", "mean"))
    if chosen.arms:
        table = table[table["arm"].isin(chosen.arms)]
    roles = data_roles(table)
    names = list(roles) if chosen.data is None else [select_data(table, chosen.data, name)]
    home = chosen.published_data
    home = home if home in names else next((data for data in names if roles[data] == "ood"), names[0])
    arms = inputs.arms_in(table)
    looks, look = curve_looks(inputs, arms), metric_look(entry.options.metric or name)
    ensembles = table[table["predictor"] == "ensemble"]
    published = published_table(references, name)
    panels = []
    for data in names:
        curves = []
        for arm in arms:
            own = table[(table["data"] == data) & (table["arm"] == arm.name)]
            color, word = looks[arm.name].color, looks[arm.name].word
            drawn, single = own[own["predictor"] == "ensemble"], own[own["predictor"] == "members"]
            curves.append(Curve(f"{word}, ensembles", color, "line", _rows(drawn, ("epoch", "ensemble_size"))))
            curves.append(Curve(f"{word}, members", color, "dashed", _rows(single, ("epoch", None), True), True))
            if look.best_is_order:
                curves.append(level("perfect symmetry", color, 2, float(own["order"].iloc[0])))
            theirs = _published_epochs(published, str(arm.group), data, home, chosen.published_size)
            curves.append(Curve(f"{word}, published", color, "published", theirs))
        title = panel_title(inputs.data_name(data), roles[data])
        panels.append(Panel(title, plain(look.axis), False, tuple(curves)))
    size = nearest_size(ensembles, chosen.size or int(ensembles["ensemble_size"].max()))
    axes = [axis(EPOCH, table["epoch"]), axis(SIZE, ensembles["ensemble_size"], size, log=True)]
    return chart(axes, panels, ERRORS)


def plain(label: str) -> str:
    """Returns the label of an axis on one line."""
    return label.replace("\n", " ")


def level(label: str, color: str, num_axes: int, value: float) -> Curve:
    """Returns a dotted line at one height."""
    return Curve(label, color, "dotted", ((*[None] * num_axes, value, None, None),))


def _published_epochs(
    published: pd.DataFrame, group: str, data: str, home: str, published_size: int | None
) -> tuple[Row, ...]:
    """Returns the published ensembles of one group on one data set; those that name none belong to ``home``."""
    if published.empty or not {"group", "predictor"} <= set(published):
        return ()
    own = published["data"].fillna(home) if "data" in published else pd.Series(home, index=published.index)
    mine = published[(published["group"] == group) & (published["predictor"] == "ensemble") & (own == data)]
    found = []
    for item in mine.to_dict("records"):
        size = item.get("ensemble_size", math.nan)
        size = float(published_size or math.nan) if math.isnan(size) else float(size)
        found.append(row((float(item["epoch"]), None if math.isnan(size) else size), float(item["mean"])))
    return rows(found)


def _rows(table: pd.DataFrame, at: Sequence[str | None], band: bool = False) -> tuple[Row, ...]:
    """Returns the rows of a curve with their standard errors, or with the quartiles of members."""
    found = []
    for item in table.to_dict("records"):
        place = [None if name is None else float(item[name]) for name in at]
        mean, error = float(item["mean"]), float(item.get("stderr", math.nan))
        ends = (float(item["low"]), float(item["high"])) if band else (mean - error, mean + error)
        found.append(row(place, mean, *ends))
    return rows(found)


def gain(inputs: Inputs, references: References, entry: MetricGain) -> Chart | None:
    """Returns a panel per data set: ensembles minus members, against epoch or ensemble size."""
    del references
    table = metric_rows(inputs, entry.options, ("arm", "data", "epoch", "predictor", "ensemble_size", "mean"))
    roles, arms = data_roles(table), inputs.arms_in(table)
    looks, look = curve_looks(inputs, arms), metric_look(entry.options.metric or entry.options.table)
    keys = ["arm", "data", "epoch"]
    members = table[table["predictor"] == "members"].set_index(keys)["mean"]
    ensembles = table[table["predictor"] == "ensemble"]
    base = members.reindex(pd.MultiIndex.from_frame(ensembles[keys])).to_numpy()
    error = ensembles.get("gain_stderr", math.nan)
    gains = ensembles.assign(mean=ensembles["mean"] - base, stderr=error)
    gains = gains[gains["epoch"] > 0]
    panels = [
        Panel(panel_title(inputs.data_name(data), role), f"{look.word}, ensemble − members", False, tuple(
            Curve(looks[arm.name].word, looks[arm.name].color, "line",
                  _rows(gains[(gains["data"] == data) & (gains["arm"] == arm.name)], ("epoch", "ensemble_size")))
            for arm in arms
        ))
        for data, role in roles.items()
    ]  # fmt: skip
    axes = [axis(EPOCH, gains["epoch"]),
            axis(SIZE, gains["ensemble_size"], nearest_size(gains, entry.options.ensemble_size), log=True)]  # fmt: skip
    return chart(axes, panels, "Bars: one standard error of the difference. Before training nothing is shown.")
