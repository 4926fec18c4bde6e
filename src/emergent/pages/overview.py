"""The README's table: every figure with its target, the verdict in one word, and the runs behind it."""

import textwrap
from pathlib import Path

import pandas as pd
from pydantic import Field

from emergent.claims.table import markdown
from emergent.claims.words import JUDGED, group_legend, group_word
from emergent.config.base import Many, Name, StrictModel, read_yaml, validate
from emergent.config.figures import read_catalogue
from emergent.errors import DataError
from emergent.pages.committed import Committed
from emergent.pages.tables import selected

WORDS = textwrap.fill(
    f"{group_legend()}; a dash: nothing to compare. *judged*: how many; the others are numbers that only a larger run "
    "can test.",
    width=400,
)
"""Legend of the table."""


class Line(StrictModel):
    """One line of the table."""

    label: str = Field(description="labels of the figures, e.g. F3, F4")
    what: str = Field(description="what they show, in a few words")
    page: Name | None = Field(default=None, description="page in docs/results behind the label; null: the paper's")
    figures: Many[Name] = Field(min_length=1, description="entries of config/figures.yaml")
    claims: Many[str] = Field(default=(), description="patterns of claim identifiers that the figures bear on")
    judged: Name | None = Field(default=None, description="run whose verdicts are shown; null: none")
    also_judged: Name | None = Field(default=None, description="run that judges what that one did not")
    runs: Many[Name] = Field(default=(), description="further runs of which something is committed")
    target: str | None = Field(default=None, description="pattern in place of a list of many files")


class Overview(StrictModel):
    """Lines by paper."""

    papers: dict[Name, Many[Line]]


def overview_table(committed: Committed) -> str:
    """Returns the table and its legend.

    Raises:
        DataError: a line names a figure, a claim or a page that does not exist.
    """
    lines = read_overview(committed.docs)
    catalogue = read_catalogue(committed.root / "config" / "figures.yaml")
    listed = [name for paper in lines.values() for line in paper for name in line.figures]
    if unknown := [name for name in listed if name not in catalogue]:
        raise DataError(f"docs/templates/overview.yaml names figures that do not exist: {', '.join(unknown)}.")
    rows = []
    for paper, own in lines.items():
        for line in own:
            entries = [catalogue[name] for name in line.figures]
            suffix = {"figure": "pdf", "table": "md"}
            files = [f"{name}.{suffix[entry.kind]}" for name, entry in zip(line.figures, entries, strict=True)]
            target = f"`{entries[0].paper}/{line.target or shortened(files)}`"
            runs = [*filter(None, (line.judged, line.also_judged)), *line.runs]
            # What no committed run has is drawn at smoke scale, as everything is.
            titles = "; ".join(dict.fromkeys(committed.runs[run].title for run in runs)) or "smoke"
            label = f"[{line.label}]({_page(committed, paper, line)})"
            rows.append((label, line.what, target, *_verdict(committed, line), titles))
    head = ("figure", "shows", "target: `figures/<scale>/...`", "verdict", "judged", "run at")
    return f"{markdown(head, rows)}\n\n{WORDS}"


def read_overview(docs: Path) -> dict[str, Many[Line]]:
    """Returns the lines of ``docs/templates/overview.yaml`` by paper."""
    path = docs / "templates" / "overview.yaml"
    return validate(Overview, read_yaml(path), str(path)).papers


def _page(committed: Committed, paper: str, line: Line) -> str:
    """Returns the page behind the label of a line."""
    page = line.page or paper
    if not (committed.docs / "templates" / f"{page}.md").exists():
        raise DataError(
            f"docs/templates/overview.yaml, {paper}, {line.label}: no page {page!r}; expected a template of that name, "
            f"docs/templates/{page}.md."
        )
    return f"docs/results/{page}.md"


def _verdict(committed: Committed, line: Line) -> tuple[str, str]:
    """Returns the verdict and how many of the comparisons were judged."""
    if not line.claims or line.judged is None:
        return "–", "–"
    verdicts = _by_comparison(committed, line.judged, line.claims)
    if line.also_judged:
        others = _by_comparison(committed, line.also_judged, line.claims)
        verdicts = pd.concat([verdicts[verdicts.isin(JUDGED)], others])
        verdicts = verdicts[~verdicts.index.duplicated()]
    return group_word(verdicts), f"{int(verdicts.isin(JUDGED).sum())} of {len(verdicts)}"


def _by_comparison(committed: Committed, run: str, claims: Many[str]) -> pd.Series:
    """Returns the verdicts of a run by claim and quantity."""
    return selected(committed, run, claims).set_index(["id", "quantity"])["verdict"]


def shortened(files: list[str]) -> str:
    """Returns file names with what they share written once, e.g. ``ising_{a,b}.pdf``; listed if that does not help."""
    if len(files) == 1:
        return files[0]
    stems, suffixes = zip(*(name.rsplit(".", 1) for name in files), strict=True)
    words = [stem.split("_") for stem in stems]
    shared = 0
    while all(len(part) > shared and part[shared] == words[0][shared] for part in words):
        shared += 1
    head = "_".join(words[0][:shared])
    head = f"{head}_" if head and all(len(part) > shared for part in words) else head
    if len(set(suffixes)) > 1:
        return f"{head}{{{','.join(name[len(head) :] for name in files)}}}"
    return f"{head}{{{','.join(stem[len(head) :] for stem in stems)}}}.{suffixes[0]}"
