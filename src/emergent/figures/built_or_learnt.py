"""Test error and equivariance error against training work, of symmetries that are built in, learnt or relaxed; by task.

Input: summary table ``choices`` of several experiments (``emergent.summaries.choices``). Our own figure.
"""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from emergent.config.data_efficiency_figures import BuiltOrLearnt
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_rows, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("experiment", "arm", "symmetry", "ensemble_size", "work", "error", "error_stderr", "asymmetry",
           "asymmetry_stderr", "num")  # fmt: skip
LOOKS = {
    "none": ("#555555", "no symmetry"),
    "augmented": (style.ORANGE, "augmented"),
    "built_in": (style.GREEN, "built in"),
    "relaxed": (style.PURPLE, "relaxed"),
}
"""Symmetry to colour and words, in the order of the legend."""
NAMED = ("built_in", "relaxed")
"""Of which there are several kinds."""
MARKERS = ("o", "^", "D", "v", "P", "X", "<", ">", "p", "*")
CHARACTERS = 88
"""In a line of the titles of all panels, which stand side by side."""
MOST_DECADES = 6
"""Labels below a panel."""
FLOOR = 1e-7
"""Smaller equivariance errors, of rounding, are drawn here."""


def draw(inputs: Inputs, references: References, entry: BuiltOrLearnt) -> Drawing:
    """Returns two rows of panels, a column per experiment; work and test errors are over those of a reference network.

    The reference is a network without a symmetry, or an augmented one where there is none. Ensembles of augmented
    networks are a line: their work is that of all their networks.

    Args:
        inputs: holds ``choices``.
        references: not used; no numbers are published.
        entry: titles.

    Raises:
        DataError: the table is missing, or an experiment's rows.
    """
    del references
    table = require_table(inputs, "choices", COLUMNS)
    figure = style.new_figure(entry.width, 4.1)
    grid = figure.subplots(2, len(inputs.facts), sharex=True, sharey="row", squeeze=False)
    shown, marks = [], dict[tuple[str, str], str]()
    widest = CHARACTERS // len(inputs.facts)
    for column, facts in zip(grid.T, inputs.facts, strict=True):
        own = relative(require_rows(table, "choices", experiment=facts.experiment))
        shown.append(own)
        names = {arm.name: arm.short or arm.label for arm in facts.arms}
        for symmetry in LOOKS:
            of_symmetry = own[own["symmetry"] == symmetry]
            for arm, rows in of_symmetry.groupby("arm", sort=False):
                # An arm that several experiments have looks alike in all; of networks without a symmetry of their own
                # there is one kind.
                key = (symmetry, names[str(arm)] if symmetry in NAMED else "")
                marks.setdefault(key, MARKERS[sum(other[0] == symmetry for other in marks) % len(MARKERS)])
                for axes, what in zip(column, ("error", "asymmetry"), strict=True):
                    _draw_arm(axes, rows.sort_values("work"), what, symmetry, marks[key])
        column[0].set_title(textwrap.fill(facts.label, widest))
        column[1].set_xlabel(textwrap.fill("Training Work", widest))
    for axes, words in zip(grid[:, 0], ("Test Error", "Equivariance Error"), strict=True):
        axes.set_ylabel(words)
        axes.set_yscale("log")
    handles = [
        Line2D([], [], color=color, linestyle="-" if symmetry == "augmented" else "none", marker=marks[symmetry, name],
               markersize=4, label=f"{words}: {name}" if name else words)
        for symmetry, (color, words) in LOOKS.items() for other, name in marks if other == symmetry
    ]  # fmt: skip
    handles.append(Line2D([], [], color=style.ORANGE, linestyle="-", marker="o", markersize=4, markerfacecolor="white",
                          label="ensembles of augmented networks"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    facts = {
        "num_members": span([int(num) for num in table["num"]]),
        "ensemble_sizes": span([int(size) for size in table["ensemble_size"]]),
    }
    return Drawing(figure, stack(pd.concat(shown, ignore_index=True), pd.DataFrame()), facts)


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of one experiment with work and test errors over those of its reference network."""
    single = rows[rows["ensemble_size"] == 1]
    order = [name for name in LOOKS if name in set(single["symmetry"])]
    reference = single[single["symmetry"] == order[0]].iloc[0]
    scale = {"work": reference["work"], "error": reference["error"], "error_stderr": reference["error"]}
    return rows.assign(**{name: rows[name] / value for name, value in scale.items()})


def _draw_arm(axes: Axes, rows: pd.DataFrame, what: str, symmetry: str, marker: str) -> None:
    color = LOOKS[symmetry][0]
    values, errors = rows[what].clip(lower=FLOOR if what == "asymmetry" else None), rows[f"{what}_stderr"]
    # A bar that reaches below zero has no lower end on a logarithmic axis; one repeat has no bar.
    low = errors.where(~(errors >= values), 0.9 * values)
    axes.errorbar(rows["work"], values, yerr=[low, errors], color=color, linestyle="none", elinewidth=0.8)
    axes.plot(rows["work"], values, color=color, linewidth=0.8)
    single = rows["ensemble_size"] == 1
    for part, face in ((single, color), (~single, "white")):
        axes.plot(rows["work"][part], values[part], linestyle="none", marker=marker, markersize=4, color=color,
                  markerfacecolor=face)  # fmt: skip
    axes.set_xscale("log")
    # Panels are narrow: markers at their ends have room, and labels of decades are short.
    axes.set_xmargin(0.08)
    axes.xaxis.set_major_locator(LogLocator(numticks=MOST_DECADES))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
