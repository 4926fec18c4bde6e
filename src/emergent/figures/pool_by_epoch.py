"""Metrics of the ensemble of all members against epoch, with the band of its members.

Input: summary table ``pool``. arXiv:2410.01452, image experiment under C4.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_kinds import PoolByEpoch
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import (
    FACTORS,
    SYMMETRY,
    WORDS,
    axis_label,
    for_role,
    log_values,
    metric_panels,
    panel_title,
    primary_sets,
    scale_divergence,
)

COLUMNS = ("arm", "group", "order", "data", "epoch", "predictor", "metric", "mean", "low", "high", "num")


def draw(inputs: Inputs, references: References, entry: PoolByEpoch) -> Drawing:
    """Returns both metrics (rows) in and out of distribution (columns); the band belongs to OSP only.

    Args:
        inputs: holds ``pool``.
        references: published values; series of quantities ``initial_osp`` and ``pool_divergence``.
        entry: titles and options.

    Raises:
        DataError: the table, or the rows of a metric, are missing.
    """
    options = entry.options
    table = scale_divergence(require_table(inputs, "pool", COLUMNS), options.divergence)
    published = _published(references, FACTORS[options.divergence])
    sets, looks = primary_sets(table), arm_looks(inputs)
    arms = [arm.name for arm in inputs.arms_in(table)]
    labels = [axis_label(metric, options.divergence) for metric in SYMMETRY]
    figure, grid = metric_panels(entry.width, labels, len(sets), "Epoch")
    for column, (role, data) in enumerate(sets.items()):
        for axes, metric in zip(grid[:, column], SYMMETRY, strict=True):
            rows = require_rows(table, "pool", metric=metric, data=data)
            for arm in arms:
                _draw_arm(axes, looks[arm], rows[rows["arm"] == arm], band=metric == "osp")
                theirs = for_role(published, role, metric=metric, arm=arm)
                style.published(axes, theirs["epoch"], theirs["mean"], looks[arm].marker)
            if metric == "osp":
                initial = published[published["arm"].isna()]
                style.published(axes, initial["epoch"], initial["mean"], "v")
                axes.set_ylim(0.9, int(rows["order"].max()) * 1.03)
        grid[0, column].set_title(panel_title(inputs.data_name(data), role))
        log_values(grid[1, column])
        grid[1, column].xaxis.set_major_locator(MaxNLocator(integer=True))
    members = table[table["predictor"] == "members"]
    num_members = span([int(num) for num in members["num"]])
    handles = _legend([looks[arm] for arm in arms], num_members)
    if len(published):
        pool = f", pool of {options.published_members}" if options.published_members else ""
        handles.append(style.published_handle("v", f"{pool}, shaped as ours"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.4)
    facts = {
        "data": inputs.data_names(list(sets.values())),
        "groups": listed(list(dict.fromkeys(table["group"]))),
        "num_members": num_members,
        "divergence": WORDS[options.divergence],
    }
    ours = table[table["data"].isin(list(sets.values())) & table["metric"].isin(SYMMETRY)]
    return Drawing(figure, stack(ours, published), facts)


def _published(references: References, factor: float) -> pd.DataFrame:
    parts = [published_table(references, "initial_osp").assign(metric="osp"),
             published_table(references, "pool_divergence").assign(metric="divergence")]  # fmt: skip
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in ("metric", "arm", "role", "epoch")})
    table = pd.concat([empty.assign(mean=pd.Series(dtype=float)), *(part for part in parts if len(part))])
    return table.assign(mean=table["mean"] * table["metric"].map({"osp": 1.0, "divergence": factor}))


def _draw_arm(axes: Axes, look: ArmLook, rows: pd.DataFrame, band: bool) -> None:
    rows = rows.sort_values("epoch")
    pool, members = rows[rows["predictor"] == "pool"], rows[rows["predictor"] == "members"]
    if band:
        axes.fill_between(members["epoch"], members["low"], members["high"], color=look.color, alpha=0.16, linewidth=0)
    axes.plot(pool["epoch"], pool["mean"], color=look.color, linestyle=look.line, marker=look.marker, markersize=2.6)


def _legend(looks: list[ArmLook], num_members: str) -> list[Line2D | Patch]:
    """Returns the legend, which says how many members our pool has: a published one beside it may be far larger."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker, markersize=3.5,
               label=f"{look.label}, pool of {num_members}")
        for look in looks
    ]  # fmt: skip
    handles.append(Patch(color="#888888", alpha=0.4, label="95 % of the members"))
    return handles
