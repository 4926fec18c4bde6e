"""Reads what the page shows from the runs that are committed under ``docs``.

A figure is shown as the run drew it whose verdicts the README's table names, or else the run that kept its picture.
What was not kept is drawn from the committed summary, as are the numbers behind each picture.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from emergent.config.figure_kinds import Entry
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, Tabulation
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw
from emergent.figures.save import PNG_DPI, csv_text, fill_caption
from emergent.pages.committed import Committed, Run
from emergent.pages.overview import read_overview
from emergent.provenance import read_sidecar, sidecar_path, software
from emergent.report import origin
from emergent.report.charts import chart_of, read_inputs
from emergent.report.content import Cells, Command, Extra, Report, Shown, Studied, in_natural_order
from emergent.report.pictures import alternative, embedded
from emergent.report.run import command
from emergent.report.sources import by_figure, checked, in_order, read_cells, read_picture, read_text, settings_of

COSTS_NOTE = "Of these runs the provenance of summaries is kept; times of training are in docs/performance.md."


class _Repository:
    """What is committed, and which run shows which figure."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.committed = Committed(root)
        self.runs = self.committed.runs
        self.catalogue = read_catalogue(root / "config" / "figures.yaml")
        lines = [line for paper in read_overview(root / "docs").values() for line in paper]
        self.judged = {name: line.judged for line in lines for name in line.figures}
        self.rows = {run: self._rows(run) for run in self.runs}
        self.verdicts = {run: by_figure(rows, self.catalogue) for run, rows in self.rows.items()}

    def _rows(self, run: str) -> pd.DataFrame:
        """Returns the verdicts of a run on experiments of its own."""
        rows = checked(self.committed.verdicts(run), f"docs/data/{run}/claims.csv")
        drawn = {experiment for name in self.runs[run].pictures for experiment in self.catalogue[name].experiments}
        return rows[(rows["verdict"] != "not run") & rows["experiment"].isin({*self.runs[run].summaries, *drawn})]

    def has(self, run: str, entry: Entry) -> bool:
        """Tells whether a run kept what a figure is drawn from, or its picture."""
        return entry.name in self.runs[run].pictures or set(entry.experiments) <= set(self.runs[run].summaries)

    def runs_of(self, entry: Entry) -> list[str]:
        """Returns the runs that can show a figure: the one that is judged, those with its picture, then the others."""
        able = [run for run in self.runs if self.has(run, entry)]
        judged = [run for run in able if run == self.judged.get(entry.name)]
        kept = [run for run in able if entry.name in self.runs[run].pictures]
        return list(dict.fromkeys([*judged, *kept, *able]))

    def summary(self, run: str, experiment: str) -> Path:
        return self.root / "docs" / "data" / run / f"{experiment}_summary.h5"

    def stem(self, run: str, name: str) -> Path:
        return self.root / "docs" / "figures" / run / name


def read_committed(root: Path) -> Report:
    """Returns the page of all that is committed.

    Args:
        root: the repository.

    Raises:
        DataError: what a run should have is missing.
    """
    repository = _Repository(root)
    figures = [
        _shown(repository, entry, runs)
        for entry in repository.catalogue.values()
        if (runs := repository.runs_of(entry))
    ]
    claims = {str(claim) for shown in figures for claim in shown.verdicts["id"]}
    rest = pd.concat(list(repository.rows.values()), ignore_index=True)
    rest = rest[~rest["id"].isin(claims)].drop_duplicates(["id", "quantity"])
    facts = {
        (run, name): read_sidecar(sidecar_path(repository.summary(run, name)))
        for run, kept in repository.runs.items() for name in kept.summaries
    }  # fmt: skip
    return Report(
        title="Emergent equivariance of deep ensembles",
        scope="Here: the runs that are kept in the repository.",
        notes=_notes(figures),
        figures=in_natural_order(figures),
        experiments=tuple(_studied(repository, run, name, own) for (run, name), own in facts.items()),
        others=rest,
        discussion="docs/results",
        costs_note=COSTS_NOTE,
        software=software({f"{name} ({run})": own for (run, name), own in facts.items()}),
    )


def _notes(figures: Sequence[Shown]) -> tuple[str, ...]:
    """Returns what is to be said of the runs: how many are of the published size, and what was kept of them."""
    whole = sum(shown.run == "paper scale" for shown in figures)
    part = sum(shown.scale == "paper" for shown in figures) - whole
    return (
        f"Of {len(figures)} figures and tables {whole} come from a run of the published size and {part} from one with "
        "part of its ensembles; the other runs are smaller, and what only a larger one can test has no verdict.",
        "Every picture is that of the run named beside it, and so are its numbers, its chart and its verdicts.",
    )


