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

from emergent.errors import DataError
from emergent.pages.build import functions
from emergent.pages.committed import Committed
from emergent.pages.overview import read_overview

ARTEFACTS = {
    "q": "docs/data/{run}/{experiment}_summary.h5",
    "disjoint": "docs/data/{run}/{experiment}_summary.h5",
    "law": "docs/data/{run}/{experiment}_summary.h5",
    "size_table": "docs/data/{run}/{experiment}_summary.h5",
    "differing_table": "docs/templates/overview.yaml",
    "points_table": "docs/data/{run}/{experiment}_summary.h5",
    "points_misfit": "docs/data/{run}/{experiment}_summary.h5",
    "misfit": "docs/data/{run}/{experiment}_summary.h5",
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
    return _expressions(template, committed)


def holding(number: str, found: list[Printed]) -> list[Printed]:
    """Returns what prints a number, as it stands on the page, with nothing of a longer number around it."""
    pattern = re.compile(rf"(?<![\d.]){re.escape(number)}(?![\d]|\.\d)")
    return [item for item in found if pattern.search(item.text)]


def _expressions(template: Path, committed: Committed) -> list[Printed]:
    found: list[Printed] = []
    pending: list[Lookup] = []

    def finalize(value: object) -> object:
        # Called once for every expression, after its look-ups; also for the plain text between them.
        if pending:
            found.append(Printed(str(value), tuple(pending)))
            pending.clear()
        return value

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=finalize)
    for name, function in functions(committed).items():
        environment.globals[name] = (
            _recorded(name, function, pending, committed.root) if callable(function) else function
        )
    environment.from_string(template.read_text(encoding="utf-8")).render()
    return found


def _recorded(name: str, function: Callable[..., Any], pending: list[Lookup], root: Path) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        answer = function(*arguments, **named)
        if name in ARTEFACTS:
            words = [*(repr(value) for value in arguments), *(f"{key}={value!r}" for key, value in named.items())]
            line = str(answer)
            path = _artefact(name, function, arguments, named, root)
            # Tables and captions are long, and are shown by what was found in them.
            pending.append(Lookup(f"{name}({', '.join(words)})", path, line if len(line) <= 80 else ""))
        return answer

    return call


def _artefact(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], root: Path
) -> Path | None:
    try:
        bound = inspect.signature(function).bind(*arguments, **named).arguments
        # ``points_misfit`` passes its arguments on: run and experiment come first.
        run, experiment = (*arguments, "", "")[:2]
        path = Path(ARTEFACTS[name].format(**{"run": run, "experiment": experiment} | bound))
    except (TypeError, KeyError):
        return None
    return path if (root / path).exists() else None


def _readme(committed: Committed) -> list[Printed]:
    """Returns the verdicts that stand in the table, by line."""
    found = []
    lines = {(paper, line.label): line for paper, own in read_overview(committed.docs).items() for line in own}
    for text in (committed.root / "README.md").read_text(encoding="utf-8").splitlines():
        label = re.match(r"\| \[([^]]+)\]\(docs/results/(\w+)\.md\)", text)
        if label and (line := lines.get((label[2], label[1]))):
            verdict, judged = text.split(" | ")[3:5]
            lookups = [
                Lookup(f"verdicts of run {run} on {', '.join(line.claims)}", Path(f"docs/data/{run}/claims.csv"), "")
                for run in (line.judged, line.also_judged)
                if run
            ]
            found.append(Printed(f"{line.label} ({label[2]}): {verdict}, {judged} judged", tuple(lookups)))
    return found
