"""The pages: written from committed data, in step with it, and honest about where their numbers come from."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
import test_layers

from emergent.config.figures import read_catalogue
from emergent.errors import DataError
from emergent.pages import build
from emergent.pages.committed import Committed
from emergent.pages.job_times import NAME as JOB_TIMES
from emergent.pages.overview import read_overview
from emergent.pages.rooms import room_imports
from emergent.pages.tables import selected

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "docs" / "templates").glob("*.md"))
EXPRESSIONS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|```.*?```|\(http.*?\)|arXiv:\d{4}\.\d{5}|behind the sign ±", re.DOTALL)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return build.pages(ROOT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the pages are made of, to be tampered with."""
    for folder in ("docs", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    # Only imports are read from the source.
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    return tmp_path


def test_pages_are_what_the_data_give(made: dict[str, str]) -> None:
    assert build.differing(ROOT, made) == [], "run 'python -m emergent.cli.docs' and look at the difference"


def test_a_number_changed_in_a_page_is_found(copy: Path, made: dict[str, str]) -> None:
    page = copy / "docs/results/nordenfors_flinth.md"
    text = page.read_text()
    assert "3.9149 ± 0.0012" in text
    page.write_text(text.replace("3.9149 ± 0.0012", "3.9150 ± 0.0012", 1))
    assert build.differing(copy, made) == ["docs/results/nordenfors_flinth.md"]


def test_a_value_changed_in_a_summary_is_found(copy: Path) -> None:
    with h5py.File(copy / "docs/data/paper_pool/nordenfors_c4_summary.h5", "r+") as file:
        names = [name.decode() for name in file["quantities/name"]]
        file["quantities/value"][names.index("osp/sym/mnist/100")] += 0.01
    assert build.differing(copy, build.pages(copy)) == ["docs/results/nordenfors_flinth.md"]


def test_a_changed_verdict_reaches_readme_and_page(copy: Path) -> None:
    path = copy / "docs/data/laptop/claims.csv"
    lines = path.read_text().splitlines(keepends=True)
    where = next(index for index, line in enumerate(lines) if line.startswith("permutation_equivariant_stays"))
    lines[where] = lines[where].replace(",agrees,", ",differs,")
    path.write_text("".join(lines))
    assert build.differing(copy, build.pages(copy)) == ["docs/results/flinth.md", "README.md"]


def test_verb_checks_and_writes(copy: Path) -> None:
    page = copy / "docs/results/misof.md"
    right = page.read_text()
    wrong = re.sub(r"(\d\.\d+) ±", r"9\1 ±", right, count=1)
    assert wrong != right
    page.write_text(wrong)
    command = [sys.executable, "-m", "emergent.cli.docs", "--root", str(copy)]
    check = subprocess.run([*command, "--check"], capture_output=True, text=True)
    assert check.returncode == 1
    assert "docs/results/misof.md" in check.stderr
    subprocess.run(command, check=True, capture_output=True)
    assert page.read_text() == right


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_templates_state_no_measured_number_by_hand(template: Path) -> None:
    """A decimal number or an error in a template must come out of an expression."""
    rest = EXPRESSIONS.sub("", template.read_text())
    assert re.findall(r".{0,30}(?:±|\d\.\d).{0,30}", rest) == []


def test_unknown_look_ups_name_page_and_remedy(copy: Path) -> None:
    template = copy / "docs/templates/misof.md"
    template.write_text(template.read_text() + "{{ q('paper_slice', 'nordenfors_c4', 'osp/sym/mnist/11') }}\n")
    with pytest.raises(DataError, match=r"docs/templates/misof\.md.*did you mean 'osp/sym/mnist/10'"):
        build.pages(copy)


def test_readme_is_short_and_states_numbers_in_its_block_only() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    assert "±" not in text
    assert "At paper scale only the ensembles on Fashion-MNIST are complete" in text.split("```")[0]


def test_every_figure_has_one_line_in_the_readme() -> None:
    listed = [name for lines in read_overview(ROOT / "docs").values() for line in lines for name in line.figures]
    assert sorted(listed) == sorted(read_catalogue(ROOT / "config" / "figures.yaml"))


def test_committed_figures_are_shown_on_the_page_that_their_line_leads_to_and_on_no_other() -> None:
    """But on that of changes, which tells of earlier numbers; figures that no run has committed have no picture."""
    pages = {path.stem: path.read_text() for path in (ROOT / "docs/results").glob("*.md") if path.stem != "changes"}
    templates = {path.stem: path.read_text() for path in TEMPLATES}
    committed = {name for run in Committed(ROOT).runs.values() for name in run.pictures}
    for paper, lines in read_overview(ROOT / "docs").items():
        for line in lines:
            for name in committed & set(line.figures):
                linked = {page for page, text in pages.items() if re.search(rf"figures/\w+/{name}\.", text)}
                whole = rf"whole_table\('\w+', '{name}'"
                printed = {page for page, text in templates.items() if re.search(whole, text)}
                assert linked | printed == {line.page or paper}, name


def test_line_that_leads_to_no_page_is_refused(copy: Path) -> None:
    path = copy / "docs/templates/overview.yaml"
    path.write_text(path.read_text().replace("page: villar_units", "page: villar_unity"))
    with pytest.raises(DataError, match=r"villar, D5a, D5u, D5v: no page 'villar_unity'"):
        build.pages(copy)


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    words = [re.sub(r"[^\w\- ]", "", line.lower()) for line in re.findall(r"^#+ (.+?) *$", text, flags=re.MULTILINE)]
    return {word.replace(" ", "-") for word in words}


def test_links_and_their_anchors_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "templates")]
    with_anchor = 0
    for page in pages:
        for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text()):
            if target.startswith("http"):
                continue
            path = page.parent / target if target else page
            assert path.exists(), f"{page}: {target}"
            assert not anchor or anchor in anchors(path), f"{page}: {target}#{anchor}"
            with_anchor += bool(anchor)
    assert with_anchor > 1


