"""Test errors of in-painting by group, a row per data set and arm, with published values below ours.

Input: summary tables ``errors`` and ``ensembles``. S. Villar's talk has a table of this form.
"""

import pandas as pd

from emergent.config.symmetry_figures import InpaintingTable
from emergent.figures.drawing import References, Tabulation, published_table, require_table, span, stack
from emergent.figures.facts import Inputs

COLUMNS = ("experiment", "arm", "side", "blocks", "mean", "std", "num")
ENSEMBLES = ("experiment", "arm", "side", "blocks", "size", "mean", "std", "num")
QUANTITY = "inpainting"


def group_word(side: int, blocks: int) -> str:
    """Returns the name of the group of permutations within blocks x blocks squares of an image, in plain letters."""
    size = (side // blocks) ** 2
    if size == 1:
        return "trivial"
    return f"S{size}" if blocks == 1 else f"S{size}^{blocks**2}"


def tabulate(inputs: Inputs, references: References, entry: InpaintingTable) -> Tabulation:
    """Returns mean and standard deviation over runs, in hundredths; ensembles have rows of their own.

    Args:
        inputs: holds ``errors`` and ``ensembles``.
        references: published values; series of quantity ``inpainting``.
        entry: titles.

    Raises:
        DataError: a table is missing.
    """
    del entry
    table = require_table(inputs, "errors", COLUMNS)
    ensembles = require_table(inputs, "ensembles", ENSEMBLES)
    published = published_table(references, QUANTITY)
    heads = {(int(side), int(blocks)): group_word(int(side), int(blocks))
             for side, blocks in sorted({*zip(table["side"], table["blocks"], strict=True)})}  # fmt: skip
    cells: dict[str, dict[str, str]] = {}
    for facts in inputs.facts:
        for arm in facts.arms:
            word = f"{facts.label}, {arm.label}"
            own = table[(table["experiment"] == facts.experiment) & (table["arm"] == arm.name)]
            cells[word] = {
                heads[int(row["side"]), int(row["blocks"])]: f"{row['mean']:.2f} ± {row['std']:.2f}"
                for row in own.to_dict("records")
            }
            several = ensembles[(ensembles["experiment"] == facts.experiment) & (ensembles["arm"] == arm.name)]
            largest = several[several["size"] == several["size"].max()]
            if int(largest["size"].iloc[0]) > 1:
                cells[f"{word}, ensembles of {int(largest['size'].iloc[0])}"] = {
                    heads[int(row["side"]), int(row["blocks"])]: f"{row['mean']:.2f} ± {row['std']:.2f}"
                    for row in largest.to_dict("records")
                }
            cells |= _published_row(published, facts.experiment, arm.name, word, heads)
    shown = pd.DataFrame.from_dict(cells, orient="index", columns=list(heads.values())).fillna("–")
    facts = {"num_members": span([int(num) for num in table["num"]])}
    return Tabulation(shown, stack(table, published), facts)


def _published_row(
    published: pd.DataFrame, experiment: str, arm: str, word: str, heads: dict[tuple[int, int], str]
) -> dict[str, dict[str, str]]:
    """Returns the published row of an arm; empty where none is, or where other images stand in."""
    if published.empty:
        return {}
    own = published[(published["experiment"] == experiment) & (published["arm"] == arm) & published["mean"].notna()]
    cells = {}
    for row in own.to_dict("records"):
        key = (int(row["side"]), int(row["blocks"]))
        spread = f" ± {row['spread']:.2f}" if row["spread"] == row["spread"] else ""
        if key in heads:
            cells[heads[key]] = f"{row['mean']:.2f}{spread}"
    return {f"{word}, published": cells} if cells else {}
