"""F3 to F6: orbit same prediction and orbit divergence against ensemble size, beside the published points.

Input: summary tables ``ensembles``, ``pool`` and ``quantities``. arXiv:2410.01452, image experiments under C4 and C16.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from emergent.config.figures import DivergenceFigure
from emergent.figures import style
from emergent.figures.divergence import (
    ENSEMBLE_COLUMNS,
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
    published_points,
    scale_divergence,
)
from emergent.figures.drawing import (
    Drawing,
    References,
    Tables,
    listed,
    nearest_epoch,
    require_rows,
    require_table,
    span,
    stack,
)

QUANTITY_COLUMNS = ("name", "value", "stderr", "description")
DRAWN = "drawn with replacement, with bars of one standard deviation, without the noise of the pool itself,"
DISJOINT = (
    "disjoint because members drawn twice would count in a pool smaller than the published one, with bars of one "
    "standard error"
)


def draw(tables: Tables, references: References, entry: DivergenceFigure) -> Drawing:
    """Returns both metrics (rows) in and out of distribution (columns).

    Ensembles are drawn with replacement and have bars of one standard deviation, as published; those of a pool that is
    too small for that are disjoint and have bars of one standard error.

    Args:
        tables: holds ``ensembles``, ``pool`` and ``quantities``.
        references: published values; series of quantities ``osp`` and ``divergence``.
        entry: titles and options.

    Raises:
        DataError: a table, or the rows of a metric, are missing.
    """
    table = require_table(tables, "ensembles", ENSEMBLE_COLUMNS)
    pool = require_rows(require_table(tables, "pool", POOL_COLUMNS), "pool", predictor="members")
    epoch = nearest_epoch(table, "last")
    chosen, small = _without_replacement(
        require_rows(table, "ensembles", epoch=epoch), require_table(tables, "quantities", QUANTITY_COLUMNS)
    )
    chosen = scale_divergence(chosen, entry.options.divergence)
    published = scale_divergence(published_points(references), entry.options.divergence)
    sets, arms = primary_sets(chosen), arms_of(chosen)
    figure, grid = metric_panels(entry.width, len(sets), entry.options.divergence, "Ensemble members")
    for column, (role, data) in enumerate(sets.items()):
        for axes, metric in zip(grid[:, column], METRICS, strict=True):
            rows = require_rows(chosen, "ensembles", metric=metric, data=data)
            for arm in arms:
                _draw_arm(axes, arm, rows[rows["arm"] == arm], for_role(published, role, metric=metric, arm=arm))
        grid[0, column].set_title(panel_title(data, role))
        log_values(grid[1, column])
    known = published["ensemble_size"].to_list() if len(published) else []
    style.log_axis(grid[1, 0], sorted({int(size) for size in [*chosen["ensemble_size"], *known]}))
    handles = legend_handles(arms)
    if len(published):
        handles.append(style.published_handle())
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "epoch": str(epoch),
        "data": listed([style.data_name(data) for data in sets.values()]),
        "groups": listed(list(dict.fromkeys(chosen["group"]))),
        "num_members": span([int(num) for num in pool["num"]]),
        "ensembles": DISJOINT if small else f"{DRAWN} over {span([int(num) for num in chosen['num']])} draws",
        "divergence": WORDS[entry.options.divergence],
    }
    ours = chosen[chosen["data"].isin(list(sets.values())) & chosen["metric"].isin(METRICS)]
    return Drawing(figure, stack(ours, published), facts)


def _without_replacement(rows: pd.DataFrame, quantities: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Returns the rows with means and errors of disjoint ensembles, where claims use these, and whether they do.

    Members drawn twice make ensembles of a small pool less invariant than the published ones are.
    """
    known = quantities.set_index("name")
    names = [f"{row.metric}/{row.arm}/{row.data}/{row.ensemble_size}" for row in rows.itertuples()]
    found = known.reindex(names)
    small = found["description"].fillna("").str.endswith("without replacement").to_numpy()
    means, errors = (found[name].to_numpy(float) for name in ("value", "stderr"))
    return rows.assign(
        mean=np.where(small, means, rows["mean"]), std=np.where(small, np.nan_to_num(errors), rows["std"])
    ), bool(small.any())


def _draw_arm(axes: Axes, arm: str, rows: pd.DataFrame, published: pd.DataFrame) -> None:
    look, rows = arm_style(arm), rows.sort_values("ensemble_size")
    axes.errorbar(rows["ensemble_size"], rows["mean"], yerr=rows["std"], color=look.color, linestyle=look.line,
                  marker=look.marker, markersize=2.6, linewidth=1.1, elinewidth=0.8, capsize=0)  # fmt: skip
    if len(published):
        axes.errorbar(published["ensemble_size"], published["mean"], yerr=published["spread"].fillna(0.0),
                      linestyle="none", color=style.PUBLISHED_COLOR, elinewidth=0.6, capsize=0, zorder=3.9)  # fmt: skip
        style.published(axes, published["ensemble_size"], published["mean"], look.marker)
