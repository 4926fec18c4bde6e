"""What ``status`` prints: every experiment that is not up to date, once, with what it makes stale; or every figure."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from emergent import storage
from emergent.config.claims import read_claims
from emergent.lineage.ancestry import provenance_of
from emergent.lineage.reasons import some, together, without_numbers
from emergent.lineage.staleness import ExperimentState, Item, Status, differences, made
from emergent.pages.committed import Run, read_runs
from emergent.plan import Plan

MOST_CLAIMS = 4
"""Claims of some experiments that are named; of more their number is."""
ORDER = ("up to date", "stale", "unfinished", "not run", "missing")
COMMITTED = "committed"
"""State of experiments that this folder has not run, and of which a finished run is committed."""


class CommittedRun(NamedTuple):
    """A run of ``docs/data``, and the experiments for which it stands in.

    Attributes:
        name: of the run.
        run: its entry.
        made: when and by which commits its summaries were made.
        experiments: that are not run in this folder.
        changed: of those, how the settings of its summary differ from today's.
    """

    name: str
    run: Run
    made: str
    experiments: tuple[str, ...]
    changed: dict[str, tuple[str, ...]]


class Overview:
    """All that ``status`` says of a run."""

    def __init__(self, plan: Plan, status: Status) -> None:
        """Compares everything.

        Args:
            plan: of the run.
            status: of the same run.
        """
        self._plan, self._status = plan, status
        self.items: tuple[Item, ...] = tuple(status.items())
        self.experiments: tuple[ExperimentState, ...] = tuple(status.experiments())
        self.committed = committed_runs(plan, [e.name for e in self.experiments if e.state == "not run"])
        shown = {name for run in self.committed for name in run.experiments}
        self.states = {e.name: COMMITTED if e.name in shown else e.state for e in self.experiments}
        self._claims: dict[str, list[str]] = {name: [] for name in self.states}
        for claim in read_claims(plan.folder / "claims.yaml"):
            if claim.experiment in self._claims and plan.run.scale in claim.scales:
                self._claims[claim.experiment].append(claim.id)

    def lines(self) -> Iterator[str]:
        """Yields experiments that are not up to date, with their reasons; then figures that are stale by themselves."""
        yield self._counts()
        yield from self._stale_experiments()
        for run in self.committed:
            also = f" --config {' '.join(run.run.settings)}" if run.run.settings else ""
            yield f"from the committed run {run.name}{also}, made {run.made}: {', '.join(run.experiments)}"
        if num := sum(bool(own) for run in self.committed for own in run.changed.values()):
            yield f"    by value: settings of {num} of these summaries have changed since; --all names them"
        if names := [e.name for e in self.experiments if self.states[e.name] == "not run"]:
            yield f"not run: {', '.join(names)}: {self._made_of(names)}"
        figures = [item for item in self.items if item.id]
        for reason, alike in _by_key(figures, _own_reasons):
            if reason:
                yield f"stale for reasons of their own: {ids(alike)}: {'; '.join(reason)}"
        finished = ("up to date", "stale")
        undrawn = [
            item for item in figures
            if item.state == "missing" and all(self.states[name] in finished for name in item.experiments)
        ]  # fmt: skip
        if undrawn:
            yield f"not drawn: {ids(undrawn)}"
        verdicts = self.items[-1]
        if verdicts.own:
            yield f"verdicts, made {verdicts.made}: {'; '.join(_own_reasons(verdicts))}"
        elif verdicts.state == "missing":
            yield "verdicts: not made"
        yield f"Every figure and table by itself: python -m emergent.cli.status --scale {self._plan.run.scale} --all"

    def _stale_experiments(self) -> Iterator[str]:
        wanted = [e for e in self.experiments if self.states[e.name] in ("stale", "unfinished")]
        for (state, reasons), alike in _by_key(wanted, lambda experiment: (experiment.state, experiment.reasons)):
            names = [experiment.name for experiment in alike]
            dates = list(dict.fromkeys(experiment.made for experiment in alike if experiment.made))
            when = f", made {_span(dates)}" if dates else ""
            yield f"{state}: {', '.join(names)}{when}: {self._made_of(names)}"
            yield from (f"    {reason}" for reason in reasons)

    def _counts(self) -> str:
        claims: Counter[str] = Counter()
        for name, own in self._claims.items():
            claims[self._state_of_claims(name)] += len(own)
        figures = Counter(item.state for item in self.items if item.id)
        return (
            f"scale {self._plan.run.scale}. Experiments: {_told(Counter(self.states.values()))}. "
            f"Figures and tables: {_told(figures)}{self._drawn_elsewhere()}. Claims: {_told(claims)}."
        )

    def _state_of_claims(self, experiment: str) -> str:
        state, verdicts = self.states[experiment], self.items[-1]
        return "stale" if state == "up to date" and (verdicts.own or verdicts.state == "missing") else state

    def _drawn_elsewhere(self) -> str:
        pictures = {name for run in self.committed for name in run.run.pictures}
        num = sum(item.state == "missing" and item.name in pictures for item in self.items)
        return f" ({num} of these committed)" if num else ""

    def _made_of(self, experiments: Iterable[str]) -> str:
        """Returns the figures, tables and claims that some experiments lead to."""
        wanted = list(experiments)
        figures = [item for item in self.items if item.id and set(wanted) & set(item.experiments)]
        claims = [claim for name in wanted for claim in self._claims[name]]
        told = [ids(figures)] if figures else []
        if claims:
            told.append(f"{len(claims)} claims" if len(claims) > MOST_CLAIMS else f"claims {', '.join(claims)}")
        return "; ".join(told) or "shown by no figure"

    def every_item(self) -> Iterator[str]:
        """Yields every figure and table and the verdicts, up to date or not, each with all of its reasons."""
        counts = Counter(item.state for item in self.items)
        yield f"scale {self._plan.run.scale}: {len(self.items)} figures, tables and verdicts: {_told(counts)}."
        for item in self.items:
            yield f"{item.id:5s} {item.name:34s} {item.state:10s}{f'  made {item.made}' if item.made else ''}"
            yield from (f"        {reason}" for reason in item.reasons)
        for name, own in ((name, own) for run in self.committed for name, own in run.changed.items() if own):
            yield f"        {name}, summary of the committed run: by value: {some(own)}"
        for name, own in self._claims.items():
            if own and self._state_of_claims(name) != "up to date":
                yield f"        claims of {name}, {self._state_of_claims(name)}: {', '.join(own)}"


def committed_runs(plan: Plan, experiments: Iterable[str]) -> tuple[CommittedRun, ...]:
    """Returns the committed runs of a scale that hold some experiments; where several do, the last of them.

    Args:
        plan: of the run; ``docs`` lies beside its folder of configuration, or is missing.
        experiments: those that are asked for.
    """
    docs, wanted = plan.folder.parent / "docs", dict.fromkeys(experiments)
    if not (docs / "data" / "runs.yaml").exists():
        return ()
    scale, found = plan.run.scale, list[CommittedRun]()
    for name, run in reversed(read_runs(docs).items()):
        paths = {own: docs / "data" / name / f"{own}_summary.h5" for own in run.summaries if own in wanted}
        paths = {own: path for own, path in paths.items() if run.scale == scale and path.exists()}
        if not paths:
            continue
        for own in paths:
            del wanted[own]
        changed = {own: _changes(path, plan.stage_json(scale, own, "summary")) for own, path in paths.items()}
        dates = list(dict.fromkeys(made(provenance_of(path)) for path in paths.values()))
        found.append(CommittedRun(name, run, _span(dates), tuple(paths), changed))
    return tuple(reversed(found))


def _changes(path: Path, text: str) -> tuple[str, ...]:
    before = storage.peek_attributes(path).get("config_json", "{}")
    return without_numbers(differences(json.loads(before), json.loads(text)))


def _own_reasons(item: Item) -> tuple[str, ...]:
    return together((reason._replace(stage="") for reason in item.own), {})


def ids(items: Iterable[Item]) -> str:
    """Returns the figures and tables of each paper, e.g. ``gerken_kessel F1, F2; misof F4``."""
    return "; ".join(
        f"{paper} {', '.join(item.id for item in own)}" for paper, own in _by_key(items, lambda item: item.paper)
    )


def _by_key(items: Iterable[Any], key: Callable[[Any], Any]) -> Iterable[tuple[Any, list[Any]]]:
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found.items()


def _span(dates: list[str]) -> str:
    """Returns one time and commit, or the first and the last of several."""
    if not dates:
        return "not recorded"
    first, last = min(dates), max(dates)
    (begin, _, by), (end, _, also_by) = first.partition(", "), last.partition(", ")
    if begin == end:
        return first
    return f"{begin} to {end}, {by}" if by == also_by else f"{first} to {last}"


def _told(counts: Mapping[str, int]) -> str:
    order = {state: i for i, state in enumerate(ORDER)}
    told = sorted((state for state in counts if counts[state]), key=lambda state: order.get(state, len(order)))
    return ", ".join(f"{counts[state]} {state}" for state in told) or "none"
