"""The page of a run: made by its rule, with every figure and verdict of the run, and made again for what it shows."""

import csv
import re
from collections import Counter

from html_checks import Page
from tiny_project import Project

PAGE = "figures/smoke/report.html"


def test_the_page_shows_the_run_and_follows_what_it_shows(finished: Project) -> None:
    finished.build(PAGE)
    text = (finished.folder / PAGE).read_text()
    page = Page(text)
    assert page.problems == []
    drawn = {path.stem for path in (finished.folder / "figures/smoke").glob("*/*.csv")}
    assert drawn and drawn <= set(page.ids)
    assert {f"{name}.csv" for name in drawn} == set(page.downloads)

    # Counts in the heads of the papers are those of the verdict table.
    with open(finished.folder / "figures/smoke/claims.csv") as file:
        counted = Counter(row["verdict"] for row in csv.DictReader(file))
    heads = Counter()
    for number, word in re.findall(
        r"<b>(\d+)</b> (agree|differ|inconclusive|fitted|not tested at this scale|missing)<", text
    ):
        heads[{"agree": "agrees", "differ": "differs"}.get(word, word)] += int(number)
    assert counted.pop("not run") > 0
    assert heads == counted

    # Assumptions, provenance, stand-ins, and the ways to the files beside it.
    for words in ("The rate is not published.", "Stand-in: handwritten digits in place of Fashion-MNIST."):
        assert words in text
    assert "evaluate" in text and "kernels" in text and "without JAX" in text
    for link in re.findall(r'href="([^"#:]+)"', text):
        assert (finished.folder / PAGE).parent.joinpath(link).exists(), link
    assert "snakemake --cores 2 figures/smoke/gerken_kessel/ising_invariance.pdf" in text

    assert finished.plan(PAGE) == []
    script = finished.folder / "src/emergent/report/templates/chart.js"
    script.write_text(script.read_text() + "// another line\n")
    assert {job.rule for job in finished.plan(PAGE)} == {"page"}
