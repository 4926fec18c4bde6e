"""The words for verdicts, of one comparison and of a group: the only place that defines and counts them."""

from collections.abc import Iterable
from typing import Literal

import pandas as pd

Verdict = Literal[
    "agrees", "fitted", "differs", "inconclusive", "missing", "not tested at this scale", "not run", "superseded"
]

MEANINGS: dict[Verdict, str] = {
    "agrees": "ours is what is claimed, with power to tell it from what the claim denies",
    "fitted": "agrees, but a setting was chosen to make it agree",
    "differs": "ours is not what is claimed",
    "inconclusive": "our error is too wide to tell",
    "missing": "the run should have this quantity and does not",
    "not tested at this scale": "only a larger run can test it",
    "not run": "the experiment is not part of the run",
    "superseded": "judged by an earlier form of the claim, which has been sharpened since",
}
"""Verdict on one comparison to what it means, in the order in which verdicts are counted."""

ORDER: tuple[Verdict, ...] = tuple(MEANINGS)

JUDGED: tuple[Verdict, ...] = ("agrees", "fitted", "differs", "inconclusive")
"""Verdicts of comparisons that were made."""

GROUP_MEANINGS: dict[str, str] = {
    "mixed": "some judged comparisons agree, some differ",
    "differs": "some differ, none agrees",
    "inconclusive": "some errors are too wide, or a claim has been sharpened since",
    "agrees": "all agree",
    "fitted": "by choice of a setting",
    "unjudged": "none was judged",
}
"""Word for a group of comparisons to what it means; the first that holds is the group's."""


def group_word(verdicts: Iterable[str]) -> str:
    """Returns one word for a group of comparisons; ``GROUP_MEANINGS`` says what it means."""
    found = set(verdicts)
    judged = found & set(JUDGED)
    if {"agrees", "differs"} <= judged:
        return "mixed"
    word = next((word for word in ("differs", "inconclusive", "agrees", "fitted") if word in judged), "unjudged")
    # The rest of a group agrees, but what has to be judged again may be what the group is about.
    return "inconclusive" if "superseded" in found and word in ("agrees", "fitted") else word


def count_verdicts(verdicts: pd.DataFrame) -> dict[str, int]:
    """Returns how many comparisons came out each way, in a fixed order, verdicts that never occur left out."""
    counts = verdicts["verdict"].value_counts()
    return {verdict: int(counts[verdict]) for verdict in ORDER if verdict in counts}


def counts_text(verdicts: pd.DataFrame) -> str:
    """Returns how many comparisons came out each way, in words."""
    return ", ".join(f"{number} {verdict}" for verdict, number in count_verdicts(verdicts).items())


def group_legend() -> str:
    """Returns what the words for groups mean, as one sentence of Markdown."""
    return "; ".join(f"*{word}*: {meaning}" for word, meaning in GROUP_MEANINGS.items())
