"""How well rotations of embeddings follow random views, accuracies of readouts, and mean Gram matrices by their number.

Input: summary tables ``embeddings`` and ``ensembles``. Our own figure; accuracies on CIFAR-10 are published.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from emergent.config.embedding_figures import EmbeddingResiduals
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

COLUMNS = ("arm", "metric", "mean", "stderr", "num")
ENSEMBLES = ("arm", "size", "mean", "stderr", "num")
DISTANCES = {
    "unrelated": ("rotation fitted to other images", "x", "none"),
    "start": ("rotation, before training", "^", "none"),
    "shift": ("no rotation", "s", "none"),
    "residual": ("rotation", "o", "full"),
}
"""Label, marker and filling of each distance, from the one that is expected to be largest down."""
ACCURACIES = {"readout": ("linear readout", "o", "full"), "neighbours": ("nearest neighbours", "s", "none")}
HEADROOM, BELOW = 1.08, -0.16
STEP = 0.1
"""Between the markers of one arm, in units of the distance of arms."""


def draw(inputs: Inputs, references: References, entry: EmbeddingResiduals) -> Drawing:
    """Returns three panels, with bars of one standard error over networks.

    Args:
        inputs: holds ``embeddings`` and ``ensembles``.
        references: published accuracies; series of quantity ``readout``.
        entry: titles.

    Raises:
        DataError: a table, or a distance or an accuracy in it, is missing.
    """
    table = require_table(inputs, "embeddings", COLUMNS)
    ensembles = require_table(inputs, "ensembles", ENSEMBLES)
    published = published_table(references, "readout")
    looks = {arm.name: arm_looks(inputs)[arm.name] for arm in inputs.arms_in(table)}
    figure = style.new_figure(entry.width, 3.6)
    left, middle, right = figure.subplots(1, 3)
    for panel, metrics, label in (
        (left, DISTANCES, "Distance to Embedding of View"),
        (middle, ACCURACIES, "Test Accuracy / %"),
    ):
        for place, (metric, (_, marker, filling)) in enumerate(metrics.items()):
            rows = require_rows(table, "embeddings", metric=metric).set_index("arm")
            shift = STEP * (place - (len(metrics) - 1) / 2)
            for position, (arm, look) in enumerate(looks.items()):
                face = look.color if filling == "full" else "white"
                panel.errorbar(position + shift, rows["mean"][arm], yerr=rows["stderr"][arm], color=look.color,
                               marker=marker, markerfacecolor=face, linestyle="none", elinewidth=0.8)  # fmt: skip
        _name_arms(panel, looks)
        panel.set_ylabel(label)
    left.set_ylim(0, HEADROOM * float(table["mean"][table["metric"].isin(list(DISTANCES))].max()))
    for row in published.to_dict("records"):
        if row["arm"] in looks:
            style.published(middle, [list(looks).index(row["arm"]) - STEP / 2], [row["mean"]], "o")
    for arm, look in looks.items():
        part = ensembles[ensembles["arm"] == arm].sort_values("size")
        right.errorbar(part["size"], part["mean"], yerr=part["stderr"], color=look.color, marker=look.marker,
                       elinewidth=0.8, label=look.label)  # fmt: skip
    right.set_xticks(sorted({int(size) for size in ensembles["size"]}))
    right.set_xlabel("Networks in Mean")
    right.set_ylabel("Relative Change of Inner Products")
    right.set_ylim(0, HEADROOM * float((ensembles["mean"] + ensembles["stderr"].fillna(0)).max()))
    theirs = [style.published_handle("o", ", CIFAR-10")] if len(published) else []
    for panel, handles in (
        (left, _markers(DISTANCES)),
        (middle, [*_markers(ACCURACIES), *theirs]),
        (right, [Line2D([], [], color=look.color, marker=look.marker, label=look.label) for look in looks.values()]),
    ):
        # Below the panel: markers mean other things in each.
        panel.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, BELOW))
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "arms": listed([look.label for look in looks.values()]),
        "ensemble_sizes": span([int(size) for size in ensembles["size"]]),
        "data": listed([facts.label for facts in inputs.facts]),
    }
    return Drawing(figure, stack(pd.concat([table, ensembles], ignore_index=True), published), facts)


def _name_arms(panel: Axes, looks: dict[str, ArmLook]) -> None:
    panel.set_xticks(range(len(looks)), [look.short for look in looks.values()])
    panel.set_xlim(-0.5, len(looks) - 0.5)


def _markers(words: dict[str, tuple[str, str, str]]) -> list[Line2D]:
    """Returns what the markers of a panel mean."""
    return [
        Line2D([], [], color="black", linestyle="none", marker=marker, label=label,
               markerfacecolor="black" if filling == "full" else "white")
        for label, marker, filling in words.values()
    ]  # fmt: skip
