"""A figure in one line: what the paper says, what was measured, and how its comparisons came out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from emergent.claims.words import JUDGED, count_verdicts, group_word
from emergent.pages.measured import Measured

UNTESTED = "not tested at this scale"


@dataclass(frozen=True)
class Finding:
    """One claim beside what was measured.

    Attributes:
        says: the paper's statement.
        published: its number or bound.
        ours: value and error; of several quantities their range.
        verdict: word for its comparisons.
    """

    says: str
    published: str
    ours: str
    verdict: str


@dataclass(frozen=True)
class Outcome:
    """All comparisons of a figure in short.

    Attributes:
        word: for all of them (``emergent.claims.words``); empty if there are none.
        counts: verdict to number, in a fixed order.
        main: its main claim; None if there is none.
        contrast: the comparison that differs most, where the main claim does not tell that something differs.
    """

    word: str
    counts: dict[str, int]
    main: Finding | None
    contrast: Finding | None

    @property
    def judged(self) -> int:
        """Number of comparisons that were made."""
        return sum(number for verdict, number in self.counts.items() if verdict in JUDGED)

    @property
    def total(self) -> int:
        """Number of comparisons, those that the run could not test among them."""
        return sum(self.counts.values())


def outcome(verdicts: pd.DataFrame) -> Outcome:
    """Returns the comparisons of a figure in short.

    Args:
        verdicts: rows of ``claims.csv``, the main claim first.
    """
    if verdicts.empty:
        return Outcome("", {}, None, None)
    word = group_word(verdicts["verdict"])
    chosen = verdicts[verdicts["id"] == _main(verdicts)]
    main = finding(chosen)
    differing = verdicts[(verdicts["verdict"] == "differs") & (verdicts["id"] != chosen["id"].iloc[0])]
    tells = main.verdict in ("differs", "mixed") or differing.empty
    contrast = None if tells else finding(differing.loc[[differing["score"].abs().idxmax()]])
    return Outcome(word, count_verdicts(verdicts), main, contrast)


def _main(verdicts: pd.DataFrame) -> str:
    """Returns the first claim that was judged; or else the first of which there is a value; or else the first."""
    for rows in (verdicts[verdicts["verdict"].isin(JUDGED)], verdicts[verdicts["ours"].notna()], verdicts):
        if len(rows):
            return str(rows["id"].iloc[0])
    raise ValueError("expected at least one verdict, found none.")


def finding(rows: pd.DataFrame) -> Finding:
    """Returns one claim beside what was measured, of all quantities that it speaks of together."""
    known = rows[rows["ours"].notna()]
    verdict = group_word(rows["verdict"])
    if verdict == "unjudged":
        verdict = str(rows["verdict"].iloc[0])
    return Finding(str(rows["statement"].iloc[0]), printed(str(rows["published"].iloc[0])), _range(known), verdict)


def printed(published: str) -> str:
    """Returns a published value as it is read: rounded to its error, without an error of zero."""
    value, sign, error = published.partition(" ± ")
    return shown(Measured(float(value), float(error)) if sign and float(error) > 0 else value)


def _range(rows: pd.DataFrame) -> str:
    values = [Measured(float(value), float(error)) for value, error in zip(rows["ours"], rows["ours_stderr"],
              strict=True)]  # fmt: skip
    if not values:
        return "–"
    low, high = shown(min(values, key=_value)), shown(max(values, key=_value))
    return low if len(values) == 1 else f"{low} to {high} ({len(values)}\u00a0values)"


def shown(measured: Measured | str) -> str:
    """Returns a number as it is set: with signs of its own length, and on one line with its error."""
    return str(measured).replace("-", "−").replace(" ± ", "\u00a0±\u00a0")


def _value(measured: Measured) -> float:
    return measured.value


def shares(counts: dict[str, int]) -> list[tuple[str, int, float]]:
    """Returns verdict, number and share in per cent of the whole, for a bar."""
    total = sum(counts.values())
    return [(verdict, number, 100 * number / total) for verdict, number in counts.items()]


def words_of(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Returns how many figures came out each way, of those that have comparisons."""
    found = [item.word for item in outcomes if item.word]
    order = ("agrees", "mixed", "differs", "inconclusive", "fitted", "unjudged")
    return {word: found.count(word) for word in order if word in found}


def difference(row: dict[str, object]) -> str:
    """Returns a comparison's distance from agreement in standard errors, as text; a dash if there is none."""
    score = row["score"]
    if not isinstance(score, float) or not math.isfinite(score):
        return "∞" if score in (math.inf, -math.inf) else "–"
    return shown(f"{score:+.1f}")
