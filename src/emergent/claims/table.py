"""The verdict table as CSV and Markdown, and its summary in numbers."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from emergent.claims.words import JUDGED, counts_text, group_word


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table; bars inside cells become strokes."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def split_run(verdicts: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Returns the comparisons of experiments that ran, and a sentence on the others; empty if all of them ran."""
    absent = verdicts["verdict"] == "not run"
    counts = verdicts.loc[absent, "experiment"].value_counts(sort=False)
    names = ", ".join(f"{name} ({number})" for name, number in counts.items())
    sentence = f"Experiments that are not part of this run, with the number of their claims: {names}." if names else ""
    return verdicts[~absent], sentence


def ours_text(value: float, stderr: float) -> str:
    """Returns our value with its standard error, both to the error's second digit; a dash if there is no value."""
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(stderr) or stderr <= 0:
        return f"{value:.3g}"
    decimals = 1 - math.floor(math.log10(stderr))
    # A fixed number of decimals would be zeros here, or digits that mean nothing.
    if decimals > 5 or decimals < 0:
        return f"{value:.3g} ± {stderr:.1g}"
    return f"{value:.{decimals}f} ± {stderr:.{decimals}f}"


def overview(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per experiment: what came out, and the comparison that shows it best.

    Columns: experiment, outcome (the word of ``emergent.claims.words`` for the group), counts in words, sharpest
    (statement, ours and published).
    """
    rows = []
    for experiment, part in verdicts.groupby("experiment", sort=False):
        outcome = group_word(part["verdict"])
        # Of a mixed group what differs is the finding.
        decided = part[part["verdict"] == ("differs" if outcome == "mixed" else outcome)]
        sharpest = ""
        if len(decided):
            row = decided.loc[_sharpness(decided).idxmax()]
            sharpest = (
                f"{row['statement']} Ours: {ours_text(row['ours'], row['ours_stderr'])}, published: {row['published']}."
            )
        rows.append({"experiment": experiment, "outcome": outcome, "counts": counts_text(part), "sharpest": sharpest})
    return pd.DataFrame(rows, columns=["experiment", "outcome", "counts", "sharpest"])


def _sharpness(rows: pd.DataFrame) -> pd.Series:
    """Returns how well a comparison decides: its score where it differs or bounds, else the value over its error."""
    combined = np.hypot(rows["ours_stderr"].fillna(0.0), rows["uncertainty"].fillna(0.0)).clip(lower=1e-300)
    equal = (rows["relation"] == "equals") & (rows["verdict"] == "agrees")
    return rows["score"].abs().where(~equal, rows["ours"].abs() / combined).fillna(0.0)


def series_agreement(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per series of published points that were judged: chi-square, points, largest difference.

    Chi-square is the sum of squared differences in units of the error of both, without any tolerance. Points of one
    series share their pools, ours and the published one, so that they move together: chi-square scatters by more than
    that of independent points, but its mean is their number all the same.
    """
    judged = verdicts[(verdicts["series"] != "") & verdicts["verdict"].isin(JUDGED)]
    rows = [
        {"series": name, "points": len(part), "chi_square": float(np.square(part["score"]).sum()),
         "largest": float(part["score"].abs().max()), "verdicts": counts_text(part)}
        for name, part in judged[np.isfinite(judged["score"])].groupby("series", sort=False)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["series", "points", "chi_square", "largest", "verdicts"])


def to_csv(verdicts: pd.DataFrame) -> str:
    """Returns every column as CSV."""
    return verdicts.to_csv(index=False, float_format="%.8g", lineterminator="\n")


def to_markdown(verdicts: pd.DataFrame, notes: Sequence[str] = ()) -> str:
    """Returns the columns that a reader wants as a Markdown table, after the counts, what did not run, and notes."""
    ran, absent = split_run(verdicts)
    cells = [
        (row["statement"], f"`{row['quantity']}`", ours_text(row["ours"], row["ours_stderr"]), row["published"],
         row["verdict"], row["why"])
        for row in ran.to_dict("records")
    ]  # fmt: skip
    parts = [
        f"Scale {verdicts['scale'].iloc[0]}: {counts_text(verdicts)}.",
        *(sentence for sentence in (absent, *notes) if sentence),
        *_short_tables(ran),
        markdown(("claim", "quantity", "ours", "published", "verdict", "why"), cells),
    ]
    return "\n\n".join(parts) + "\n"


def _short_tables(verdicts: pd.DataFrame) -> list[str]:
    """Returns the answer in short: a line per experiment, and chi-square of every published series."""
    short = overview(verdicts)
    tables = [markdown(("experiment", "outcome", "comparisons", "the sharpest"), short.to_numpy().tolist())]
    rows = [
        (f"`{row['series']}`", row["points"], f"{row['chi_square']:.1f}", f"{row['largest']:.1f}", row["verdicts"])
        for row in series_agreement(verdicts).to_dict("records")
    ]
    if rows:
        tables.append(
            markdown(("published points", "number", "chi-square", "largest difference in errors", "verdicts"), rows)
        )
    return tables
