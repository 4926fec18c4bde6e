"""The page: what it shows, its words for verdicts, its charts, and which claims a figure shows."""

import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from html_checks import Page
from PIL import Image

from emergent import provenance
from emergent.config.claims import read_claims
from emergent.config.figure_claims import figure_of, in_order_of, require_shown_claims
from emergent.config.figure_kinds import Entry
from emergent.config.figures import read_catalogue
from emergent.config.papers import PAPERS
from emergent.errors import ConfigError, DataError
from emergent.fingerprint import files_digest
from emergent.pages.overview import read_overview
from emergent.report import origin
from emergent.report.chart import Curve, Panel, axis, chart, row, rows
from emergent.report.content import Cells, Command, Extra, Link, Report, Shown, Studied, in_natural_order, natural
from emergent.report.findings import finding, outcome, printed
from emergent.report.pictures import alternative, embedded
from emergent.report.render import LARGEST_CSV, LARGEST_PLAIN, comparison_rows, render
from emergent.report.sources import COLUMNS, checked, read_cells

ROOT = Path(__file__).parents[2]
CATALOGUE = read_catalogue(ROOT / "config" / "figures.yaml")
NASTY = "a < b & c > \"d\" </script><script>alert('x')</script> é … |bar|"


def verdicts(*rows: dict[str, object]) -> pd.DataFrame:
    """Returns verdicts with what a test does not say filled in."""
    usual = dict.fromkeys(COLUMNS, "") | {
        "id": "claim", "paper": "gerken_kessel", "statement": "It falls.", "experiment": "ising", "quantity": "q/x",
        "ours": 1.0, "ours_stderr": 0.1, "published": "1 ± 0.2", "verdict": "agrees", "score": 0.5,
    }  # fmt: skip
    return checked(pd.DataFrame([usual | row for row in rows], columns=list(COLUMNS)), "a test")