def test_documentation_site_lists_every_page_of_results() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    pages = {path.name for path in (ROOT / "docs/results").glob("*.md")}
    assert sorted(re.findall(r"results/(\w+\.md)$", text, flags=re.MULTILINE)) == sorted(pages)


def test_committed_pictures_have_captions() -> None:
    folder = ROOT / "docs" / "figures"
    pictures = [path for path in folder.rglob("*") if path.suffix in (".png", ".md")]
    assert pictures
    assert [str(path) for path in pictures if not path.with_suffix(".txt").exists()] == []


def test_committed_files_are_those_of_the_runs() -> None:
    for name, run in Committed(ROOT).runs.items():
        data = {path.name for path in (ROOT / "docs/data" / name).glob("*.h5")}
        assert data == {f"{experiment}_summary.h5" for experiment in run.summaries}
        pictures = {path.stem for path in (ROOT / "docs/figures" / name).glob("*.txt")}
        assert pictures == set(run.pictures)
        for path in (ROOT / "docs/data" / name).glob("*"):
            bare = path.suffix == ".json" or path.name == JOB_TIMES
            assert bare or path.with_name(f"{path.name}.provenance.json").exists()


def test_verdicts_and_summaries_of_a_run_agree() -> None:
    committed = Committed(ROOT)
    compared = 0
    for name, run in committed.runs.items():
        verdicts = committed.verdicts(name).dropna(subset=["ours"])
        for row in verdicts[verdicts["experiment"].isin(run.summaries)].to_dict("records"):
            ours = committed.quantity(name, row["experiment"], row["quantity"])
            assert row["ours"] == pytest.approx(ours.value, rel=1e-6), row["quantity"]
            compared += 1
    assert compared > 100


