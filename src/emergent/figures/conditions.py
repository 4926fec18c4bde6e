"""Training time and background under C16: the invariance of disjoint pools at each epoch, by fill and interpolation.

Input: summary table ``disjoint`` of the nearest and of the bilinear experiment. Columns: each experiment tested as it
was trained, and with another background, another interpolation, or both. arXiv:2410.01452 publishes one number per arm
(F5, F6); it is drawn as a level, so that the epoch and conditions at which it is met can be read off.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from emergent.config.figure_options import DivergenceScale, FillTableOptions
from emergent.config.figures import FillFigure
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.divergence import (
    METRICS,
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
    nearest_size,
    require_rows,
    require_table,
    span,
    stack,
)

COLUMNS = ("experiment", "arm", "data", "epoch", "ensemble_size", "metric", "mean", "std", "num")
CONDITIONS = {
    "": "as trained",
    "_other_fill": "other fill",
    "_other_rotation": "other rotation",
    "_other": "both other",
}
"""Endings of the names of test sets, and how these differ from the training set."""

LABEL_DISTANCE = 1.09
"""Ratio of two published levels from which on each gets a label of its own."""


def draw(tables: Tables, references: References, entry: FillFigure) -> Drawing:
    """Returns both metrics (rows) for each experiment and condition of testing (columns), bars of one standard error.

    Args:
        tables: holds ``disjoint`` with a column ``experiment``.
        references: published values by experiment; series of quantities ``osp`` and ``divergence``.
        entry: titles and options.

    Raises:
        DataError: the table, an experiment, or its test sets under other conditions are missing.
    """
    options = entry.options
    table, size = disjoint_of_size(tables, options)
    published = published_of_size(references, entry.experiments, options.divergence, size)
    published = for_role(published, options.role)
    arms = arms_of(table)
    panels = [
        (experiment, condition, name)
        for experiment in entry.experiments
        for condition, name in tested_sets(table, options.role, experiment).items()
    ]
    figure, grid = metric_panels(entry.width, len(panels), options.divergence, "Epoch", share_rows=True)
    shown, names = [], []
    for column, (experiment, condition, name) in zip(grid.T, panels, strict=True):
        own = require_rows(table, "disjoint", experiment=experiment)
        trained = condition == CONDITIONS[""]
        names += [name] if trained else []
        # Under other conditions the levels of both figures are candidates for what was really measured.
        theirs = for_role(published, options.role, experiment=experiment) if trained else published
        for axes, metric in zip(column, METRICS, strict=True):
            rows = require_rows(own, "disjoint", data=name, metric=metric)
            for arm in arms:
                _draw_arm(axes, arm, rows[rows["arm"] == arm])
            _draw_levels(axes, theirs[theirs["metric"] == metric])
            shown.append(rows)
        column[0].set_title(f"{rotation(experiment)},\n{condition}")
        column[1].xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
    drawn = pd.concat(shown, ignore_index=True)
    log_values(grid[1, 0])
    handles = legend_handles(arms)
    if len(published):
        handles.append(Line2D([], [], color=style.PUBLISHED_COLOR, linewidth=0.9, label=style.PUBLISHED_LABEL))
    figure.suptitle(panel_title(names[0], options.role), fontsize=style.RC["axes.titlesize"])
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    facts = {
        "data": listed([style.data_name(name) for name in dict.fromkeys(names)]),
        "ensemble_size": str(size),
        "num_ensembles": span([int(num) for num in drawn["num"]]),
        "divergence": WORDS[options.divergence],
    }
    return Drawing(figure, stack(drawn, published), facts)


def disjoint_of_size(tables: Tables, options: FillTableOptions) -> tuple[pd.DataFrame, int]:
    """Returns the disjoint ensembles of the size asked for, or the nearest smaller one, on the scale shown; and it."""
    table = require_table(tables, "disjoint", COLUMNS)
    size = nearest_size(table, options.ensemble_size)
    return scale_divergence(require_rows(table, "disjoint", ensemble_size=size), options.divergence), size


def published_of_size(
    references: References, experiments: tuple[str, ...], scale: DivergenceScale, size: int
) -> pd.DataFrame:
    """Returns the published points of one ensemble size, with a column ``experiment``, on the scale shown."""
    parts = [published_points({name: references[name]}).assign(experiment=name)
             for name in experiments if name in references]  # fmt: skip
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=str) for name in ("metric", "experiment")})
    published = pd.concat(parts, ignore_index=True)
    return scale_divergence(published[(published["ensemble_size"] == size) & published["mean"].notna()], scale)


def tested_sets(table: pd.DataFrame, role: str, experiment: str) -> dict[str, str]:
    """Returns condition (a word of ``CONDITIONS``) to test set, for one experiment and role; as trained comes first.

    Raises:
        DataError: there is no such set, or none with another condition.
    """
    own = require_rows(table, "disjoint", experiment=experiment)
    found, trained = set(own["data"]), primary_sets(own).get(role)
    sets = {word: f"{trained}{ending}" for ending, word in CONDITIONS.items() if f"{trained}{ending}" in found}
    if len(sets) < 2:
        endings = ", ".join(list(CONDITIONS)[1:])
        raise DataError(
            f"summary table 'disjoint' of {experiment} needs a data set of role {role!r} and the same under another "
            f"condition (ending in one of {endings}); found there: {', '.join(dict.fromkeys(own['data']))}."
        )
    return sets


def rotation(experiment: str) -> str:
    """Returns the interpolation in training, which is the last word of the experiment's name."""
    return experiment.rsplit("_", 1)[-1]


