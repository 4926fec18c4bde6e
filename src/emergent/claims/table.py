"""The verdict table as CSV and Markdown, and its summary in numbers."""

import math
from collections.abc import Sequence

import pandas as pd

ORDER = ("agrees", "differs", "inconclusive", "missing", "not tested at this scale", "not run")


def count_verdicts(verdicts: pd.DataFrame) -> dict[str, int]:
    """Returns how many comparisons came out each way, in a fixed order, verdicts that never occur left out."""
    counts = verdicts["verdict"].value_counts()
    return {verdict: int(counts[verdict]) for verdict in ORDER if verdict in counts}


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


def to_csv(verdicts: pd.DataFrame) -> str:
    """Returns every column as CSV."""
    return verdicts.to_csv(index=False, float_format="%.8g", lineterminator="\n")


def to_markdown(verdicts: pd.DataFrame, notes: Sequence[str] = ()) -> str:
    """Returns the columns that a reader wants as a Markdown table, after the counts, what did not run, and notes."""
    ran, absent = split_run(verdicts)
    counts = ", ".join(f"{number} {verdict}" for verdict, number in count_verdicts(verdicts).items())
    lines = [
        f"Scale {verdicts['scale'].iloc[0]}: {counts}.",
        "",
        *(line for sentence in (absent, *notes) if sentence for line in (sentence, "")),
        "| claim | quantity | ours | published | verdict | why |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in ran.to_dict("records"):
        cells = (row["statement"], f"`{row['quantity']}`", ours_text(row["ours"], row["ours_stderr"]),
                 row["published"], row["verdict"], row["why"])  # fmt: skip
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
