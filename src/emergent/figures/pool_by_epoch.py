"""F2: orbit same prediction and orbit divergence of the whole pool against epoch, with the band of its members.

Input: summary table ``pool``. arXiv:2410.01452, image experiment under C4.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from emergent.config.figures import DivergenceFigure
from emergent.figures import style
from emergent.figures.divergence import (
    FACTORS,
    METRICS,
    POOL_COLUMNS,
    WORDS,
    arm_style,
    arms_of,
    for_role,
    legend_handles,
    log_values,
    metric_panels,
    panel_title,
    primary_sets,
    scale_divergence,
)
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    listed,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)


def draw(tables: Tables, references: References, entry: DivergenceFigure) -> Drawing:
    """Returns both metrics (rows) in and out of distribution (columns); the band belongs to OSP only.

    Args:
        tables: holds ``pool``.
        references: published values; series of quantities ``initial_osp`` and ``pool_divergence``.
        entry: titles and options.

    Raises:
        DataError: the table, or the rows of a metric, are missing.
    """
    table = scale_divergence(require_table(tables, "pool", POOL_COLUMNS), entry.options.divergence)
    published = _published(references).assign(mean=lambda t: t["mean"] * t["metric"].map(
        {"osp": 1.0, "divergence": FACTORS[entry.options.divergence]}))  # fmt: skip
    sets, arms = primary_sets(table), arms_of(table)
    figure, grid = metric_panels(entry.width, len(sets), entry.options.divergence, "Epoch")
    for column, (role, data) in enumerate(sets.items()):
        for axes, metric in zip(grid[:, column], METRICS, strict=True):
            rows = require_rows(table, "pool", metric=metric, data=data)
            for arm in arms:
                _draw_arm(axes, arm, rows[rows["arm"] == arm], band=metric == "osp")
                theirs = for_role(published, role, metric=metric, arm=arm)
                style.published(axes, theirs["epoch"], theirs["mean"], arm_style(arm).marker)
            if metric == "osp":
                initial = published[published["arm"].isna()]
                style.published(axes, initial["epoch"], initial["mean"], "v")
                axes.set_ylim(0.9, int(rows["order"].max()) * 1.03)
        grid[0, column].set_title(panel_title(data, role))
        log_values(grid[1, column])
        grid[1, column].xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = [*legend_handles(arms), Patch(color="#888888", alpha=0.4, label="95 % of the members")]
    if len(published):
        handles.append(style.published_handle("v"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.4)
    members = table[table["predictor"] == "members"]
    facts = {
        "data": listed([style.data_name(data) for data in sets.values()]),
        "groups": listed(list(dict.fromkeys(table["group"]))),
        "num_members": span([int(num) for num in members["num"]]),
        "divergence": WORDS[entry.options.divergence],
    }
    ours = table[table["data"].isin(list(sets.values())) & table["metric"].isin(METRICS)]
    return Drawing(figure, stack(ours, published), facts)


def _published(references: References) -> pd.DataFrame:
    parts = [published_table(references, "initial_osp").assign(metric="osp"),
             published_table(references, "pool_divergence").assign(metric="divergence")]  # fmt: skip
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in ("metric", "arm", "role", "epoch")})
    return pd.concat([empty.assign(mean=pd.Series(dtype=float)), *(part for part in parts if len(part))])


def _draw_arm(axes: Axes, arm: str, rows: pd.DataFrame, band: bool) -> None:
    look, rows = arm_style(arm), rows.sort_values("epoch")
    pool, members = rows[rows["predictor"] == "pool"], rows[rows["predictor"] == "members"]
    if band:
        axes.fill_between(members["epoch"], members["low"], members["high"], color=look.color, alpha=0.16, linewidth=0)
    axes.plot(pool["epoch"], pool["mean"], color=look.color, linestyle=look.line, marker=look.marker, markersize=2.6)
