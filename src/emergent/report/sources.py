"""Reads the files behind a figure or table of the page: verdicts, pictures, cells, captions, summaries' settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from emergent import storage
from emergent.config.figure_claims import figure_of, in_order_of
from emergent.config.figure_kinds import Entry
from emergent.errors import DataError
from emergent.report.content import Cells
from emergent.report.pictures import Picture, alternative, embedded

COLUMNS = ("id", "series", "paper", "statement", "experiment", "quantity", "ours", "ours_stderr", "published",
           "reading", "source", "scale", "verdict", "score", "why", "reason")  # fmt: skip
"""Columns of ``claims.csv`` that the page shows."""
NUMBERS = ("ours", "ours_stderr", "score")
EMPTY = {"series": "", "score": ""}
"""Columns that files from before they were there lack, with what stands in their place."""


def read_verdicts(path: Path) -> pd.DataFrame:
    """Returns the verdict table of a run; numbers that there are not are NaN.

    Raises:
        DataError: the file is missing or lacks a column.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected the verdicts of a run ({error}); run the rule 'claims' again.") from None
    return checked(table, str(path))


def checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Returns the columns of a verdict table that the page shows, numbers as such.

    Raises:
        DataError: a column is missing.
    """
    table = table.assign(**{column: text for column, text in EMPTY.items() if column not in table})
    if missing := [column for column in COLUMNS if column not in table]:
        raise DataError(f"{name}: lacks column(s) {', '.join(missing)}; run the rule 'claims' again.")
    table = table[list(COLUMNS)]
    return table.assign(**{column: pd.to_numeric(table[column], errors="coerce") for column in NUMBERS})


def by_figure(verdicts: pd.DataFrame, catalogue: Mapping[str, Entry]) -> dict[str, pd.DataFrame]:
    """Returns the rows of every figure, its main claim first; those of no figure under an empty name."""
    owners = [figure_of(claim, experiment, catalogue) or ""
              for claim, experiment in zip(verdicts["id"], verdicts["experiment"], strict=True)]  # fmt: skip
    found = {}
    for name, rows in verdicts.groupby(pd.Series(owners, index=verdicts.index, dtype=str), sort=False):
        found[str(name)] = in_order(rows, catalogue[str(name)]) if name else rows
    return found


def in_order(rows: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    """Returns verdicts in the order of the patterns of a figure."""
    order = {claim: place for place, claim in enumerate(in_order_of(entry, dict.fromkeys(rows["id"])))}
    return rows.iloc[rows["id"].map(order).argsort(kind="stable")]


def read_text(path: Path) -> str:
    """Returns a text file.

    Raises:
        DataError: it is missing.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: expected a file of the pipeline ({error.strerror}); run its rule again.") from None


def read_picture(path: Path, entry: Entry, caption: str) -> Picture:
    """Returns the picture of a figure, with words for it.

    Raises:
        DataError: it is missing, or no picture.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a picture of the pipeline ({error.strerror}); run its rule again.") from None
    return embedded(content, alternative(entry, caption), str(path))


def read_cells(path: Path) -> Cells:
    """Returns the cells of a table from its Markdown.

    Raises:
        DataError: the file is missing or holds no table.
    """
    lines = [line.removeprefix("|").removesuffix("|") for line in read_text(path).splitlines() if line.startswith("|")]
    if len(lines) < 2:
        raise DataError(f"{path}: expected a table in Markdown; run its rule again.")
    head = tuple(part.strip() for part in lines[0].split(" | "))
    # Labels of rows may hold bars themselves: cells are counted from the right.
    rows = (line.rsplit(" | ", len(head) - 1) for line in lines[2:])
    return Cells(head, tuple(tuple(part.strip() for part in row) for row in rows))


def settings_of(summary: Path) -> dict[str, Any]:
    """Returns the settings that a summary was computed with.

    Raises:
        DataError: the summary is missing or has none.
    """
    text = storage.read_attributes(summary).get("config_json")
    if text is None:
        raise DataError(f"{summary}: no attribute config_json; make the summary again.")
    return json.loads(str(text))
