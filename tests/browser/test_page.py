"""The page of the committed runs in a real browser: two widths, light and dark, mouse and keyboard, without scripts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import NAMES, Browser, installed

from emergent.config.papers import PAPERS
from emergent.report.committed import read_committed
from emergent.report.content import Report
from emergent.report.render import render

PROGRAM = installed()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason=f"no browser: none of {', '.join(NAMES)} is on the path"),
]
ROOT = Path(__file__).parents[2]
WINDOWS = [(1280, False), (390, True)]

CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, index) => sum + v * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255, 255];
  };
  const faint = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const box = node.getBoundingClientRect();
    if (!own || !box.width || node.closest("script, style, .tip, [hidden]")) continue;
    const style = getComputedStyle(node);
    const ink = node.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [a, b] = [light(rgba(ink)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.add(`${node.tagName}.${node.className.baseVal ?? node.className}: ${ratio.toFixed(2)}`);
  }
  return [...faint];
})()
"""
CHART = "document.getElementById('fashion_mnist_osp-chart')"


@pytest.fixture(scope="module")
def report() -> Report:
    return read_committed(ROOT)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Path:
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(render(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert PROGRAM is not None
    with Browser(PROGRAM) as opened:
        yield opened


def show_charts(browser: Browser) -> int:
    """Moves through the page until every chart is drawn, and returns their number."""
    browser.run("document.documentElement.style.scrollBehavior = 'auto'")
    count = browser.run("document.querySelectorAll('.chart').length")
    for index in range(count):
        browser.run(f"document.querySelectorAll('.chart')[{index}].scrollIntoView()")
        browser.settle()
    return count


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "phone"), WINDOWS)
def test_page_is_drawn_whole(browser: Browser, page: Path, width: int, phone: bool, scheme: str) -> None:
    browser.show(page, width, scheme=scheme, phone=phone)
    assert len(browser.picture()) > 20_000
    count = show_charts(browser)
    assert count > 20
    assert browser.run("document.querySelectorAll('.chart svg[aria-roledescription]').length") >= count
    assert (
        browser.run("[...document.querySelectorAll('.chart')].filter(c => !c.querySelector('.panel path')).length") == 0
    )
    # Nothing is wider than the window, no picture is broken, no text faint.
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.documentElement.scrollHeight") > 10_000
    browser.run("Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode() }))")
    assert browser.run("[...document.images].filter(i => !i.naturalWidth).length") == 0
    browser.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(CONTRAST) == []
    faint = 128 if scheme == "light" else 100
    browser.run(f"document.querySelector('.lead').style.color = 'rgb({faint}, {faint}, {faint})'")
    assert [text.split(":")[0] for text in browser.run(CONTRAST)] == ["P.lead"]
    assert browser.complaints() == []
    assert [url for url in browser.requested() if not url.startswith("data:")] == [page.resolve().as_uri()]
    dark = browser.run("matchMedia('(prefers-color-scheme: dark)').matches")
    ground = [int(part) for part in re.findall(r"\d+", browser.run("getComputedStyle(document.body).backgroundColor"))]
    assert dark == (scheme == "dark") == (sum(ground) < 300)


def test_what_stands_above_the_fold(browser: Browser, page: Path) -> None:
    """A reader sees at once how every paper came out, and the first figures."""
    browser.show(page, 1280, 900)
    ends = browser.run("[...document.querySelectorAll('.card')].map(card => card.getBoundingClientRect().bottom)")
    assert len(ends) == len(PAPERS) and max(ends) < 620
    assert browser.run("document.querySelector('tr[data-word]').getBoundingClientRect().bottom") < 900


def test_sliders_and_axes_move_the_curves(browser: Browser, page: Path) -> None:
    browser.show(page)
    show_charts(browser)
    line = f"{CHART}.querySelector('.panel path.line').getAttribute('d')"
    label = f"[...{CHART}.querySelectorAll('.axes .label')].map(text => text.textContent)"
    slide = f"{CHART}.querySelector('input[type=range]')"
    assert browser.run(f"{slide}.getAttribute('aria-valuetext')") == "Ensemble size 10"
    before = browser.run(line)
    browser.run(f"{slide}.focus()")
    browser.press("ArrowLeft")
    assert browser.run(f"{slide}.getAttribute('aria-valuetext')") == "Ensemble size 5"
    assert browser.run(f"{CHART}.querySelector('output').textContent") == "5"
    moved = browser.run(line)
    assert moved != before
    assert "Epoch" in browser.run(label)
    browser.run(f"[...{CHART}.querySelectorAll('input[type=radio]')].find(i => !i.checked).click()")
    assert "Ensemble size" in browser.run(label) and "Epoch" not in browser.run(label)
    assert re.fullmatch(r"Epoch \d+", browser.run(f"{slide}.getAttribute('aria-valuetext')"))
    # Curves can be taken out, and the height be made logarithmic.
    curves = browser.run(f"{CHART}.querySelectorAll('.panel path.line').length")
    browser.run(f"{CHART}.querySelector('.legend button').click()")
    assert browser.run(f"{CHART}.querySelectorAll('.panel path.line').length") == curves - 4
    before = browser.run(line)
    browser.run(f"{CHART}.querySelector('input[type=checkbox]').click()")
    assert browser.run(line) != before
    assert browser.complaints() == []


