"""F3 to F6: orbit same prediction and orbit divergence against ensemble size, beside the published points.

Input: summary tables ``ensembles`` and ``pool``. arXiv:2410.01452, image experiments under C4 and C16.
"""

import pandas as pd
from matplotlib.axes import Axes

from emergent.config.figures import DivergenceFigure
from emergent.figures import style
from emergent.figures.divergence_style import (
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


def draw(tables: Tables, references: References, entry: DivergenceFigure) -> Drawing:
    """Returns both metrics (rows) in and out of distribution (columns), bars of one std over bootstraps.

    Args:
        tables: holds ``ensembles`` and ``pool``.
        references: published values; series of quantities ``osp`` and ``divergence``.
        entry: titles and options.

    Raises:
        DataError: a table, or the rows of a metric, are missing.
    """
    table = require_table(tables, "ensembles", ENSEMBLE_COLUMNS)
    pool = require_rows(require_table(tables, "pool", POOL_COLUMNS), "pool", predictor="members")
    epoch = nearest_epoch(table, "last")
    chosen = scale_divergence(require_rows(table, "ensembles", epoch=epoch), entry.options.divergence)
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
        "num_ensembles": span([int(num) for num in chosen["num"]]),
        "divergence": WORDS[entry.options.divergence],
    }
    ours = chosen[chosen["data"].isin(list(sets.values())) & chosen["metric"].isin(METRICS)]
    return Drawing(figure, stack(ours, published), facts)


def _draw_arm(axes: Axes, arm: str, rows: pd.DataFrame, published: pd.DataFrame) -> None:
    look, rows = arm_style(arm), rows.sort_values("ensemble_size")
    axes.errorbar(rows["ensemble_size"], rows["mean"], yerr=rows["std"], color=look.color, linestyle=look.line,
                  marker=look.marker, markersize=2.6, linewidth=1.1, elinewidth=0.8, capsize=0)  # fmt: skip
    if len(published):
        axes.errorbar(published["ensemble_size"], published["mean"], yerr=published["spread"].fillna(0.0),
                      linestyle="none", color=style.PUBLISHED_COLOR, elinewidth=0.6, capsize=0, zorder=3.9)  # fmt: skip
        style.published(axes, published["ensemble_size"], published["mean"], look.marker)
