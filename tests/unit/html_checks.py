"""What a page must be, whatever it shows: well-formed, whole, reachable, with words for every picture."""

import base64
import gzip
import re
from html.parser import HTMLParser
from urllib.parse import unquote

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
OUTER = re.compile(r"^(?:https?:)?//", re.IGNORECASE)
LOADS = {
    "img": "src",
    "script": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
"""Elements that load something, with the attribute that names it."""


class Page(HTMLParser):
    """A page, read once.

    Attributes:
        problems: what is wrong with it.
        images: attributes of every picture.
        ids: of its elements.
        targets: places in it that links lead to.
        texts: what is read, by the ``id`` of the innermost element that has one.
        headings: levels and texts in order.
        downloads: names of files that it holds, with their content, unpacked.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.images: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.texts: dict[str, str] = {}
        self.headings: list[tuple[int, str]] = []
        self.downloads: dict[str, str] = {}
        self.tags: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._heading: int | None = None
        self.feed(text)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag, _ in self._open]
        self.problems += [f"id {name!r} is used twice" for name in {n for n in self.ids if self.ids.count(n) > 1}]
        self.problems += [f"no element has the id {name!r}" for name in {*self.targets} - {*self.ids}]
        levels = [level for level, _ in self.headings]
        if levels[:1] != [1] or levels.count(1) != 1:
            self.problems.append(f"expected one heading of level 1, the first one; found levels {levels[:5]}")
        self.problems += [f"heading {text!r} skips a level" for (before, _), (level, text)
                          in zip(self.headings, self.headings[1:], strict=False) if level > before + 1]  # fmt: skip

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if len(facts) != len(attrs):
            self.problems.append(f"<{tag}> has an attribute twice")
        if "id" in facts:
            self.ids.append(facts["id"])
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.targets += facts.get(name, "").split()
        if tag == "a":
            self._link(facts)
        if tag == "img":
            self.images.append(facts)
            if "alt" not in facts:
                self.problems.append("a picture has no text in its place")
        if OUTER.match(facts.get(LOADS.get(tag, ""), "")) or OUTER.match(facts.get("srcset", "")):
            self.problems.append(f"<{tag}> loads {facts[LOADS[tag]][:60]}")
        if tag not in VOID:
            self._open.append((tag, facts.get("id", "")))
        if re.fullmatch(r"h[1-6]", tag):
            self._heading = int(tag[1])
            self.headings.append((self._heading, ""))

    def _link(self, facts: dict[str, str]) -> None:
        href = facts.get("href", "")
        if href.startswith("#"):
            self.targets.append(href[1:])
        elif "download" in facts:
            content = href.partition(",")[2]
            packed = href.startswith("data:application/gzip;base64,")
            self.downloads[facts["download"]] = (
                gzip.decompress(base64.b64decode(content)).decode() if packed else unquote(content)
            )

    def handle_endtag(self, tag: str) -> None:
        self._heading = None if re.fullmatch(r"h[1-6]", tag) else self._heading
        if not self._open or self._open[-1][0] != tag:
            self.problems.append(
                f"</{tag}> closes <{self._open[-1][0] if self._open else ''}>, line {self.getpos()[0]}"
            )
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if self._open and self._open[-1][0] == "style" and re.search(r"url\(\s*['\"]?(?:https?:)?//|@import", data):
            self.problems.append("a style loads something")
        place = next((name for _, name in reversed(self._open) if name), "")
        self.texts[place] = self.texts.get(place, "") + data
