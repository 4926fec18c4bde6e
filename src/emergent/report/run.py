"""Reads what the page shows from a finished run of one scale."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from emergent.config.figure_kinds import Entry
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.errors import DataError
from emergent.provenance import SIDECAR, read_sidecar, software
from emergent.report import origin
from emergent.report.charts import chart_of, read_inputs
from emergent.report.content import Command, Link, Report, Shown, Studied, in_natural_order
from emergent.report.sources import by_figure, checked, read_cells, read_picture, read_text, read_verdicts, settings_of

FILES = {"figure": ("pdf", "svg", "png", "csv"), "table": ("tex", "md", "csv")}
"""Files beside the page that it leads to."""

SCALES = {
    "smoke": "It checks the pipeline in minutes on two cores, with few small networks on stand-ins for the published "
    "data: its numbers are not meant to agree with the published ones.",
    "laptop": "It uses the real data, and smaller networks and ensembles than the papers'. Statements about behaviour "
    "are tested; published numbers stand beside ours without a verdict.",
    "paper": "It has the sizes of the papers as far as they are known, and published numbers are tested.",
}


@dataclass(frozen=True)
class RunFolders:
    """Where a run is, and what belongs to it.

    Attributes:
        scale: smoke, laptop or paper.
        results: its folder of results, e.g. ``results/smoke``.
        figures: its folder of figures, e.g. ``figures/smoke``.
        config: the folder ``config``.
        names: figures and tables of the run.
        experiments: of the run.
        sidecars: provenance of its files.
        settings: of the run beside its scale, as for ``--config``.
        output: where the page will be, for the way from there to other files.
    """

    scale: str
    results: Path
    figures: Path
    config: Path
    names: tuple[str, ...]
    experiments: tuple[str, ...]
    sidecars: tuple[Path, ...]
    settings: tuple[str, ...]
    output: Path

    @cached_property
    def catalogue(self) -> dict[str, Entry]:
        """Figures and tables of the run by name."""
        known = read_catalogue(self.config / "figures.yaml")
        if unknown := [name for name in self.names if name not in known]:
            raise DataError(
                f"{self.config}/figures.yaml has no figure(s) {', '.join(unknown)}, of which the page asks."
            )
        return {name: known[name] for name in self.names}

    def summary(self, experiment: str) -> Path:
        """Returns the summary of one experiment."""
        return self.results / experiment / "summary.h5"


def read_run(folders: RunFolders, notes: Sequence[str] = ()) -> Report:
    """Returns the page of a run.

    Args:
        folders: where it is.
        notes: sentences on its data.

    Raises:
        DataError: a file of the run is missing or not what the pipeline writes.
    """
    verdicts = read_verdicts(folders.figures / "claims.csv")
    absent = verdicts["verdict"] == "not run"
    claims = by_figure(verdicts[~absent], folders.catalogue)
    none = checked(pd.DataFrame(columns=verdicts.columns), "no verdicts")
    figures = [_shown(folders, entry, claims.get(name, none)) for name, entry in folders.catalogue.items()]
    records = {path: read_sidecar(path) for path in folders.sidecars}
    facts = {name: _facts_of(folders, name, records) for name in folders.experiments}
    made_with = software({name: own["summary.h5"] for name, own in facts.items() if "summary.h5" in own})
    missing = verdicts.loc[absent, "experiment"].value_counts(sort=False)
    settings = f" With {', '.join(folders.settings)}." if folders.settings else ""
    return Report(
        title="Emergent equivariance of deep ensembles",
        scope=f"One run at {folders.scale} scale.{settings}",
        notes=(SCALES[folders.scale], *notes),
        figures=in_natural_order(figures),
        experiments=tuple(_studied(folders, name, own) for name, own in facts.items()),
        others=claims.get("", none),
        software=made_with,
        not_run={str(name): int(num) for name, num in missing.items()},
    )


def _shown(folders: RunFolders, entry: Entry, verdicts: pd.DataFrame) -> Shown:
    stem = folders.figures / entry.paper / entry.name
    caption = read_text(stem.with_suffix(".txt")).strip()
    references = {name: read_reference(folders.config / "references" / f"{name}.json") for name in entry.references}
    inputs = read_inputs(entry, {name: folders.summary(name) for name in entry.experiments})
    is_table = entry.kind == "table"
    target = stem.with_suffix(".md" if is_table else ".pdf")
    files = [stem.with_suffix(f".{suffix}") for suffix in FILES[entry.kind]]
    return Shown(
        entry=entry,
        scale=folders.scale,
        run=f"{folders.scale} scale",
        caption=caption,
        verdicts=verdicts,
        picture=None if is_table else read_picture(stem.with_suffix(".png"), entry, caption),
        cells=read_cells(stem.with_suffix(".md")) if is_table else None,
        csv=read_text(stem.with_suffix(".csv")),
        chart=chart_of(entry, inputs, references),
        commands=(Command("From the raw data, or from what is there already", command(target, folders.scale,
                                                                                     folders.settings)),),
        files=tuple(Link(file.name, os.path.relpath(file, folders.output.parent)) for file in files if file.exists()),
        experiments=tuple(f"experiment-{name}" for name in entry.experiments),
    )  # fmt: skip


def command(target: Path, scale: str, settings: Sequence[str]) -> str:
    """Returns the line that makes a file of a run."""
    options = f" --config scale={scale} {' '.join(settings)}" if settings else ""
    return f"snakemake --cores 2 {target}{options}"


def _facts_of(
    folders: RunFolders, experiment: str, records: Mapping[Path, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Returns the facts of the files of one experiment by their path below its folder."""
    folder = folders.results / experiment
    return {
        str(path.relative_to(folder)).removesuffix(SIDECAR): facts for path, facts in records.items()
        if path.is_relative_to(folder)
    }  # fmt: skip


def _studied(folders: RunFolders, experiment: str, facts: Mapping[str, Mapping[str, Any]]) -> Studied:
    settings = settings_of(folders.summary(experiment))
    return Studied(
        anchor=f"experiment-{experiment}",
        name=experiment,
        title=str(settings.get("title", experiment)),
        run=f"{folders.scale} scale",
        assumed=tuple(settings.get("assumed", ())),
        costs=origin.costs(facts),
        origins=tuple(origin.origin(file, own) for file, own in facts.items() if file == "summary.h5"),
    )
