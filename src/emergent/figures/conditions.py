"""Training time and conditions of testing: the symmetry of disjoint pools at each epoch, by experiment and condition.

Input: summary table ``disjoint`` of some experiments. Columns: each experiment tested as it was trained, and under the
other conditions of testing that its evaluation sets name. arXiv:2410.01452 publishes one number per arm, drawn as a
level, so that the epoch and conditions at which it is met can be read off.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from emergent.config.figure_kinds import Conditions
from emergent.config.figure_options import ConditionTableOptions, DivergenceScale
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks, legend_handles
from emergent.figures.drawing import (
    Drawing,
    References,
    nearest_size,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Facts, Inputs
from emergent.figures.metrics import (
    SYMMETRY,
    WORDS,
    axis_label,
    for_role,
    log_values,
    metric_panels,
    panel_title,
    published_points,
    scale_divergence,
)
from emergent.statistics.estimate import mean_error

COLUMNS = ("experiment", "arm", "data", "epoch", "ensemble_size", "metric", "mean", "std", "num")
AS_TRAINED = "as trained"
MARGIN = 0.62
"""Width of the margin for the markers of published levels, in widths of the part of a panel that has curves."""
GAP = 1.1
"""Where the margin starts, in the same units: curves end at 1."""
HEAD = 0.09
"""Height for the names of published figures, in heights of a panel."""


def draw(inputs: Inputs, references: References, entry: Conditions) -> Drawing:
    """Returns both metrics (rows) for each experiment and condition of testing (columns), bars of one standard error.

    Args:
        inputs: holds ``disjoint`` with a column ``experiment``.
        references: published values by experiment; series of quantities ``osp`` and ``divergence``.
        entry: titles and options.

    Raises:
        DataError: the table, an experiment, or its test sets under other conditions are missing.
    """
    options = entry.options
    table, size = disjoint_of_size(inputs, options)
    looks = arm_looks(inputs)
    arms = [arm.name for arm in inputs.arms_in(table)]
    published = published_of_size(references, entry.experiments, options.divergence, size)
    published = for_role(published, options.role)
    published = published[published["arm"].isin(arms)] if len(published) else published
    panels = [
        (facts, condition, name)
        for facts in map(inputs.experiment, entry.experiments)
        for condition, name in tested_sets(table, options.role, facts).items()
    ]
    labels = [axis_label(metric, options.divergence) for metric in SYMMETRY]
    figure, grid = metric_panels(entry.width, labels, len(panels), "Epoch", share_rows=True)
    levels, last, shown = _Levels(published, looks), int(table["epoch"].max()), []
    for column, (facts, condition, name) in zip(grid.T, panels, strict=True):
        # Under other conditions the levels of all experiments are candidates for what was really measured.
        theirs = for_role(published, options.role, experiment=facts.experiment)
        theirs = theirs if condition == AS_TRAINED else published
        for axes, metric in zip(column, SYMMETRY, strict=True):
            rows = require_rows(table, "disjoint", experiment=facts.experiment, data=name, metric=metric)
            for arm in arms:
                _draw_arm(axes, looks[arm], rows[rows["arm"] == arm])
            levels.draw(axes, theirs[theirs["metric"] == metric], last)
            shown.append(rows)
        column[0].set_title(f"{trained_with(facts)},\n{condition}")
        column[1].xaxis.set_major_locator(FixedLocator([0, last // 2, last] if last > 3 else range(last + 1)))
    drawn = pd.concat(shown, ignore_index=True)
    log_values(grid[1, 0])
    if len(published):
        for axes in grid[:, 0]:
            _make_room_above(axes)
    handles = legend_handles([looks[arm] for arm in arms])
    if len(published):
        label = f"published, ensembles of {size} (markers as ours)"
        handles.append(Line2D([], [], color=style.PUBLISHED_COLOR, linewidth=0.9, marker="o", markerfacecolor="none",
                              markersize=3.5, label=label))  # fmt: skip
    names = list(dict.fromkeys(name for _, condition, name in panels if condition == AS_TRAINED))
    title = panel_title(inputs.data_names(names), options.role)
    figure.suptitle(title, fontsize=style.RC["axes.titlesize"])
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    words = {
        "data": inputs.data_names(names),
        "ensemble_size": str(size),
        "num_ensembles": span([int(num) for num in drawn["num"]]),
        "divergence": WORDS[options.divergence],
    }
    return Drawing(figure, stack(drawn, published), words)


def disjoint_of_size(inputs: Inputs, options: ConditionTableOptions) -> tuple[pd.DataFrame, int]:
    """Returns the disjoint ensembles of the size asked for, or the nearest smaller one, on the scale shown; and it."""
    table = require_table(inputs, "disjoint", COLUMNS)
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


def tested_sets(table: pd.DataFrame, role: str, facts: Facts) -> dict[str, str]:
    """Returns condition of testing to test set, for one experiment and role; as trained comes first.

    Raises:
        DataError: there is no such set, or none under another condition.
    """
    own = require_rows(table, "disjoint", experiment=facts.experiment)
    found = set(own["data"])
    known = [data for data in facts.data if data.role == role and data.name in found]
    trained = next((data.name for data in known if data.condition_of is None and data.primary), None)
    sets = {AS_TRAINED: trained} if trained else {}
    sets |= {data.condition or data.name: data.name for data in known if trained and data.condition_of == trained}
    if len(sets) < 2:
        raise DataError(
            f"summary table 'disjoint' of {facts.experiment} needs a data set of role {role!r} and the same under "
            f"another condition (a set with condition_of); found there: {', '.join(dict.fromkeys(own['data']))}."
        )
    return sets


def trained_with(facts: Facts) -> str:
    """Returns the interpolation of the rotations in training, or the experiment's label if arms differ in it."""
    kinds = {arm.interpolation for arm in facts.arms}
    return str(*kinds) if len(kinds) == 1 and None not in kinds else facts.label


