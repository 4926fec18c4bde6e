"""Which committed files a number on a page comes from: pages are rendered again, and every look-up is recorded.

What an expression of a template prints is known together with the look-ups that were made for it, so that ratios and
numbers in other formats are traced like those that are printed as they are.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from emergent.config.figures import read_catalogue
from emergent.errors import DataError
from emergent.pages.build import functions
from emergent.pages.committed import Committed
from emergent.pages.comparisons import Reading
from emergent.pages.overview import read_overview

ARTEFACTS = {
    "q": "docs/data/{run}/{experiment}_summary.h5",
    "factor": "docs/data/{run}/{experiment}_summary.h5",
    "disjoint": "docs/data/{run}/{experiment}_summary.h5",
    "law": "docs/data/{run}/{experiment}_summary.h5",
    "size_table": "docs/data/{run}/{experiment}_summary.h5",
    "differing_table": "docs/templates/overview.yaml",
    "points_table": "docs/data/{run}/{experiment}_summary.h5",
    "points_misfit": "docs/data/{run}/{experiment}_summary.h5",
    "misfit": "docs/data/{run}/{experiment}_summary.h5",  # of every reading
    "spread_of_arms": "docs/data/{run}/{experiment}_summary.h5",
    "ours": "docs/data/{run}/claims.csv",
    "claim": "docs/data/{run}/claims.csv",
    "verdict_counts": "docs/data/{run}/claims.csv",
    "verdict_table": "docs/data/{run}/claims.csv",
    "beside_table": "docs/data/{run}/claims.csv",
    "published": "config/references/{reference}.json",
    "picture": "docs/figures/{run}/{name}.txt",
    "caption": "docs/figures/{run}/{name}.txt",
    "cell": "docs/figures/{run}/{name}.md",
    "whole_table": "docs/figures/{run}/{name}.md",
}
"""File behind each function of the templates, by its arguments; the others combine what these return."""


@dataclass(frozen=True)
class Lookup:
    """One look-up: how the template calls it, the file that answers, and what it answers in one line."""

    call: str
    path: Path | None
    answer: str


@dataclass(frozen=True)
class Printed:
    """What one expression of a template prints, and the look-ups behind it."""

    text: str
    lookups: tuple[Lookup, ...]


def printed(root: Path, page: str) -> list[Printed]:
    """Returns what the expressions of a page print.

    Args:
        root: the repository.
        page: below the root: a page of ``docs/results``, or ``README.md``, whose lines of the table count as printed.

    Raises:
        DataError: the page is not made from data.
    """
    committed = Committed(root)
    if page == "README.md":
        return _readme(committed)
    template = root / "docs" / "templates" / Path(page).name
    if Path(page).parent != Path("docs/results") or not template.exists():
        known = ", ".join(["README.md", *(f"docs/results/{path.name}" for path in template.parent.glob("*.md"))])
        raise DataError(f"{page}: expected a page that is made from data, one of {known}.")
    return _Recorder(template, committed).render()


def holding(number: str, found: list[Printed]) -> list[Printed]:
    """Returns what prints a number, as it stands on the page, with nothing of a longer number around it."""
    pattern = re.compile(rf"(?<![\d.]){re.escape(number)}(?![\d]|\.\d)")
    return [item for item in found if pattern.search(item.text)]


class _Recorder:
    """Renders one template, and keeps what its expressions print with the look-ups that they were made of."""

    def __init__(self, template: Path, committed: Committed) -> None:
        self.found: list[Printed] = []
        self._committed = committed
        self._pending: list[Lookup] = []
        # Look-ups by line of the template, for what was looked up before it is printed: by ``set`` or in a macro.
        self._made: dict[int, list[Lookup]] = {}
        self._lines = template.read_text(encoding="utf-8").splitlines()
        self._set = [re.findall(r"\w+", " ".join(re.findall(r"{% set ([\w, ]+?) =", line))) for line in self._lines]

    def render(self) -> list[Printed]:
        """Returns what prints a number or was looked up."""
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=self._finalize)
        for name, function in functions(self._committed).items():
            if name in ARTEFACTS and callable(function):
                environment.globals[name] = self._recorded(name, function)
            else:
                environment.globals[name] = function
        environment.from_string("\n".join(self._lines)).render()
        return self.found

    def _finalize(self, value: object) -> object:
        # Called once for every expression, after its look-ups; also for the plain text between them, by no line.
        if lookups := self._pending or (self._lookups_of(value, _line()) if re.search(r"\d", str(value)) else []):
            # Of several, that which was printed as it is.
            exactly = [lookup for lookup in lookups if lookup.answer == str(value)]
            self.found.append(Printed(str(value), tuple(dict.fromkeys(exactly or lookups))))
        self._pending = []
        return value

    def _lookups_of(self, value: object, line: int) -> list[Lookup]:
        """Returns the look-ups that what a line prints can be made of: its own, and those of the variables in it."""
        if not line:
            return []
        text = self._lines[line - 1]
        # A name that is set anew is the later one.
        places = {name: number for number in range(1, line) for name in self._set[number - 1]}
        lines = sorted({number for name, number in places.items() if re.search(rf"\b{name}\b", text)})
        if not isinstance(value, int):
            # A whole number that nobody set is the counter of a loop.
            lines.append(line)
        return [lookup for number in lines for lookup in self._made.get(number, ())]

    def _recorded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            answer = function(*arguments, **named)
            words = [*(repr(value) for value in arguments), *(f"{key}={value!r}" for key, value in named.items())]
            # Tables and captions are long, and are shown by what was found in them.
            line = str(answer) if len(str(answer)) <= 80 else ""
            known = inspect.signature(function).bind(*arguments, **named).arguments
            paths = artefacts(self._committed, name, arguments, known) or [None]
            lookups = [Lookup(f"{name}({', '.join(words)})", path, line) for path in paths]
            self._pending += lookups
            self._made.setdefault(_line(), []).extend(lookups)
            return answer

        return call


def _line() -> int:
    """Returns the line of a template that is being rendered, of a macro that of its call; 0 outside of rendering."""
    line, frame = 0, inspect.currentframe()
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(frame.f_lineno)
        frame = frame.f_back
    return line


def artefacts(committed: Committed, name: str, arguments: tuple[Any, ...], known: dict[str, Any]) -> list[Path]:
    """Returns the files that answer a look-up.

    Args:
        committed: data.
        name: of the function.
        arguments: by place.
        known: by the names of the function's parameters.
    """
    # ``points_misfit`` passes its arguments on: run, experiment and reference come first.
    run, experiment, reference = (*arguments, "", "", "")[:3]
    if name == "misfit":
        readings: tuple[Reading, ...] = tuple(known["readings"])
        found = [_summary(run, reading.experiment) for reading in readings]
        found += [f"config/references/{reading.reference}.json" for reading in readings]
    elif name == "differing_table":
        lines = read_overview(committed.docs)[known["paper"]]
        judged = [run for line in lines for run in (line.judged, line.also_judged) if run]
        found = ["docs/templates/overview.yaml", *(f"docs/data/{run}/claims.csv" for run in judged)]
    else:
        found = [ARTEFACTS[name].format(**{"run": run, "experiment": experiment, "reference": reference} | known)]
    if name in ("points_table", "points_misfit"):
        found.append(f"config/references/{reference}.json")
    if name in ("picture", "caption", "cell", "whole_table"):
        # Drawn of the summaries that are committed beside; not every run's are.
        entry = read_catalogue(committed.root / "config" / "figures.yaml").get(known["name"])
        found += [_summary(run, experiment) for experiment in (entry.experiments if entry else ())]
    return [Path(path) for path in dict.fromkeys(found) if (committed.root / path).exists()]


def _summary(run: str, experiment: str) -> str:
    return ARTEFACTS["q"].format(run=run, experiment=experiment)


def _readme(committed: Committed) -> list[Printed]:
    """Returns the verdicts that stand in the table, by line."""
    found = []
    papers = read_overview(committed.docs).items()
    lines = {(line.page or paper, line.label): line for paper, own in papers for line in own}
    for text in (committed.root / "README.md").read_text(encoding="utf-8").splitlines():
        label = re.match(r"\| \[([^]]+)\]\(docs/results/(\w+)\.md\)", text)
        if label and (line := lines.get((label[2], label[1]))):
            verdict, judged, titles = text.removesuffix(" |").split(" | ")[3:6]
            runs = [run for run in (line.judged, line.also_judged) if run]
            lookups = [
                Lookup(f"verdicts of run {run} on {', '.join(line.claims)}", Path(f"docs/data/{run}/claims.csv"), "")
                for run in runs
            ]
            where = f"{line.label} ({label[2]})"
            found.append(Printed(f"{where}: {verdict}, {judged} judged", tuple(lookups)))
            described = tuple(
                Lookup(f"title of run {run}", Path("docs/data/runs.yaml"), committed.runs[run].title)
                for run in dict.fromkeys([*runs, *line.runs])
            )
            found.append(Printed(f"{where}: run at {titles}", described))
    return found
