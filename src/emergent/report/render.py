"""Renders the page: one HTML file that holds all that it shows."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from urllib.parse import quote

import jinja2
import pandas as pd

from emergent.claims.words import GROUP_MEANINGS, JUDGED, MEANINGS, count_verdicts
from emergent.config.papers import PAPERS, PaperFacts
from emergent.errors import DataError
from emergent.pages.measured import Measured
from emergent.report.content import Report, Shown, Studied
from emergent.report.findings import Outcome, difference, outcome, printed, shares, shown, words_of
from emergent.report.origin import duration
from emergent.report.pictures import data_uri

LEAD = (
    "Train neural networks with data augmentation and average their outputs: the ensemble becomes equivariant, though "
    "its members are not. Every figure of the papers on it, made again from raw data, beside what was published."
)
MARKS = {
    "agrees": "✓", "fitted": "≈", "differs": "✗", "inconclusive": "?", "missing": "!", "not tested at this scale": "·",
    "not run": "·", "superseded": "↺", "mixed": "±", "unjudged": "·", "none": "–",
}  # fmt: skip
"""Sign of each verdict, so that colours are not all that tells them apart."""
PLURALS = {"agrees": "agree", "differs": "differ", "unjudged": "not tested at this scale", "none": "nothing to compare"}
"""Words for several comparisons or figures, where they are not those for one."""
LARGEST_CSV = 1_500_000
"""Most characters of numbers that a page holds of one figure: browsers do not save longer addresses."""
LARGEST_PLAIN = 40_000
"""Most characters of numbers that a page holds as they are; longer ones are packed."""
LARGEST_PAGE = 15_000_000
"""Most bytes of the page, so that it can be sent and opens at once."""
THUMB = (132, 88)
"""Width and height in which small pictures are shown, in pixels of the page."""


@dataclass(frozen=True)
class Line:
    """A figure as the templates show it."""

    shown: Shown
    outcome: Outcome
    experiments: tuple[Studied, ...]
    neighbours: tuple[str, ...]

    @cached_property
    def rows(self) -> list[dict[str, object]]:
        """Its comparisons."""
        return comparison_rows(self.shown.verdicts)

    @property
    def counts_text(self) -> str:
        """How its comparisons came out, in words."""
        return ", ".join(f"{number} {plural(word)}" for word, number in self.outcome.counts.items())

    @property
    def silence(self) -> str:
        """What stands in place of a published statement."""
        if self.neighbours:
            return f"compared in {', '.join(self.neighbours)}"
        return "no published number"

    @property
    def thumb(self) -> tuple[int, int]:
        """Size of its small picture."""
        if self.shown.picture is None:
            return THUMB
        factor = min(THUMB[0] / self.shown.picture.width, THUMB[1] / self.shown.picture.height)
        return round(self.shown.picture.width * factor), round(self.shown.picture.height * factor)

    @property
    def extra_run(self) -> str:
        """What is to be said of the run beside its scale."""
        return self.shown.run.removeprefix(f"{self.shown.scale} scale").removeprefix(self.shown.scale).strip()

    @cached_property
    def csv_href(self) -> str:
        """Its numbers as an address that holds them, packed if they are many; empty if there are none, or too many."""
        if not (text := self.shown.csv):
            return ""
        plain = f"data:text/csv;charset=utf-8,{quote(text, safe=',')}"
        if len(plain) <= LARGEST_PLAIN:
            return plain
        packed = data_uri("application/gzip", gzip.compress(text.encode(), mtime=0))
        return packed if len(packed) <= LARGEST_CSV else ""

    @property
    def csv_name(self) -> str:
        """Name under which they are saved."""
        return f"{self.shown.name}.csv" + ".gz" * self.csv_href.startswith("data:application/gzip")

    @property
    def csv_lines(self) -> int:
        """Number of lines of its numbers, without the head."""
        return self.shown.csv.count("\n") - 1 if self.shown.csv else 0


@dataclass(frozen=True)
class PaperPart:
    """A paper as the templates show it."""

    key: str
    facts: PaperFacts
    lines: tuple[Line, ...]
    counts: Mapping[str, int]

    @property
    def judged(self) -> int:
        """Number of comparisons that were made."""
        return sum(number for word, number in self.counts.items() if word in JUDGED)

    @property
    def agreeing(self) -> int:
        """Number of comparisons that agree."""
        return self.counts.get("agrees", 0)

    @property
    def words(self) -> dict[str, int]:
        """How many figures came out each way."""
        return words_of([line.outcome for line in self.lines])

    @property
    def silent(self) -> int:
        """Number of figures without a comparison."""
        return sum(not line.outcome.word for line in self.lines)


def render(report: Report) -> str:
    """Returns the page.

    Raises:
        DataError: it would be larger than a page that is sent around can be.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("emergent.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        marks=MARKS, shares=shares, duration=duration, plural=plural, css=lambda word: f"v-{word.split()[0]}",
        word_label=lambda word: plural(word) if word == "unjudged" else word,
    )  # fmt: skip
    environment.filters["tojson_text"] = lambda value: json.dumps(value, ensure_ascii=False)
    papers = _papers(report)
    lines = [line for paper in papers for line in paper.lines]
    words = words_of([line.outcome for line in lines])
    silent = sum(not line.outcome.word for line in lines)
    page = environment.get_template("page.html").render(
        report=report,
        lead=LEAD,
        papers=papers,
        sensitivity=[line for line in lines if line.shown.is_sensitivity],
        others=comparison_rows(report.others),
        meanings={**MEANINGS, "mixed": GROUP_MEANINGS["mixed"]},
        row_words={**words, **({"none": silent} if silent else {})},
        style=_asset("style.css"),
        script="".join(_asset(name) for name in ("axes.js", "chart.js", "page.js")),
    )
    if (size := len(page.encode())) > LARGEST_PAGE:
        raise DataError(
            f"the page would have {size / 1e6:.1f} MB, and at most {LARGEST_PAGE / 1e6:.0f} are allowed; leave figures "
            "out (figures in config/config.yaml)."
        )
    return page


