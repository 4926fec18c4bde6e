"""Scores on rotated images against what networks and ensembles cost, and how long they take.

Input: summary tables ``scores``, ``costs`` and ``times``. arXiv:2202.03990 shows latency and training time.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from emergent.config.sphere_figures import ScoreByCost
from emergent.figures import style
from emergent.figures.arms import ArmLook, arm_looks, legend_handles
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs
from emergent.figures.score_by_copies import COLUMNS, LABELS, TITLES

COSTS = ("arm", "task", "num_parameters", "inference", "training")
TIMES = ("arm", "task", "training_seconds", "latency_seconds", "num")


def draw(inputs: Inputs, references: References, entry: ScoreByCost) -> Drawing:
    """Returns a row for each task: scores and changes of logits by multiplications, time for one image, for training.

    Args:
        inputs: holds the tables of one experiment.
        references: not used.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    scores, costs = require_table(inputs, "scores", COLUMNS), require_table(inputs, "costs", COSTS)
    times = require_table(inputs, "times", TIMES)
    looks = {name: look._replace(line="-") for name, look in arm_looks(inputs).items()}
    tasks = [task for task in TITLES if task in set(scores["task"])]
    figure = style.new_figure(entry.width, 0.4 + 2.4 * len(tasks))
    parts: Any = figure.subfigures(len(tasks), 1, squeeze=False)[:, 0]
    data: list[pd.DataFrame] = []
    for part, task in zip(parts, tasks, strict=True):
        panels: Any = part.subplots(1, 4, width_ratios=(1.3, 1.3, 0.8, 0.8))
        own = require_rows(scores, "scores", task=task).merge(
            costs[["arm", "inference", "training", "num_parameters"]], on="arm"
        )
        own = own[own["metric"].isin(("score", "moved"))]
        own = own.assign(multiplications=own["inference"] * own["ensemble_size"])
        arms = [arm for arm in looks if arm in set(own["arm"])]
        for panel, metric, title in ((panels[0], "score", TITLES[task]), (panels[1], "moved", "Equivariance")):
            for arm in arms:
                rows = own[(own["arm"] == arm) & (own["metric"] == metric)]
                _draw_arm(panel, rows.sort_values("ensemble_size"), looks[arm])
            panel.set(xscale="log", xlabel="Multiplications", ylabel=LABELS[task, metric], title=title)
            panel.xaxis.set_minor_formatter(NullFormatter())
        measured = times[times["task"] == task].set_index("arm").reindex(arms)
        for panel, name, factor, title in ((panels[2], "latency_seconds", 1e3, "Latency (ms)"),
                                           (panels[3], "training_seconds", 1.0, "Training (s)")):  # fmt: skip
            panel.barh(range(len(arms)), factor * measured[name].fillna(0), color=[looks[arm].color for arm in arms])
            panel.xaxis.set_major_locator(MaxNLocator(3))
            if measured[name].isna().all():
                panel.set(xticks=[])
                panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", color="#777777")
            panel.set(yticks=[], title=title)
            panel.invert_yaxis()
        part.legend(handles=legend_handles([looks[arm] for arm in arms]), loc="outside lower center", ncols=len(arms))
        data.append(own.merge(measured.reset_index()[["arm", "training_seconds", "latency_seconds"]], on="arm"))
    facts = {
        "num_members": span([int(num) for num in scores.loc[scores["ensemble_size"] == 1, "num"]]),
        "ensemble_sizes": listed(sorted({int(size) for size in scores["ensemble_size"]})),
        "arms": listed([look.label for look in looks.values()]),
    }
    return Drawing(figure, stack(pd.concat(data, ignore_index=True), pd.DataFrame()), facts)


def _draw_arm(panel: Axes, rows: pd.DataFrame, look: ArmLook) -> None:
    panel.errorbar(rows["multiplications"], rows["mean"], yerr=rows["stderr"], color=look.color, marker=look.marker,
                   linestyle=look.line)  # fmt: skip
