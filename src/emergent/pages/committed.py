"""What is committed of finished runs: summaries, verdicts, tables and captions under ``docs``, published values.

Everything that a page says in numbers is looked up here; whatever is not found is an error, never an empty cell.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from emergent import storage
from emergent.claims.verdict import matches, published_text
from emergent.claims.words import JUDGED
from emergent.config.base import Many, Name, StrictModel, hint, read_yaml, validate
from emergent.config.claims import Claim, read_claims
from emergent.config.references import read_reference
from emergent.errors import DataError
from emergent.pages.measured import Measured
from emergent.statistics.estimate import mean_error


class Run(StrictModel):
    """One finished run of which something is committed."""

    title: str = Field(description="scale and size in a few words, as the README's table shows it")
    scale: str
    description: str = Field(description="one sentence: what was run, on what")
    settings: Many[str] = Field(default=(), description="settings beside the scale, as for --config")
    summaries: Many[Name] = Field(default=(), description="experiments whose summary is committed")
    pictures: Many[Name] = Field(default=(), description="figures and tables that are committed with their captions")


class Runs(StrictModel):
    """All runs by the name of their folder."""

    runs: dict[Name, Run]


def read_runs(docs: Path) -> dict[str, Run]:
    """Returns the runs of ``docs/data/runs.yaml`` by name.

    Raises:
        ConfigError: the file is missing or does not fit the model.
    """
    path = docs / "data" / "runs.yaml"
    return validate(Runs, read_yaml(path), str(path)).runs


class Committed:
    """Looks numbers up in the committed files of a repository."""

    def __init__(self, root: Path) -> None:
        """Opens a repository.

        Args:
            root: its folder; holds ``docs`` and ``config``.
        """
        self.root = root
        self.docs = root / "docs"
        self.runs = read_runs(self.docs)
        # Files are read once for each build, whatever the number of look-ups.
        self.table = cache(self._table)
        self.quantities = cache(self._quantities)
        self.verdicts = cache(self._verdicts)
        self.reference = cache(self._reference)
        self.claims = cache(self._claims)

    def _folder(self, kind: str, run: str) -> Path:
        if run not in self.runs:
            raise DataError(f"docs/data/runs.yaml has no run {run!r}{hint(run, list(self.runs))}.")
        return self.docs / kind / run

    def _table(self, run: str, experiment: str, name: str) -> pd.DataFrame:
        """Returns one table of a committed summary."""
        return storage.read_table(self._folder("data", run) / f"{experiment}_summary.h5", name, "summary")

    def _quantities(self, run: str, experiment: str) -> dict[str, Measured]:
        """Returns the named scalars of a committed summary."""
        table = self.table(run, experiment, "quantities")
        return {
            str(name): Measured(float(value), float(stderr))
            for name, value, stderr in zip(table["name"], table["value"], table["stderr"], strict=True)
        }

    def _verdicts(self, run: str) -> pd.DataFrame:
        """Returns the committed verdicts of a run, of the columns that pages read: ``figures/<scale>/claims.csv``.

        The file keeps the verdicts of its time; those on claims that have been sharpened since read ``superseded``.
        """
        path = self._folder("data", run) / "claims.csv"
        if not path.exists():
            raise DataError(f"{path}: no such file; 'python -m emergent.cli.docs --collect' copies it from a run.")
        table = pd.read_csv(path, keep_default_na=False, na_values={"ours": [""], "ours_stderr": [""]})
        if missing := [name for name in VERDICT_COLUMNS if name not in table.columns]:
            raise DataError(f"{path}: lacks column(s) {', '.join(missing)}.")
        stale = [self._is_superseded(row) for row in table.to_dict("records")]
        table.loc[stale, "verdict"] = "superseded"
        return table

    def _claims(self) -> dict[str, Claim]:
        """Returns today's claims by identifier."""
        return {claim.id: claim for claim in read_claims(self.root / "config" / "claims.yaml")}

    def _is_superseded(self, row: Mapping[Hashable, object]) -> bool:
        """Returns whether a verdict is on an earlier form of a claim: another quantity, or another published side."""
        if row["verdict"] not in JUDGED:
            return False
        claim = self.claims().get(str(row["id"]))
        if claim is None or not matches(claim, [str(row["quantity"])]):
            return True
        return row["published"] != published_text(claim)

    def _reference(self, name: str) -> Any:
        """Returns the published values of one experiment."""
        return read_reference(self.root / "config" / "references" / f"{name}.json")

    def quantity(self, run: str, experiment: str, name: str) -> Measured:
        """Returns one named scalar of a committed summary."""
        quantities = self.quantities(run, experiment)
        if name not in quantities:
            raise DataError(f"{run}, {experiment}: no quantity {name!r}{hint(name, list(quantities)) or '.'}")
        return quantities[name]

    def disjoint(self, run: str, experiment: str, **keys: object) -> Measured:
        """Returns the mean of a metric over disjoint ensembles with its standard error; NaN error if there is one.

        The error is that of figures, the images' part where a summary has it.

        Args:
            run: committed run.
            experiment: experiment with a table ``disjoint``.
            keys: ``arm``, ``data``, ``epoch``, ``ensemble_size`` and ``metric``.
        """
        row = self.row(run, experiment, "disjoint", **keys)
        return Measured(float(row["mean"]), float(mean_error(row["std"], row["num"], row.get("image_stderr", 0.0))))

    def law(self, run: str, experiment: str, column: str, **keys: object) -> Measured:
        """Returns ``floor``, ``slope`` or their ``ratio`` in the law floor + slope / N, of the gap or the divergence.

        Args:
            run: committed run.
            experiment: experiment with a table ``law``.
            column: which of the three.
            keys: ``arm``, ``data``, ``epoch`` and ``quantity`` (``squared_gap`` or ``divergence``).
        """
        row = self.row(run, experiment, "law", **keys)
        return Measured(float(row[column]), float(row[f"{column}_stderr"]))

    def row(self, run: str, experiment: str, name: str, **keys: object) -> pd.Series:
        """Returns the one row of a table that has these values."""
        table = self.table(run, experiment, name)
        for column, value in keys.items():
            if column not in table:
                raise DataError(f"{run}, {experiment}: table {name!r} has no column {column!r}.")
            table = table[table[column] == value]
        return only(table, f"{run}, {experiment}: row of {name!r} with {keys}")

    def ours(self, run: str, claim: str, quantity: str | None = None) -> Measured:
        """Returns our value as it stands in a run's verdicts.

        Args:
            run: committed run.
            claim: identifier in ``config/claims.yaml``.
            quantity: needed where a claim judges several.
        """
        table = self.verdicts(run)
        own = table[table["id"] == claim]
        if quantity is not None:
            own = own[own["quantity"] == quantity]
        row = only(own, f"{run}: verdict on claim {claim!r}, quantity {quantity or 'the only one'}", table["id"], claim)
        return Measured(float(row["ours"]), float(row["ours_stderr"]))

    def published(self, reference: str, quantity: str, x: object = None, **keys: object) -> Measured:
        """Returns one published value with the error that it is compared with (NaN if none is known).

        Args:
            reference: file of ``config/references``.
            quantity: of the series.
            x: abscissa; not needed for a series of one point.
            keys: of the series; those given must agree.
        """
        found = [
            series for series in self.reference(reference).series
            if series.quantity == quantity and all(series.keys.get(name) == value for name, value in keys.items())
        ]  # fmt: skip
        if len(found) != 1:
            raise DataError(f"{reference}: {len(found)} published series of {quantity!r} with {keys}; wanted: one.")
        series = found[0]
        if x is None and len(series.x) == 1:
            x = series.x[0]
        if x not in series.x or series.y[series.x.index(x)] is None:
            raise DataError(f"{reference}, {quantity} with {keys}: no value at {x!r}; there are {list(series.x)}.")
        index = series.x.index(x)
        error = series.error(index)
        return Measured(float(series.y[index]), math.nan if error is None else float(error))


VERDICT_COLUMNS = (
    "id",
    "paper",
    "statement",
    "experiment",
    "quantity",
    "ours",
    "ours_stderr",
    "published",
    "scale",
    "verdict",
    "why",
)
"""Columns of ``claims.csv`` that pages read; the others may be missing."""


def only(table: pd.DataFrame, what: str, names: Iterable[str] = (), name: str = "") -> pd.Series:
    """Returns the only row of a table.

    Raises:
        DataError: there is none, or more than one.
    """
    if len(table) != 1:
        close = hint(name, [str(known) for known in names]) if table.empty else ""
        raise DataError(f"{what}: found {len(table)} times; wanted: once{close}.")
    return table.iloc[0]