def _draw_arm(axes: Axes, look: ArmLook, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("epoch")
    axes.errorbar(rows["epoch"], rows["mean"], yerr=mean_errors(rows), color=look.color, linestyle=look.line,
                  marker=look.marker, markersize=2.4, linewidth=1.0, elinewidth=0.8, capsize=0)  # fmt: skip


def mean_errors(rows: pd.DataFrame) -> np.ndarray:
    """Returns the standard errors of means over disjoint ensembles and images; NaN for one ensemble."""
    # Summaries that were made before the images' part was known do not have it.
    return mean_error(rows["std"], rows["num"], rows.get("image_stderr", 0.0))


def _make_room_above(axes: Axes) -> None:
    """Lifts the upper end of an axis, so that the names of figures stand above all levels."""
    to_axes = axes.transScale + axes.transLimits
    lifted = to_axes.inverted().transform((0.0, 1.0 + HEAD))[1]
    axes.set_ylim(top=float(lifted))


class _Levels:
    """Published values as grey bands, with the arm's marker in a margin to the right that curves do not reach.

    In the margin each published figure has a column, headed by its name, and in it each arm a place.
    """

    def __init__(self, published: pd.DataFrame, looks: dict[str, ArmLook]) -> None:
        self.looks = looks
        self.figures = sorted(set(published["figure"])) if len(published) else []
        self.arms = [arm for arm in looks if len(published) and arm in set(published["arm"])]

    def draw(self, axes: Axes, published: pd.DataFrame, last: int) -> None:
        """Draws the levels of one panel, whose curves end at epoch ``last``."""
        if not self.figures:
            return
        axes.set_xlim(-0.06 * last, (GAP + MARGIN) * last)
        for row in published.to_dict("records"):
            look = self.looks[str(row["arm"])]
            if row["uncertainty"] > 0:
                axes.axhspan(row["mean"] - row["uncertainty"], row["mean"] + row["uncertainty"],
                             color=style.PUBLISHED_COLOR, alpha=0.12, linewidth=0)  # fmt: skip
            axes.axhline(row["mean"], color=style.PUBLISHED_COLOR, linestyle=look.line, linewidth=0.7, zorder=1.6)
            place = last * (GAP + MARGIN * self._place(str(row["figure"]), self.arms.index(str(row["arm"]))))
            axes.plot([place], [row["mean"]], linestyle="none", marker=look.marker, markersize=2.9,
                      markerfacecolor="white", markeredgecolor=style.PUBLISHED_COLOR, markeredgewidth=0.7)  # fmt: skip
        for figure in sorted(set(published["figure"])) if len(published) else ():
            middle = float(np.mean([self._place(figure, index) for index in range(len(self.arms))]))
            axes.text(last * (GAP + MARGIN * middle), 0.995, figure, fontsize=6, ha="center", va="top",
                      color=style.PUBLISHED_COLOR, transform=axes.get_xaxis_transform())  # fmt: skip

    def _place(self, figure: str, arm_index: int) -> float:
        """Returns where in the margin (0 to 1) the marker of one figure and arm stands."""
        slots = len(self.arms) + 0.8
        return (self.figures.index(figure) * slots + arm_index + 0.9) / (len(self.figures) * slots)