def _draw_arm(axes: Axes, arm: str, rows: pd.DataFrame) -> None:
    look, rows = arm_style(arm), rows.sort_values("epoch")
    error = np.where(rows["num"] > 1, rows["std"] / np.sqrt(rows["num"]), np.nan)
    axes.errorbar(rows["epoch"], rows["mean"], yerr=error, color=look.color, linestyle=look.line, marker=look.marker,
                  markersize=2.4, linewidth=1.0, elinewidth=0.8, capsize=0)  # fmt: skip


def _draw_levels(axes: Axes, published: pd.DataFrame) -> None:
    """Draws published values as grey bands, with the figure and the arms that they belong to inside the right end."""
    levels = published.sort_values("mean").to_dict("records") if len(published) else []
    for row in levels:
        axes.axhspan(row["mean"] - row["uncertainty"], row["mean"] + row["uncertainty"], color=style.PUBLISHED_COLOR,
                     alpha=0.12, linewidth=0)  # fmt: skip
        axes.axhline(row["mean"], color=style.PUBLISHED_COLOR, linestyle=arm_style(str(row["arm"])).line, linewidth=0.9,
                     zorder=1.6)  # fmt: skip
    groups: list[list[dict[str, Any]]] = []
    for row in levels:
        # One label for levels that are too close to be labelled one by one.
        near = groups and row["mean"] < groups[-1][0]["mean"] * LABEL_DISTANCE
        groups[-1].append(row) if near else groups.append([row])
    for group in groups:
        words = []
        for figure in dict.fromkeys(row["figure"] for row in group):
            arms = [arm_style(str(row["arm"])).short for row in group if row["figure"] == figure]
            words.append(f"{figure} {', '.join(arms)}")
        box = {"facecolor": "white", "alpha": 0.65, "pad": 0.3, "linewidth": 0}
        text = axes.text(0.99, group[-1]["mean"], "\n".join(words), color="#333333", fontsize=5.5, ha="right", bbox=box,
                         va="bottom", transform=axes.get_yaxis_transform(), zorder=5, linespacing=1.0)  # fmt: skip
        # Panels do not make room for it.
        text.set_in_layout(False)
