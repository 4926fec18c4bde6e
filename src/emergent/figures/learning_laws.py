"""Error rates of kernels against the size of the training set, with power laws through them and their exponents.

Input: summary tables ``learning`` and ``laws``. Our own figure.
"""

import pandas as pd
from matplotlib.lines import Line2D

from emergent.config.infinite_width_figures import LearningLaws
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs
from emergent.figures.learning_curve import COLUMNS

LAWS = ("arm", "exponent", "exponent_stderr", "level", "centre")


def draw(inputs: Inputs, references: References, entry: LearningLaws) -> Drawing:
    """Returns one panel on logarithmic axes, exponents in its legend.

    Args:
        inputs: holds ``learning`` and ``laws``.
        references: not used.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    table, laws = require_table(inputs, "learning", COLUMNS), require_table(inputs, "laws", LAWS)
    known = arm_looks(inputs)
    looks = {arm.name: known[arm.name] for arm in inputs.arms_in(table)}
    figure = style.new_figure(entry.width, 3.0)
    panel = figure.subplots()
    handles = []
    for arm, look in looks.items():
        rows = require_rows(table, "learning", arm=arm).sort_values("size")
        errors = (rows["std"] / rows["num"] ** 0.5).where(rows["num"] > 1)
        panel.errorbar(rows["size"], 1 - rows["mean"], yerr=errors, color=look.color, linestyle="none",
                       marker=look.marker, elinewidth=0.8)  # fmt: skip
        words = look.label
        for law in laws[laws["arm"] == arm].to_dict("records"):
            panel.plot(rows["size"], law["level"] * (rows["size"] / law["centre"]) ** law["exponent"],
                       color=look.color, linestyle=look.line, linewidth=0.9)  # fmt: skip
            # An error is none where there is one split.
            error = "" if pd.isna(law["exponent_stderr"]) else f" \\pm {law['exponent_stderr']:.2f}"
            words = f"{words}\n$n^{{\\,{law['exponent']:.2f}{error}}}$"
        handles.append(Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker, markersize=3.5,
                              label=words))  # fmt: skip
    style.log_axis(panel, list(table["size"]))
    style.log_decades(panel)
    panel.set_xlabel("Training Set Size")
    panel.set_ylabel("Test Error Rate")
    figure.legend(handles=handles, loc="outside right center")
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "arms": listed([look.label for look in looks.values()]),
        "sizes": span([int(size) for size in table["size"]]),
    }
    return Drawing(figure, stack(pd.concat([table, laws], ignore_index=True), pd.DataFrame()), facts)
