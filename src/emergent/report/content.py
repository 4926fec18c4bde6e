"""What the page shows, whatever it was read from: figures with their verdicts, experiments, papers.

``emergent.report.run`` reads it from a finished run, ``emergent.report.committed`` from what is committed in ``docs``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from emergent.config.figure_kinds import Entry
from emergent.config.papers import Paper
from emergent.report.chart import Chart
from emergent.report.origin import Costs, Origin
from emergent.report.pictures import Picture

SENSITIVITY = frozenset(["metric_sensitivity", "distance_sensitivity", "metric_readings", "infinite_width_readings"])
"""Kinds of tables that show what settings decide which the papers leave open."""


@dataclass(frozen=True)
class Cells:
    """Text of a table: names of the columns, the first of which holds the labels of the rows, and rows."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Command:
    """A command line, and what it does."""

    what: str
    line: str


@dataclass(frozen=True)
class Link:
    """A file beside the page: its name and the way there."""

    name: str
    href: str


@dataclass(frozen=True)
class Extra:
    """A further picture of a figure, e.g. the same at another scale."""

    title: str
    caption: str
    picture: Picture


@dataclass(frozen=True)
class Shown:
    """One figure or table, as one run made it.

    Attributes:
        entry: its entry in ``config/figures.yaml``.
        scale: scale of the run.
        run: what was run, in a few words.
        caption: with its words filled.
        verdicts: rows of ``claims.csv`` on the claims that it shows, the main claim first.
        picture: of figures.
        cells: of tables.
        csv: every number behind it.
        chart: what readers can move through.
        commands: that make it again.
        files: beside the page.
        experiments: anchors of what it was drawn from.
        extras: further pictures.
    """

    entry: Entry
    scale: str
    run: str
    caption: str
    verdicts: pd.DataFrame
    picture: Picture | None = None
    cells: Cells | None = None
    csv: str | None = None
    chart: Chart | None = None
    commands: tuple[Command, ...] = ()
    files: tuple[Link, ...] = ()
    experiments: tuple[str, ...] = ()
    extras: tuple[Extra, ...] = ()

    @property
    def name(self) -> str:
        """Name of its files, and anchor in the page."""
        return self.entry.name

    @property
    def is_sensitivity(self) -> bool:
        """Whether it shows what settings decide that the papers leave open."""
        return self.entry.plot in SENSITIVITY


@dataclass(frozen=True)
class Studied:
    """One experiment of one run: what was assumed, and how its files came about.

    Attributes:
        anchor: in the page.
        name: of the experiment.
        title: in words.
        run: what was run, in a few words.
        assumed: settings that the paper leaves open: key, value, reason, and what it was fitted to.
        costs: time and memory by stage.
        origins: commit, device and end of the files that the page reads.
    """

    anchor: str
    name: str
    title: str
    run: str
    assumed: tuple[dict[str, object], ...] = ()
    costs: tuple[Costs, ...] = ()
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True)
class Report:
    """The page.

    Attributes:
        title: heading.
        scope: what was run, in a few words: scale, or that it is what is committed.
        notes: on scale, data and what is missing; the first one is shown at once.
        figures: in natural order within each paper.
        experiments: behind them.
        others: verdicts on claims that no figure shows.
        discussion: folder of pages, one a paper, that discuss the results; empty if there are none.
        costs_note: what is to be said of the table of times.
        software: versions of packages, each with the experiments whose summaries they made.
        not_run: experiments of which the verdicts speak and that are not part of the run, with the number of claims.
    """

    title: str
    scope: str
    notes: tuple[str, ...]
    figures: tuple[Shown, ...]
    experiments: tuple[Studied, ...]
    others: pd.DataFrame
    discussion: str = ""
    costs_note: str = ""
    software: tuple[tuple[dict[str, str], list[str]], ...] = ()
    not_run: dict[str, int] = field(default_factory=dict)

    def of_paper(self, paper: Paper) -> list[Shown]:
        """Returns the figures and tables of one paper."""
        return [shown for shown in self.figures if shown.entry.paper == paper]


def natural(label: str) -> tuple[object, ...]:
    """Returns a key that sorts labels as readers count: F2 before F10, F1 before F1b."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", label))


def in_natural_order(figures: Sequence[Shown]) -> tuple[Shown, ...]:
    """Returns figures by their labels."""
    return tuple(sorted(figures, key=lambda shown: natural(shown.entry.id)))