def png(width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(buffer, "PNG")
    return buffer.getvalue()


def page_of(*figures: Shown, **facts: object) -> str:
    usual: dict[str, object] = {
        "title": "A page",
        "scope": "A test.",
        "notes": ("First.", "Second."),
        "others": verdicts(),
    }
    studied = Studied("experiment-ising", "ising", NASTY, "smoke", ({"key": "k", "value": [NASTY], "reason": NASTY},),
                      origin.costs({"summary.h5": FACTS}), (origin.origin("summary.h5", FACTS),))  # fmt: skip
    return render(Report(figures=figures, experiments=(studied,), **usual | facts))  # type: ignore[arg-type]


FACTS = {"git": {"commit": "0123456789abcdef", "dirty": True}, "jax": {"device_kind": "NVIDIA H200", "device_count": 2},
         "ended": "2026-01-02T03:04:05+00:00", "wall_seconds": 3725.0, "cpu_seconds": 61.0,
         "peak_memory_bytes": 3 * 2**29, "versions": {"python": "3.11", "jax": "1"}}  # fmt: skip


def shown(name: str = "ising_invariance", **facts: object) -> Shown:
    entry = CATALOGUE[name]
    usual = {"entry": entry, "scale": "smoke", "run": "smoke scale", "caption": NASTY, "verdicts": verdicts(),
             "experiments": ("experiment-ising",)}  # fmt: skip
    if entry.kind == "figure":
        usual["picture"] = embedded(png(), alternative(entry, NASTY), "test")
    return Shown(**usual | facts)  # type: ignore[arg-type]


def test_a_page_is_whole_and_escapes_what_it_shows() -> None:
    curve = Curve(NASTY, "#000000", "line", rows([row((1.0,), 2.0), row((2.0,), 3.0)]))
    figure = shown(
        verdicts=verdicts({"statement": NASTY, "why": NASTY, "quantity": "a/b_c", "verdict": "differs"}),
        csv=f'x,y\n1,"{NASTY}"\n',
        chart=chart([axis("N", [1, 2])], [Panel(NASTY, "y", False, (curve,))], NASTY),
        commands=(Command("Again", f"snakemake {NASTY}"),),
        files=(Link("ising_invariance.pdf", "gerken_kessel/ising_invariance.pdf"),),
        extras=(Extra(NASTY, NASTY, embedded(png(), NASTY, "test")),),
    )
    table = shown("ising_readings", cells=Cells(("", NASTY), ((NASTY, "1.0 ± 0.1"),)))
    text = page_of(figure, table, others=verdicts({"id": "o", "statement": NASTY}))
    page = Page(text)
    assert page.problems == []
    # Each of the two scripts and the chart's data, and nothing that came in from outside.
    assert page.tags.count("script") == 2
    assert "alert" in page.texts["ising_invariance"] and "<script>alert" not in text
    assert page.downloads == {"ising_invariance.csv": f'x,y\n1,"{NASTY}"\n'}
    assert json.loads(page.texts["ising_invariance-chart-data"])["panels"][0]["title"] == NASTY
    assert [image["alt"] for image in page.images if image["alt"]] == [alternative(figure.entry, NASTY), NASTY]
    assert "a/<wbr>b_<wbr>c" in text and "gerken_kessel/ising_invariance.pdf" in text
    experiment = page.texts["experiment-ising"]
    for words in ("0123456789 + changes", "2 × NVIDIA H200", "2026-01-02 03:04:05", NASTY):
        assert words in experiment
    assert "1 h 02 min" in text and "1.50 GiB" in text


def test_equal_content_gives_equal_bytes() -> None:
    assert page_of(shown()) == page_of(shown())


def test_first_rows_say_what_was_claimed_and_measured() -> None:
    found = verdicts(
        {"id": "main", "statement": "It falls.", "ours": -0.5, "ours_stderr": 0.01, "published": "-0.5 ± 0.02"},
        {"id": "main", "statement": "It falls.", "ours": -0.4, "ours_stderr": 0.01, "published": "-0.5 ± 0.02"},
        {"id": "far", "statement": "It is 3.", "ours": 9, "ours_stderr": 1, "published": "3 ± 0", "verdict": "differs",
         "score": 6.0},
        {"id": "near", "statement": "It is 4.", "ours": 9, "ours_stderr": 2, "verdict": "differs", "score": 2.5},
        {"id": "large", "statement": "It is 5.", "ours": math.nan, "verdict": "not tested at this scale"},
    )  # fmt: skip
    told = outcome(found)
    assert (told.word, told.judged, told.total) == ("mixed", 4, 5)
    assert told.counts == {"agrees": 2, "differs": 2, "not tested at this scale": 1}
    assert told.main and told.contrast
    assert told.main.ours == "−0.500\u00a0±\u00a00.010 to −0.400\u00a0±\u00a00.010 (2\u00a0values)"
    assert (told.main.says, told.main.published, told.main.verdict) == (
        "It falls.",
        "−0.500\u00a0±\u00a00.020",
        "agrees",
    )
    assert (told.contrast.says, told.contrast.published) == ("It is 3.", "3")
    text = page_of(shown(verdicts=found))
    card = re.search(r'<li class="card">.*?</li>\s*</ul>\s*</li>', text, re.DOTALL)
    assert card and re.search(r"<b>2</b> of 4 judged", card[0])
    assert [int(number) for number in re.findall(r"<b>(\d+)</b> (?:agree|differ|not)", card[0])] == [2, 2, 1]


def test_what_was_not_judged_is_said_to_be_so() -> None:
    untested = verdicts({"verdict": "not tested at this scale", "ours": math.nan})
    assert outcome(untested).word == "unjudged"
    assert outcome(verdicts()).main is None
    one = finding(untested)
    assert (one.ours, one.verdict) == ("–", "not tested at this scale")
    text = page_of(shown(verdicts=untested), shown("ising_readings", cells=Cells(("", "a"), ())), shown("toy_sine"))
    assert "nothing could be judged" in text
    assert "compared in F2" in text and "no published number" in text


@pytest.mark.parametrize(
    ("published", "text"),
    [("0 ± 0", "0"), ("3.59 ± 0.00403671", "3.590\u00a0±\u00a00.004"), ("> 0", "> 0"), ("0.4 to 0.6", "0.4 to 0.6")],
)
def test_published_values_are_rounded_to_their_errors(published: str, text: str) -> None:
    assert printed(published) == text


def test_statements_stand_once_and_scores_may_be_infinite() -> None:
    lines = comparison_rows(verdicts({"score": math.inf}, {"score": math.nan}, {"statement": "Else", "score": -2.04}))
    assert [line["first"] for line in lines] == [True, False, True]
    assert [line["difference"] for line in lines] == ["∞", "–", "−2.0"]


def test_labels_are_in_natural_order() -> None:
    labels = ["F10", "F2", "T1", "F1b", "F1", "E3a", "E3"]
    assert sorted(labels, key=natural) == ["E3", "E3a", "F1", "F1b", "F2", "F10", "T1"]
    names = [item.name for item in in_natural_order([shown("histology_osp"), shown(), shown("toy_sine")])]
    assert names == ["ising_invariance", "histology_osp", "toy_sine"]


def test_many_numbers_are_packed_and_those_that_browsers_do_not_save_are_left_out() -> None:
    few, many = "x\n" + "1\n" * (LARGEST_PLAIN // 8), "x\n" + "1\n" * (LARGEST_PLAIN // 4)
    assert Page(page_of(shown(csv=few))).downloads == {"ising_invariance.csv": few}
    page = page_of(shown(csv=many))
    assert Page(page).downloads == {"ising_invariance.csv.gz": many} and len(page) < len(page_of(shown(csv=few)))
    noise = np.random.default_rng(0).integers(10, size=3 * LARGEST_CSV)
    assert Page(page_of(shown(csv="x\n" + "".join(map(str, noise))))).downloads == {}


def test_a_page_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergent.report.render.LARGEST_PAGE", 10_000)
    with pytest.raises(DataError, match=r"at most 0 are allowed; leave figures out"):
        page_of(shown())


def test_pictures_keep_their_pixels_and_broken_ones_are_named() -> None:
    source = Image.radial_gradient("L").convert("RGB").resize((700, 300))
    buffer = io.BytesIO()
    source.save(buffer, "PNG")
    picture = embedded(buffer.getvalue(), "alt", "x.png")
    assert picture.kind == "image/webp" and (picture.width, picture.height) == (700, 300)
    assert Image.open(io.BytesIO(picture.content)).convert("RGB").tobytes() == source.tobytes()
    small = Image.open(io.BytesIO(picture.small))
    assert small.width == 320
    with pytest.raises(DataError, match=r"^x\.png: expected a picture"):
        embedded(b"no picture", "alt", "x.png")


def test_tables_are_read_with_bars_in_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.md"
    path.write_text("|  | a | b |\n| --- | --- | --- |\n| over mean |E| | 1 ± 2 | – |\n\nT1, scale smoke. Caption.\n")
    assert read_cells(path) == Cells(("", "a", "b"), (("over mean |E|", "1 ± 2", "–"),))
    path.write_text("nothing")
    with pytest.raises(DataError, match="expected a table in Markdown"):
        read_cells(path)


def test_verdicts_without_a_column_are_refused() -> None:
    with pytest.raises(DataError, match=r"^x: lacks column\(s\) verdict; run the rule 'claims' again"):
        checked(verdicts({}).drop(columns="verdict"), "x")


def test_charts_hold_rows_with_values_only() -> None:
    curve = Curve(
        "c", "#000", "line", rows([row((1, None), 2.0, 1.5, math.nan), row((2, 1), math.nan), row((2, 1), 7e-9)])
    )
    assert curve.rows == ((1, None, 2.0, None, None), (2, 1, 7e-9, None, None))
    made = chart([axis("N", [2, 1, 1]), axis("M", [1])], [Panel("", "y", True, (curve,))], "note")
    assert made and made.axes[0].values == (1.0, 2.0) and made.axes[0].start == 2.0 and not made.moves
    assert json.loads(made.to_json())["panels"][0]["curves"][0]["rows"][1] == [2, 1, 7e-9, None, None]
    published = Curve("c", "#000", "published", curve.rows)
    assert chart([axis("N", [1, 2])], [Panel("", "y", True, (published,))], "") is None
    assert chart([axis("N", [1])], [Panel("", "y", True, (curve,))], "") is None


def test_costs_are_summed_by_stage_in_the_order_of_their_ends() -> None:
    other = FACTS | {"ended": "2026-01-01T00:00:00+00:00", "jax": None, "cpu_count": 2, "peak_memory_bytes": 1}
    found = origin.costs({"summary.h5": FACTS, "train/a/1.h5": other, "train/a/2.h5": other | {"git": None}})
    assert [(item.stage, item.files, item.wall, item.memory) for item in found] == [
        ("train", 2, 7450.0, 1), ("summary", 1, 3725.0, 3 * 2**29),
    ]  # fmt: skip
    assert found[0].device == "CPU (2 cores), without JAX"
    assert found[0].commits == "0123456789 + changes, unknown"
    assert [origin.duration(seconds) for seconds in (4.24, 65, 7322)] == ["4.2 s", "1 min 05 s", "2 h 02 min"]


def test_sidecars_that_are_broken_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.provenance.json"
    for text in ("{", "[]"):
        path.write_text(text)
        with pytest.raises(DataError, match=r"x\.provenance\.json: expected .*run its rule again"):
            provenance.read_sidecar(path)


def test_every_claim_is_shown_once_and_where_the_readme_counts_it() -> None:
    claims = read_claims(ROOT / "config" / "claims.yaml")
    require_shown_claims(CATALOGUE, claims)
    owners = {claim.id: figure_of(claim.id, claim.experiment, CATALOGUE) for claim in claims}
    assert None not in owners.values()
    for lines in read_overview(ROOT / "docs").values():
        for line in lines:
            for pattern in line.claims:
                expression = re.compile(re.escape(pattern).replace(r"\*", ".*"))
                counted = {claim for claim in owners if expression.fullmatch(claim)}
                assert counted
                assert {owners[claim] for claim in counted} <= set(line.figures), pattern


def test_main_claims_come_first() -> None:
    entry = CATALOGUE["fashion_mnist_ood_table"]
    assert in_order_of(entry, ["e2cnn_x", "osp_table_members_c4", "else", "osp_table_ensemble_c8"]) == [
        "osp_table_ensemble_c8", "osp_table_members_c4", "e2cnn_x", "else",
    ]  # fmt: skip


def with_claims(**patterns: tuple[str, ...]) -> dict[str, Entry]:
    return {name: entry.model_copy(update={"claims": patterns.get(name, ())}) for name, entry in CATALOGUE.items()}


def test_patterns_of_claims_are_checked() -> None:
    claims = read_claims(ROOT / "config" / "claims.yaml")
    with pytest.raises(
        ConfigError, match=r"toy_sine: claims: 'sine_members_colapse' matches no claim on toy_sine; did you mean"
    ):
        require_shown_claims(with_claims(toy_sine=("sine_members_colapse",)), claims)
    with pytest.raises(ConfigError, match="ising_invariance and ising_ntk_floor both name claim ising_ntk_floor_"):
        require_shown_claims(
            with_claims(ising_invariance=("ising_ntk_*",), ising_ntk_floor=("ising_ntk_floor*",)), claims
        )


def test_patterns_of_claims_draw_no_figure_anew() -> None:
    entry = CATALOGUE["toy_sine"]
    assert entry.model_copy(update={"claims": ("x",)}).model_dump() == entry.model_dump()
    assert "claims" not in entry.model_dump()


def test_papers_are_those_to_cite() -> None:
    text = (ROOT / "CITATION.cff").read_text()
    for facts in PAPERS.values():
        assert f"title: {facts.title}\n" in text
        # A talk has none.
        assert f"arXiv:{facts.arxiv}\n" in text or not facts.arxiv


def test_digest_of_files_follows_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    first = files_digest([tmp_path / "a"])
    (tmp_path / "b").write_text("x")
    assert files_digest([tmp_path / "b"]) != first
    (tmp_path / "a").write_text("y")
    assert files_digest([tmp_path / "a"]) != first