def plural(word: str) -> str:
    """Returns a verdict as it is said of several comparisons or figures."""
    return PLURALS.get(word, word)


def _asset(name: str) -> str:
    """Returns a style sheet or a script as it stands in the page."""
    return (resources.files("emergent.report") / "templates" / name).read_text(encoding="utf-8")


def _papers(report: Report) -> list[PaperPart]:
    experiments = {studied.anchor: studied for studied in report.experiments}
    found = []
    for key, facts in PAPERS.items():
        figures = report.of_paper(key)
        if not figures:
            continue
        lines = tuple(
            Line(shown, outcome(shown.verdicts), tuple(experiments[name] for name in shown.experiments),
                 _neighbours(shown, figures))
            for shown in figures
        )  # fmt: skip
        own = report.others[report.others["paper"] == key]
        verdicts = pd.concat([*(shown.verdicts for shown in figures), own], ignore_index=True)
        found.append(PaperPart(key, facts, lines, count_verdicts(verdicts)))
    return found


def _neighbours(shown: Shown, figures: Sequence[Shown]) -> tuple[str, ...]:
    """Returns labels of the figures of the same experiments that have comparisons."""
    own = set(shown.entry.experiments)
    return tuple(
        other.entry.id for other in figures
        if other.name != shown.name and len(other.verdicts) and own & set(other.entry.experiments)
    )  # fmt: skip


def comparison_rows(verdicts: pd.DataFrame) -> list[dict[str, object]]:
    """Returns comparisons as the templates show them; a statement stands in the first of its rows only."""
    rows: list[dict[str, object]] = []
    before = None
    for row in verdicts.to_dict("records"):
        ours = Measured(float(row["ours"]), float(row["ours_stderr"]))
        rows.append({**row, "ours": shown(ours), "published": printed(str(row["published"])),
                     "difference": difference(row), "first": row["statement"] != before})  # fmt: skip
        before = row["statement"]
    return rows
