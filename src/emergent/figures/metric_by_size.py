"""Metrics of ensembles against ensemble size, in and out of distribution, beside published points.

Input: summary tables ``ensembles`` and ``quantities``. arXiv:2410.01452 shows orbit same prediction and orbit
divergence in this form.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.figure_kinds import MetricBySize
from emergent.config.figure_options import SizeOptions
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks, legend_handles
from emergent.figures.drawing import (
    Drawing,
    References,
    listed,
    nearest_epoch,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metrics import (
    WORDS,
    axis_label,
    for_role,
    log_values,
    metric_look,
    metric_panels,
    panel_title,
    primary_sets,
    published_points,
    scale_divergence,
)

COLUMNS = ("arm", "data", "epoch", "ensemble_size", "metric", "mean", "std", "num")
QUANTITY_COLUMNS = ("name", "value", "stderr", "estimator")
MATCHED = "matched ensembles"
"""What the column ``estimator`` says of a value from a pool that is smaller than the published one."""
DRAWN = "drawn with replacement, with bars of one standard deviation, without the noise of the pool itself,"
AS_PUBLISHED = (
    "as noisy as if drawn with replacement from the published pool (between disjoint ones and those drawn from ours), "
    "with bars of one standard error"
)
FACES = ("none", "#cfcfcf", style.PUBLISHED_COLOR)
"""Fillings that tell published figures apart."""


def draw(inputs: Inputs, references: References, entry: MetricBySize) -> Drawing:
    """Returns the metrics (rows) in and out of distribution (columns).

    Ensembles are drawn with replacement and have bars of one standard deviation, as published; those of a pool that is
    smaller than the published one are freed of what drawing from it adds, and have bars of one standard error.

    Args:
        inputs: holds ``ensembles`` and ``quantities``.
        references: published values; series of quantities named as the metrics.
        entry: titles and options.

    Raises:
        DataError: a table, or the rows of a metric or an arm, are missing.
    """
    options = entry.options
    chosen, sets, small = shown_rows(inputs, options)
    published = published_points(references, options.metrics)
    published = scale_divergence(published, options.divergence) if len(published) else published
    looks, arms = arm_looks(inputs), [arm.name for arm in inputs.arms_in(chosen)]
    faces = _faces(published)
    labels = [options.labels.get(metric) or axis_label(metric, options.divergence) for metric in options.metrics]
    figure, grid = metric_panels(entry.width, labels, len(sets), "Ensemble members")
    for column, (role, data) in enumerate(sets.items()):
        for axes, metric in zip(grid[:, column], options.metrics, strict=True):
            rows = require_rows(chosen, "ensembles", metric=metric, data=data)
            for arm in arms:
                _draw_arm(axes, looks[arm], rows[rows["arm"] == arm])
                _draw_published(axes, looks[arm], for_role(published, role, metric=metric, arm=arm), faces)
            if metric_look(metric).log:
                log_values(axes)
        grid[0, column].set_title(panel_title(inputs.data_name(data), role))
    known = published["ensemble_size"].to_list() if len(published) else []
    style.log_axis(grid[-1, 0], sorted({int(size) for size in [*chosen["ensemble_size"], *known]}))
    handles = legend_handles([looks[arm] for arm in arms])
    for figure_name, face in faces.items():
        handles.append(_published_handle(figure_name, face, options.published_members))
    pool = span([known.num_members for known in inputs.facts])
    title = f"ours: pool of {pool}, drawn with replacement{' as if from the published one' if small else ''}"
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3), title=title)
    facts = {
        "epoch": str(int(chosen["epoch"].iloc[0])),
        "data": inputs.data_names(list(sets.values())),
        "arms": listed([looks[arm].word for arm in arms]),
        "groups": listed(list(dict.fromkeys(arm.group for arm in inputs.arms_in(chosen)))),
        "num_members": pool,
        "num_ensembles": span([int(num) for num in chosen["num"]]),
        "ensemble_sizes": listed(sorted({int(size) for size in chosen["ensemble_size"]})),
        "ensembles": AS_PUBLISHED if small else f"{DRAWN} over {span([int(num) for num in chosen['num']])} draws",
        "divergence": WORDS[options.divergence],
    }
    return Drawing(figure, stack(chosen, published), facts)


def shown_rows(inputs: Inputs, options: SizeOptions) -> tuple[pd.DataFrame, dict[str, str], bool]:
    """Returns the rows that are drawn, with means and bars as drawn, the data sets, and whether ensembles are matched.

    Raises:
        DataError: a table, or the rows of an arm, are missing.
    """
    chosen, sets = rows_at_last_epoch(inputs, options.metrics, options.arms)
    chosen, small = _as_published(chosen, require_table(inputs, "quantities", QUANTITY_COLUMNS))
    return scale_divergence(chosen, options.divergence), sets, small


def rows_at_last_epoch(
    inputs: Inputs, metrics: tuple[str, ...], arms: tuple[str, ...]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Returns the rows of ``ensembles`` after training for some metrics and arms (none means all), and the data sets.

    Data sets are the primary ones in and out of distribution, by role.

    Raises:
        DataError: the table, or the rows of an arm, are missing.
    """
    table = require_table(inputs, "ensembles", COLUMNS)
    table = require_rows(table, "ensembles", epoch=nearest_epoch(table, "last"))
    sets = primary_sets(table)
    for arm in arms:
        require_rows(table, "ensembles", arm=arm)
    kept = table["data"].isin(list(sets.values())) & table["metric"].isin(metrics)
    return table[kept & table["arm"].isin(arms or set(table["arm"]))], sets


def _as_published(rows: pd.DataFrame, quantities: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Returns the rows with means and errors of matched ensembles, where claims use these, and whether they do.

    Members drawn twice make ensembles of a small pool less invariant than the published ones are.
    """
    known = quantities.set_index("name")
    names = [f"{row.metric}/{row.arm}/{row.data}/{row.ensemble_size}" for row in rows.itertuples()]
    found = known.reindex(names)
    small = (found["estimator"] == MATCHED).to_numpy()
    means, errors = (found[name].to_numpy(float) for name in ("value", "stderr"))
    return rows.assign(mean=np.where(small, means, rows["mean"]), std=np.where(small, errors, rows["std"])), bool(
        small.any()
    )


def _faces(published: pd.DataFrame) -> dict[str, str]:
    """Returns the filling of the markers of each published figure, the one with most points first."""
    names = published["figure"].value_counts().index if len(published) and "figure" in published else []
    return dict(zip((str(name) for name in names), FACES, strict=False))


def _draw_arm(axes: Axes, look: ArmLook, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("ensemble_size")
    axes.errorbar(rows["ensemble_size"], rows["mean"], yerr=rows["std"], color=look.color, linestyle=look.line,
                  marker=look.marker, markersize=2.6, linewidth=1.1, elinewidth=0.8, capsize=0)  # fmt: skip


def _draw_published(axes: Axes, look: ArmLook, rows: pd.DataFrame, faces: dict[str, str]) -> None:
    for name, part in rows.groupby("figure") if len(rows) else ():
        known = part[part["spread"].notna()]
        if len(known):
            axes.errorbar(known["ensemble_size"], known["mean"], yerr=known["spread"], linestyle="none",
                          color=style.PUBLISHED_COLOR, elinewidth=0.6, capsize=0, zorder=3.9)  # fmt: skip
        style.published(axes, part["ensemble_size"], part["mean"], look.marker, faces[str(name)])


def _published_handle(figure: str, face: str, pool: int | None) -> Line2D:
    detail = f" in {figure}" + (f", pool of {pool}" if pool else "")
    return style.published_handle(detail=detail, face=face)
