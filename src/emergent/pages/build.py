"""Builds the pages that state results: ``docs/results/*.md`` and the marked blocks of README and ``docs/design.md``.

A page is a Jinja2 template in ``docs/templates`` whose expressions look numbers up in committed files (see
``emergent.pages.committed``). A block stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``.
"""

import re
import textwrap
from functools import partial
from pathlib import Path

import jinja2

from emergent.errors import DataError
from emergent.pages import comparisons, disagreements, overview, rooms, tables
from emergent.pages.committed import Committed
from emergent.pages.comparisons import Reading
from emergent.pages.measured import score
from emergent.pages.pictures import caption, cell, picture, whole_table

NOTICE = "<!-- Written by 'python -m emergent.cli.docs' from docs/templates/{name}: edit that file. -->\n"
WIDTH = 120

BLOCKS = {"README.md": ("figures",), "docs/design.md": ("rooms",)}
"""Files with marked blocks, and the names of these."""


def pages(root: Path) -> dict[str, str]:
    """Returns the text of every page that is made from data, by its path below the root.

    Raises:
        DataError: a template looks up what is not there, or a block has no marks; the message names the page.
    """
    committed = Committed(root)
    made = {}
    for template in sorted((root / "docs" / "templates").glob("*.md")):
        made[f"docs/results/{template.name}"] = NOTICE.format(name=template.name) + _render(template, committed)
    texts = {"figures": partial(overview.overview_table, committed), "rooms": partial(rooms.drawing, root)}
    for name, blocks in BLOCKS.items():
        text = (root / name).read_text(encoding="utf-8")
        for block in blocks:
            text = replace_block(text, block, texts[block](), name)
        made[name] = text
    return made


def differing(root: Path, made: dict[str, str]) -> list[str]:
    """Returns the pages that are missing or not what the data give."""
    return [
        name for name, text in made.items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != text
    ]  # fmt: skip


def replace_block(text: str, block: str, content: str, name: str) -> str:
    """Returns a text with the content of one marked block replaced.

    Raises:
        DataError: the marks are not there exactly once.
    """
    begin, end = f"<!-- begin: {block} -->", f"<!-- end: {block} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise DataError(f"{name}: needs the lines '{begin}' and '{end}', once and in this order.")
    return f"{text[: text.index(begin)]}{begin}\n{content}\n{text[text.index(end) :]}"


def _render(template: Path, committed: Committed) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False
    )
    environment.globals.update(functions(committed))
    try:
        text = environment.from_string(template.read_text(encoding="utf-8")).render()
    except (jinja2.TemplateError, DataError) as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise DataError(f"docs/templates/{template.name}{line}: {error}") from None
    return reflowed(re.sub(r"\n{3,}", "\n\n", text).lstrip())


def reflowed(text: str) -> str:
    """Returns Markdown with its plain paragraphs filled to the usual width, which numbers of any length break up."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    # Every other part is a fenced block.
    for index in range(0, len(parts), 2):
        paragraphs = parts[index].split("\n\n")
        parts[index] = "\n\n".join(
            paragraph if not paragraph.strip() or paragraph.lstrip()[0] in "|#<![-" else _filled(paragraph)
            for paragraph in paragraphs
        )
    return "".join(parts)


def _filled(paragraph: str) -> str:
    begin = paragraph[: len(paragraph) - len(paragraph.lstrip("\n"))]
    end = paragraph[len(paragraph.rstrip("\n")) :]
    # A value stays on one line with its error, and a size with its letter.
    words = re.sub(r" (±|=) ", "\0\\1\0", " ".join(paragraph.split()))
    filled = textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False)
    return f"{begin}{filled}{end}".replace("\0", " ")


def functions(committed: Committed) -> dict[str, object]:
    """Returns what templates may call."""
    return {
        "q": committed.quantity,
        "factor": lambda *names: committed.quantity(*names).power_of_ten,
        "disjoint": committed.disjoint,
        "law": committed.law,
        "ours": committed.ours,
        "published": committed.published,
        "claim": partial(tables.claim_word, committed),
        "verdict_counts": partial(tables.verdict_counts, committed),
        "verdict_table": partial(tables.verdict_table, committed),
        "beside_table": partial(tables.beside_table, committed),
        "points_table": partial(tables.points_table, committed),
        "differing_table": partial(disagreements.differing_table, committed),
        "size_table": partial(tables.size_table, committed),
        "points_misfit": lambda *keys, **chosen: comparisons.misfit_of_points(
            comparisons.points(committed, *keys), **chosen
        ),
        "misfit": partial(comparisons.misfit, committed),
        "spread_of_arms": partial(comparisons.spread_of_arms, committed),
        "score": score,
        "reading": Reading,
        "picture": partial(picture, committed),
        "caption": partial(caption, committed),
        "cell": partial(cell, committed),
        "whole_table": partial(whole_table, committed),
    }
