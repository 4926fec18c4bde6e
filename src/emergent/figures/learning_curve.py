"""Accuracy or error of kernels against the size of the training set, one curve per arm, with published curves in grey.

Input: summary table ``learning``. arXiv:2406.06504 has a figure of this form.
"""

import pandas as pd

from emergent.config.infinite_width_figures import LearningCurve
from emergent.figures import style
from emergent.figures.arms import arm_looks, legend_handles
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

COLUMNS = ("arm", "size", "mean", "std", "num", "regulariser")


def draw(inputs: Inputs, references: References, entry: LearningCurve) -> Drawing:
    """Returns one panel: accuracies or errors with the standard error over splits.

    Args:
        inputs: holds ``learning``.
        references: published values; series of quantity ``learning`` are drawn in the marker of their arm.
        entry: titles and options.

    Raises:
        DataError: the table is missing.
    """
    table = require_table(inputs, "learning", COLUMNS)
    published = published_table(references, "learning")
    known = arm_looks(inputs)
    looks = {arm.name: known[arm.name] for arm in inputs.arms_in(table)}
    figure = style.new_figure(entry.width, 3.0)
    panel = figure.subplots()
    for arm, look in looks.items():
        rows = require_rows(table, "learning", arm=arm).sort_values("size")
        errors = (rows["std"] / rows["num"] ** 0.5).where(rows["num"] > 1)
        panel.errorbar(rows["size"], rows["mean"], yerr=errors, color=look.color, linestyle=look.line,
                       marker=look.marker, elinewidth=0.8)  # fmt: skip
    handles = legend_handles(list(looks.values()))
    for arm, group in published.groupby("arm") if len(published) else ():
        look = looks.get(str(arm))
        if look is not None:
            seen = group.dropna(subset="mean")
            style.published(panel, seen["size"], seen["mean"], look.marker)
            handles.append(style.published_handle(look.marker, f", {look.label}"))
    shown = [*table["size"], *(published["size"] if len(published) else ())]
    style.log_axis(panel, shown)
    panel.set_xlabel("Training Set Size")
    if entry.options.metric == "accuracy":
        panel.set_ylabel("Test Accuracy")
        panel.set_ylim(bottom=0.0)
    else:
        panel.set_ylabel("MAE (meV)")
        panel.set_yscale("log")
    figure.legend(handles=handles, loc="outside right center")
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "arms": listed([look.label for look in looks.values()]),
        "sizes": span([int(size) for size in table["size"]]),
    }
    return Drawing(figure, stack(table, published if len(published) else pd.DataFrame()), facts)
