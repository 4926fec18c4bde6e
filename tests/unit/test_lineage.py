"""Numbers on pages traced to committed files; what two settings differ in."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from emergent.cli.why import claim_lines, number_lines
from emergent.config.base import read_yaml
from emergent.config.claims import read_claims
from emergent.errors import DataError
from emergent.lineage.crate import raw_data
from emergent.lineage.lookups import ARTEFACTS, Lookup, Printed, holding, printed
from emergent.lineage.staleness import differences
from emergent.pages.build import functions
from emergent.pages.committed import Committed
from emergent.pages.comparisons import misfit_of_points, points
from emergent.pages.pictures import cell
from emergent.plan import Plan

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page() -> list[Printed]:
    return printed(ROOT, "docs/results/gerken_kessel.md")


def test_every_number_in_verdict_tables_leads_to_an_artefact(
    page: list[Printed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    tables = [item for item in page if "| verdict |" in item.text]
    assert len(tables) > 5
    for item in tables:
        assert all(lookup.path is not None and lookup.path.exists() for lookup in item.lookups)


def test_computed_numbers_lead_to_all_that_they_are_computed_of(page: list[Printed]) -> None:
    # Ours over the published value: one expression, two files.
    several = [item for item in page if len({lookup.path for lookup in item.lookups}) > 1]
    names = {str(lookup.path) for item in several for lookup in item.lookups}
    assert "config/references/ising.json" in names
    assert "docs/data/ising/claims.csv" in names


def test_numbers_are_found_as_a_whole_only() -> None:
    found = [Printed(text, ()) for text in ("15.813 ± 0.035", "115.813", "15.8130", "about 15.813.", "15.813.2")]
    assert [item.text for item in holding("15.813", found)] == ["15.813 ± 0.035", "about 15.813."]


def test_why_of_a_number_names_look_up_file_and_commit(page: list[Printed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    item = next(item for item in page if item.lookups[0].call.startswith("q('fashion_paper'"))
    lookup: Lookup = item.lookups[0]
    number = lookup.answer.split()[0] if lookup.answer.split()[0] in item.text else item.text.split()[0]
    text = "\n".join(number_lines(Path(), "docs/results/gerken_kessel.md", number))
    assert lookup.call in text
    assert "from docs/data/fashion_paper/fashion_mnist_summary.h5" in text
    assert "commit 57f758f41764" in text


def test_whatever_a_template_may_call_is_traced() -> None:
    """But what combines numbers that others look up."""
    assert functions(Committed(ROOT)).keys() - ARTEFACTS.keys() == {"score", "reading"}


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs/templates").glob("*.md")))
def test_all_that_pages_draw_from_data_leads_to_files_that_are_there(name: str) -> None:
    found = printed(ROOT, f"docs/results/{name}")
    assert len(found) >= 2
    lookups = [lookup for item in found for lookup in item.lookups]
    assert all(lookup.path is not None and (ROOT / lookup.path).exists() for lookup in lookups)
    # One of a summary is that number of that summary.
    committed = Committed(ROOT)
    for lookup in {lookup for lookup in lookups if lookup.call.startswith("q(")}:
        run, experiment, quantity = re.findall(r"'([^']+)'", lookup.call)
        assert lookup.path == Path(f"docs/data/{run}/{experiment}_summary.h5")
        assert lookup.answer == str(committed.quantity(run, experiment, quantity))


@pytest.mark.parametrize(
    ("page", "number", "lines"),
    [
        # In a macro, after two others of the same sentence.
        (
            "nordenfors_flinth",
            lambda committed: committed.quantity("paper_pool", "nordenfors_c4", "floor/asym/mnist").alone,
            ["q('paper_pool', 'nordenfors_c4', 'floor/asym/mnist')", "docs/data/paper_pool/nordenfors_c4_summary.h5"],
        ),
        # A variable, set lines before, of two files.
        (
            "nordenfors_flinth",
            lambda committed: misfit_of_points(points(committed, "paper_pool", "nordenfors_c4", "nordenfors_c4")).num,
            ["points_misfit('paper_pool'", "docs/data/paper_pool/nordenfors_c4", "references/nordenfors_c4.json"],
        ),
        # A cell of a committed table, and the summary that the table was made of.
        (
            "misof",
            lambda committed: cell(committed, "distances", "cnn_gcnn_settings", "as assumed", "over published"),
            ["cell('distances', 'cnn_gcnn_settings'", "docs/figures/distances/cnn_gcnn_settings.md", "_summary.h5"],
        ),
        # A published value.
        (
            "gerken_kessel",
            lambda committed: committed.published("ising", "ntk_difference", 100, data="test", width=512).alone,
            ["published('ising', 'ntk_difference', 100, data='test', width=512)", "config/references/ising.json"],
        ),
        # What differs, of the run that judged it alone.
        (
            "disagreements",
            lambda committed: "0.002716",
            ["docs/data/ising/claims.csv", "docs/data/ising/ising_summary"],
        ),
    ],
    ids=["macro", "variable", "cell", "published", "differs"],
)
def test_numbers_lead_to_their_quantity_and_its_file(
    page: str, number: Callable[[Committed], object], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    text = "\n".join(number_lines(Path(), f"docs/results/{page}.md", str(number(Committed(ROOT)))))
    for line in lines:
        assert line in text, text
    if page == "disagreements":
        assert "docs/data/fashion_paper" not in text


def test_why_of_the_readme_names_the_verdicts_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    row = next(
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| [F2](docs/results/gerken")
    )
    number = row.split("|")[5].split()[0]
    text = "\n".join(number_lines(Path(), "README.md", number))
    assert "from docs/data/ising/claims.csv" in text
    assert "docs/data/ising/ising_summary.h5  [as recorded]" in text


def test_numbers_and_pages_that_are_not_looked_up_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(
        DataError, match=r"no number 99\.9999 that is looked up there\. Traced are numbers that a template"
    ):
        list(number_lines(Path(), "docs/results/gerken_kessel.md", "99.9999"))
    with pytest.raises(DataError, match=r"expected a page that is made from data, one of README\.md, docs/results/"):
        list(number_lines(Path(), "docs/running.md", "1"))


def test_why_of_a_claim_shows_both_sides_and_every_run() -> None:
    claim = next(claim for claim in read_claims(ROOT / "config/claims.yaml") if claim.id == "osp_table_ensemble_c16")
    text = "\n".join(claim_lines(ROOT, claim))
    assert "published: 15.24 ± 0.69, stated, S2, p. 82" in text
    assert "docs/data/fashion/claims.csv" in text
    assert "docs/data/fashion_paper/claims.csv" in text
    assert ": agrees." in text


def test_differences_name_the_settings() -> None:
    before = {"a": {"b": [1, 2], "c": "x"}, "d": 1, "gone": 0}
    now = {"a": {"b": [1, 3], "c": "x"}, "d": [1, 2], "new": 0}
    assert differences(before, now) == ["a.b.1: 2 -> 3", "d: 1 -> [1, 2]", "gone is gone", "new is new"]
    assert differences(before, before) == []


def test_raw_data_without_a_better_digest_are_named_by_their_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = read_yaml(ROOT / "config/config.yaml") | {"scale": "paper", "experiments": ["histology", "fashion_mnist"]}
    found = [item["identifier"] for item in raw_data(ROCrate(), Plan(run, ROOT / "config"))]
    assert sum(name.startswith("md5:") for name in found) == 1  # NCT-CRC-HE-100K
    assert all(re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", name) for name in found)