def test_drawing_of_the_rooms_is_that_of_the_imports() -> None:
    """Independent of the code that draws it: the table in design.md against the imports that the layer test reads."""
    drawn = {}
    for line in (ROOT / "docs" / "design.md").read_text().splitlines():
        if match := re.fullmatch(r"\| `(\w+)` \| .+ \| (.+) \|", line):
            drawn[match[1]] = [] if match[2] == "–" else match[2].split(", ")
    found: dict[str, set[str]] = {
        test_layers.layer(name): set() for name in test_layers.modules(test_layers.SOURCE_ROOT) if name
    }
    for item in test_layers.imports(test_layers.SOURCE_ROOT):
        source, target = test_layers.layer(item.importer), test_layers.layer(item.inside)
        if source and target and source != target:
            found[source].add(target)
    assert {room: set(targets) for room, targets in drawn.items()} == found
    order = list(drawn)
    assert all(order.index(target) > order.index(room) for room, targets in drawn.items() for target in targets)
    assert order == sorted(order, key=lambda room: -test_layers.RANK[room])


def test_graph_of_the_rooms_implies_the_imports_and_no_more() -> None:
    text = (ROOT / "docs" / "design.md").read_text()
    arrows: dict[str, set[str]] = {}
    for source, target in re.findall(r"^  (\w+) --> (\w+)$", text, flags=re.MULTILINE):
        arrows.setdefault(source, set()).add(target)
    imports = room_imports(ROOT / "src")

    def reached(room: str, graph: dict[str, set[str]]) -> set[str]:
        return set().union(*({target} | reached(target, graph) for target in graph.get(room, ())))

    assert all(targets <= imports[room] for room, targets in arrows.items())
    assert all(reached(room, arrows) == reached(room, imports) for room in imports)


def test_new_import_changes_the_drawing(copy: Path) -> None:
    module = copy / "src/emergent/metrics/orbit.py"
    module.write_text(module.read_text() + "\nfrom emergent.storage import Array\n")
    assert build.differing(copy, build.pages(copy)) == ["docs/design.md"]


def test_verdicts_on_earlier_forms_of_claims_are_superseded(copy: Path) -> None:
    """A committed file keeps the verdicts of its time; what today's claims do not say is no verdict on them."""
    path = copy / "docs/data/laptop/claims.csv"
    before = path.read_text()
    rows = Committed(copy).verdicts("laptop").set_index("quantity")
    names = ["distance/graphs/equivariant", "ratio/skew", "departure_ratio/graphs", "ratio/non_unitary"]
    assert set(rows.loc[names, "verdict"]) == {"agrees"}
    claims = copy / "config/claims.yaml"
    text = claims.read_text()
    # Another bound, another quantity, gone, and as it was.
    for claim, old, new in (
        ("permutation_equivariant_stays", "value: 1.0e-5", "value: 1.0e-6"),
        ("subspace_skew_leaves", "quantity: ratio/skew", "quantity: final/skew"),
        ("permutation_augmented_is_closer", "permutation_augmented_is_closer", "permutation_augmented_is_near"),
    ):
        where = text.index(f"id: {claim}")
        text = text[:where] + text[where:].replace(old, new, 1)
    claims.write_text(text)
    rows = Committed(copy).verdicts("laptop").set_index("quantity")
    assert list(rows.loc[names, "verdict"]) == ["superseded", "superseded", "superseded", "agrees"]
    assert path.read_text() == before


def test_claims_that_a_run_knows_nothing_of_are_absent(copy: Path) -> None:
    path = copy / "docs/data/laptop/claims.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if not row.startswith("distance_falls_to_a_small_floor,")))
    found = selected(Committed(copy), "laptop", ["distance_falls_to_a_small_floor", "gcnn_exact_invariance"])
    assert list(found["id"]) == ["gcnn_exact_invariance"]
    with pytest.raises(DataError, match="no claim matches 'distance_falls_too_far'"):
        selected(Committed(copy), "laptop", ["distance_falls_too_far"])
