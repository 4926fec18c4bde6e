"""What attacks give, a row per experiment, latent space, attacked classifier and space.

Input: summary tables ``attack_means`` and ``attack_tests``. No numbers are published.
"""

import pandas as pd

from emergent.config.counterfactual_figures import AttackTable
from emergent.figures.drawing import References, Tabulation, measured, require_table, span, stack
from emergent.figures.facts import Inputs

MEANS = ("experiment", "arm", "networks", "space", "metric", "mean", "stderr", "num")
TESTS = ("experiment", "arm", "networks", "log_ratio", "stderr", "largest_p", "num", "pairs")
HEADS = {
    "distance": "distance",
    "likelihood": "negative log-likelihood",
    "shift": "moved by",
    "reached": "reach the target / %",
    "transfer": "judges convinced / %",
}
ROUNDING = 1e-5
PERCENT = ("reached", "transfer")


def tabulate(inputs: Inputs, references: References, entry: AttackTable) -> Tabulation:
    """Returns means over trials of medians over samples, and in rows of Z the comparison with X.

    Args:
        inputs: holds ``attack_means`` and ``attack_tests``.
        references: not used: no numbers are published.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del references, entry
    means, tests = require_table(inputs, "attack_means", MEANS), require_table(inputs, "attack_tests", TESTS)
    rows: dict[str, dict[str, str]] = {}
    for facts in inputs.facts:
        own = means[means["experiment"] == facts.experiment]
        for place, arm in enumerate(facts.arms):
            for (networks, space), part in own[own["arm"] == arm.name].groupby(["networks", "space"], sort=False):
                if space == "start":
                    # The same for all arms but for the likelihood, which is that of a latent space.
                    word = f"{facts.label}, before" if not place else f"{facts.label}, before, {arm.label}"
                elif space == "x" and place:
                    # Nothing of the latent space is in it.
                    continue
                else:
                    attacked = "1 network" if networks == 1 else f"{networks} networks"
                    word = f"{facts.label}, {'X' if space == 'x' else f'Z of {arm.label}'}, {attacked}"
                rows[word] = _cells(part)
                if space == "z":
                    test = tests[(tests["experiment"] == facts.experiment) & (tests["arm"] == arm.name)
                                 & (tests["networks"] == networks)].iloc[0]  # fmt: skip
                    rows[word] |= {"nearer than X, decades": measured(test["log_ratio"], test["stderr"]),
                                   "largest p": f"{test['largest_p']:.2g}"}  # fmt: skip
    cells = pd.DataFrame.from_dict(rows, orient="index").fillna("–")
    facts = {
        "num_members": span([int(num) for num in tests["num"]]),
        "sizes": span([int(num) for num in tests["pairs"]]),
        "ensemble_size": span([int(size) for size in tests["networks"] if size > 1]),
    }
    return Tabulation(cells, stack(pd.concat([means, tests], ignore_index=True), pd.DataFrame()), facts)


def _cells(part: pd.DataFrame) -> dict[str, str]:
    found = part.set_index("metric")
    cells = {}
    for metric, head in HEADS.items():
        if metric in found.index:
            factor = 100.0 if metric in PERCENT else 1.0
            mean, error = factor * found["mean"][metric], factor * found["stderr"][metric]
            # Samples on the manifold are as near as single precision has them.
            cells[head] = f"{mean:.0e}" if 0 < mean < ROUNDING else measured(mean, error)
    return cells
