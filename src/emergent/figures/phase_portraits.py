"""One rollout in the plane of the lower mass's height and its momentum: the truth, and one learnt in each family.

Input: summary tables ``portraits`` and ``rollouts``. S. Villar's talk has a picture of this form.
"""

import pandas as pd

from emergent.config.dynamics_figures import PhasePortraits
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, listed, require_rows, require_table, stack
from emergent.figures.facts import Inputs
from emergent.figures.motion import FAMILIES, families_in

TRUTH = "truth"
POSITION, MOMENTUM = "q2_z", "p2_z"
PORTRAITS = ("arm", "trajectory", "time", POSITION, MOMENTUM)


def draw(inputs: Inputs, references: References, entry: PhasePortraits) -> Drawing:
    """Returns a panel of the truth, and one of the first arm of each family with the truth in grey behind it.

    Args:
        inputs: holds ``portraits`` and ``rollouts``.
        references: not used.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references
    table = require_table(inputs, "portraits", PORTRAITS)
    rollouts = require_table(inputs, "rollouts", ("arm", "family", "method"))
    first = int(table["trajectory"].min())
    table = require_rows(table, "portraits", trajectory=first)
    truth = require_rows(table, "portraits", arm=TRUTH)
    panels = {TRUTH: "Truth"}
    for family in families_in(rollouts):
        row = rollouts[rollouts["family"] == family].iloc[0]
        panels[str(row["arm"])] = f"{FAMILIES[family]}, {row['method']}"
    figure = style.new_figure(entry.width, 2.2)
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (arm, title) in zip(axes, panels.items(), strict=True):
        rows = require_rows(table, "portraits", arm=arm).sort_values("time")
        if arm != TRUTH:
            panel.plot(truth[POSITION], truth[MOMENTUM], color="0.75", linewidth=0.7)
        panel.plot(rows[POSITION], rows[MOMENTUM], color="black" if arm == TRUTH else "#1f77b4", linewidth=0.7)
        panel.set_title(title)
        panel.set_xlabel("Height of the Lower Mass")
    axes[0].set_ylabel("Its Momentum")
    # A wild rollout would leave nothing of the others to see.
    for values, limit in ((truth[POSITION], axes[0].set_xlim), (truth[MOMENTUM], axes[0].set_ylim)):
        margin = 0.25 * float(values.max() - values.min())
        limit(float(values.min()) - margin, float(values.max()) + margin)
    facts = {"arms": listed([title for arm, title in panels.items() if arm != TRUTH])}
    return Drawing(figure, stack(table[table["arm"].isin(list(panels))], pd.DataFrame()), facts)