def test_values_are_read_with_pointer_and_keyboard(browser: Browser, page: Path) -> None:
    browser.show(page)
    show_charts(browser)
    browser.run(f"{CHART}.scrollIntoView()")
    browser.settle()
    circle = f"{CHART}.querySelector('.panel circle.mark').getBoundingClientRect()"
    place = browser.run(f"(() => {{ const r = {circle}; return [r.x + r.width / 2 + 3, r.y + r.height / 2 + 3] }})()")
    browser("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    assert browser.run(f"{CHART}.querySelector('.tip').hidden") is False
    first = browser.run(f"{CHART}.querySelector('.readout').textContent")
    # Whichever curve of the first group is nearest; orbits of C4 have four elements.
    found = re.fullmatch(r"C4, \w+: ([\d.]+)( \([\d.]+ to [\d.]+\))? at epoch 0(, ensemble size 10)?\.", first)
    assert found is not None and 1 <= float(found[1]) <= 4, first
    browser.run(f"{CHART}.querySelector('.panel svg').focus()")
    browser.press("ArrowRight")
    assert "at epoch 1" in browser.run(f"{CHART}.querySelector('.readout').textContent")
    now = browser.run(f"{CHART}.querySelector('.readout').textContent").split(":")[0]
    browser.press("ArrowDown")
    assert browser.run(f"{CHART}.querySelector('.readout').textContent").split(":")[0] != now
    browser.press("Escape")
    assert browser.run(f"{CHART}.querySelector('.tip').hidden") is True


def test_everything_is_reached_with_the_keyboard(browser: Browser, page: Path, report: Report) -> None:
    browser.show(page)
    active = "document.activeElement.textContent.trim()"
    browser.press("Tab")
    assert browser.run(active) == "Skip to the overview"
    assert browser.run("document.activeElement.getBoundingClientRect().x") >= 0
    browser.press("Tab")
    assert browser.run(active) == "Overview"
    # Links to the other parts, to the sources, and one of every paper.
    for _ in range(browser.run("document.querySelectorAll('a, button').length")):
        browser.press("Tab")
        if browser.run("document.activeElement.parentElement.className") == "chips":
            break
    assert browser.run("document.activeElement.parentElement.className") == "chips"
    browser.press("Tab")
    browser.press("Enter")
    shown = browser.run("[...document.querySelectorAll('tr[data-word]')].filter(row => !row.hidden).length")
    words = browser.run("document.activeElement.textContent")
    count = len(report.figures)
    assert words == f"{shown} agree" and shown < count
    assert browser.run("document.getElementById('told').textContent") == f"{shown} of {count} figures and tables shown."
    for _ in range(5):
        browser.press("Tab")
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "name"
    browser.press("Enter")
    browser.settle()
    assert browser.run("location.hash").startswith("#")


def test_without_scripts_pictures_and_numbers_are_there(browser: Browser, page: Path) -> None:
    browser("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.show_still(page)
        root = browser("DOM.getDocument", depth=1)["root"]["nodeId"]
        found = browser("DOM.querySelectorAll", nodeId=root, selector=".explore:not([hidden]), .chips:not([hidden])")
        assert found["nodeIds"] == []
        assert len(browser("DOM.querySelectorAll", nodeId=root, selector=".figure .plate img")["nodeIds"]) > 40
        assert len(browser("DOM.querySelectorAll", nodeId=root, selector="a[download]")["nodeIds"]) > 50
    finally:
        browser("Emulation.setScriptExecutionDisabled", value=False)


def test_print_leaves_out_what_cannot_be_moved(browser: Browser, page: Path) -> None:
    browser.show(page)
    show_charts(browser)
    browser("Emulation.setEmulatedMedia", media="print")
    try:
        hidden = (
            "[...document.querySelectorAll('.explore, nav, .chips')].every(e => getComputedStyle(e).display === 'none')"
        )
        assert browser.run(hidden)
        assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        browser("Emulation.setEmulatedMedia", media="")