def _shown(repository: _Repository, entry: Entry, runs: list[str]) -> Shown:
    run = runs[0]
    kept = repository.runs[run]
    drawn = _draw(repository, run, entry) if set(entry.experiments) <= set(kept.summaries) else None
    stem = repository.stem(run, entry.name)
    caption = (
        read_text(stem.with_suffix(".txt")).strip() if entry.name in kept.pictures else _caption(entry, kept, drawn)
    )
    picture, cells = None, None
    if entry.kind == "table":
        cells = read_cells(stem.with_suffix(".md")) if entry.name in kept.pictures else _cells(entry, drawn)
    elif entry.name in kept.pictures:
        picture = read_picture(stem.with_suffix(".png"), entry, caption)
    else:
        picture = embedded(_png(entry, drawn), alternative(entry, caption), entry.name)
    return Shown(
        entry=entry,
        scale=kept.scale,
        run=kept.title,
        caption=caption,
        verdicts=_verdicts(repository, entry, runs),
        picture=picture,
        cells=cells,
        csv=None if drawn is None else csv_text(drawn[1].data),
        chart=None if drawn is None else chart_of(entry, drawn[0], _references(repository.root, entry)),
        commands=_commands(entry, run, kept),
        experiments=tuple(f"experiment-{run}-{name}" for name in entry.experiments if name in kept.summaries),
        extras=tuple(_extras(repository, entry, runs)),
    )


def _draw(repository: _Repository, run: str, entry: Entry) -> tuple[Inputs, Drawing | Tabulation]:
    inputs = read_inputs(entry, {name: repository.summary(run, name) for name in entry.experiments})
    return inputs, draw(entry, inputs, _references(repository.root, entry))


def _references(root: Path, entry: Entry) -> References:
    return {name: read_reference(root / "config" / "references" / f"{name}.json") for name in entry.references}


def _caption(entry: Entry, kept: Run, drawn: tuple[Inputs, Drawing | Tabulation] | None) -> str:
    if drawn is None:
        raise DataError(f"{entry.name}: neither its caption nor what it is drawn from is committed.")
    return fill_caption(entry, drawn[1].facts, kept.scale, ())


def _cells(entry: Entry, drawn: tuple[Inputs, Drawing | Tabulation] | None) -> Cells:
    if drawn is None or not isinstance(drawn[1], Tabulation):
        raise DataError(f"{entry.name}: expected a table, and what it is made from among the committed summaries.")
    cells = drawn[1].cells
    rows = [(str(label), *map(str, row)) for label, row in zip(cells.index, cells.to_numpy(), strict=True)]
    return Cells(("", *map(str, cells.columns)), tuple(rows))


def _png(entry: Entry, drawn: tuple[Inputs, Drawing | Tabulation] | None) -> bytes:
    if drawn is None or not isinstance(drawn[1], Drawing):
        raise DataError(f"{entry.name}: expected a figure, and what it is drawn from among the committed summaries.")
    buffer = io.BytesIO()
    with style.context():
        drawn[1].figure.savefig(buffer, format="png", dpi=PNG_DPI)
    return buffer.getvalue()


def _verdicts(repository: _Repository, entry: Entry, runs: list[str]) -> pd.DataFrame:
    """Returns the verdicts on the claims of a figure, of each claim those of the first run that speaks of it."""
    found: list[pd.DataFrame] = []
    known: set[str] = set()
    for run in runs:
        rows = repository.verdicts[run].get(entry.name)
        if rows is not None:
            fresh = rows[~rows["id"].isin(known)]
            known |= set(fresh["id"])
            found.append(fresh)
    rows = pd.concat(found, ignore_index=True) if found else next(iter(repository.rows.values())).iloc[:0]
    return in_order(rows, entry)


def _commands(entry: Entry, run: str, kept: Run) -> tuple[Command, ...]:
    suffix = "md" if entry.kind == "table" else "pdf"
    target = Path("figures") / kept.scale / entry.paper / f"{entry.name}.{suffix}"
    commands = [Command("From the raw data", command(target, kept.scale, kept.settings))]
    if set(entry.experiments) <= set(kept.summaries):
        summaries = [f"summary {name}=docs/data/{run}/{name}_summary.h5" for name in entry.experiments]
        references = [f"reference config/references/{name}.json" for name in entry.references]
        verb = " \\\n    --".join([
            f"python -m emergent.cli.{entry.kind}", f"config results/figures/{entry.name}.json", f"scale {kept.scale}",
            *summaries, *references, f"output-stem figures/committed/{entry.name}",
        ])  # fmt: skip
        line = f"snakemake --cores 1 results/figures/{entry.name}.json\n{verb}"
        commands.append(Command("From the committed summary, in seconds", line))
    return tuple(commands)


def _extras(repository: _Repository, entry: Entry, runs: list[str]) -> list[Extra]:
    """Returns the animation of a figure, and its pictures from other runs."""
    extras = []
    for run in runs:
        if entry.kind != "figure" or entry.name not in repository.runs[run].pictures:
            continue
        stem, title = repository.stem(run, entry.name), repository.runs[run].title
        caption = read_text(stem.with_suffix(".txt")).strip()
        if run != runs[0]:
            extras.append(Extra(f"The same at another scale: {title}", caption,
                                read_picture(stem.with_suffix(".png"), entry, caption)))  # fmt: skip
        if stem.with_suffix(".gif").exists():
            extras.append(Extra("Animation", caption, read_picture(stem.with_suffix(".gif"), entry, caption)))
    return extras


def _studied(repository: _Repository, run: str, experiment: str, facts: Mapping[str, object]) -> Studied:
    settings = settings_of(repository.summary(run, experiment))
    return Studied(
        anchor=f"experiment-{run}-{experiment}",
        name=experiment,
        title=str(settings.get("title", experiment)),
        run=repository.runs[run].title,
        assumed=tuple(settings.get("assumed", ())),
        costs=origin.costs({"summary.h5": facts}),
        origins=(origin.origin(f"docs/data/{run}/{experiment}_summary.h5", facts),),
    )
