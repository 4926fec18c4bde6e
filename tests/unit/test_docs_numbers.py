"""Numbers of the pages: rounding, errors, misfits, verdict words, reflowing, collecting."""

import json
import math
import shutil
from pathlib import Path

import pytest

from emergent.claims.words import group_word
from emergent.errors import DataError
from emergent.figures.facts import read_facts
from emergent.integrity import content_digest
from emergent.pages.build import reflowed, replace_block
from emergent.pages.collect import collect
from emergent.pages.committed import Committed
from emergent.pages.comparisons import Reading, misfit, misfit_of_points, points, spread_of_arms
from emergent.pages.measured import Measured, score
from emergent.pages.overview import shortened
from emergent.pages.pictures import cell, whole_table
from emergent.pages.tables import verdict_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def committed() -> Committed:
    return Committed(ROOT)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (3.72289, 0.00762, "3.723 ± 0.008"),
        (4.12298, 0.17007, "4.12 ± 0.17"),
        (0.48091, 0.0207, "0.481 ± 0.021"),
        (10.591, 0.0587, "10.59 ± 0.06"),
        (12.6, 0.0352, "12.600 ± 0.035"),
        (12.6, 0.0357, "12.60 ± 0.04"),
        (26.43, 1.96, "26.4 ± 2.0"),
        (26.43, 12.3, "26 ± 12"),
        (0.246, math.nan, "0.246"),
        (4.76e-15, 0.0, "4.76e-15"),
        (math.nan, math.nan, "–"),
        (1e-7, 2.3e-8, "1e-07 ± 2e-08"),
    ],
)
def test_value_is_rounded_by_its_error(value: float, error: float, text: str) -> None:
    assert str(Measured(value, error)) == text


def test_errors_propagate() -> None:
    ratio = Measured(6.0, 0.6) / Measured(2.0, 0.2)
    assert ratio.value == 3.0
    assert ratio.stderr == pytest.approx(3.0 * math.hypot(0.1, 0.1))
    assert (Measured(0.0, 0.1) / Measured(4.0, 0.2)).stderr == pytest.approx(0.025)
    assert not (Measured(3.0) / Measured(2.0)).has_error
    assert (Measured(3.0, 0.3) - Measured(1.0, 0.4)).stderr == pytest.approx(0.5)
    assert (Measured(0.012, 0.004).percent.value, Measured(2.0, 0.2) / 2) == (1.2, Measured(1.0, 0.1))
    assert score(Measured(3.0, 0.3), Measured(1.0, 0.4)) == pytest.approx(4.0)
    assert math.isnan(score(Measured(3.0), Measured(1.0)))


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["agrees", "not tested at this scale"], "agrees"),
        (["agrees", "inconclusive"], "inconclusive"),
        (["agrees", "differs", "inconclusive"], "mixed"),
        (["differs", "inconclusive"], "differs"),
        (["agrees", "fitted"], "agrees"),
        (["fitted", "not run"], "fitted"),
        (["agrees", "superseded"], "inconclusive"),
        (["differs", "superseded"], "differs"),
        (["not tested at this scale", "missing", "superseded"], "unjudged"),
        ([], "unjudged"),
    ],
)
def test_word_of_a_group(verdicts: list[str], word: str) -> None:
    assert group_word(verdicts) == word


def test_committed_summaries_can_be_drawn_today() -> None:
    """Their settings have today's form, which they are put into whenever that form changes."""
    paths = sorted((ROOT / "docs/data").rglob("*_summary.h5"))
    assert len(paths) > 3
    for path in paths:
        facts = read_facts(path)
        # Exact statements need no repeats.
        assert f"{facts.experiment}_summary.h5" == path.name and facts.num_members >= 1


def error_of_mean(spread: float, reading: float, size: int, value: float) -> Measured:
    """Returns a mean of 30 ensembles from 1000 members, from the spread of one and the accuracy of reading."""
    return Measured(value, math.hypot(math.sqrt(spread**2 - reading**2) * math.sqrt(1 / 30 + size / 1000), reading))


def test_published_points_are_compared_with_the_quantities_of_their_name(committed: Committed) -> None:
    found = points(committed, "paper_slice", "nordenfors_c4", "nordenfors_c4")
    point = next(p for p in found if (p.figure, p.metric, p.arm, p.role, p.size) == ("F4", "osp", "asym", "in", 10))
    assert (point.ours.value, point.published) == (
        pytest.approx(3.72200, abs=1e-4),
        error_of_mean(0.011, 0.001, 10, 3.715),
    )
    assert point.score == pytest.approx(
        (point.ours.value - 3.715) / math.hypot(point.ours.stderr, point.published.stderr)
    )
    few = misfit_of_points(found, role="ood", size=5)
    chosen = [p.score for p in found if (p.role, p.size) == ("ood", 5)]
    assert (few.num, few.largest) == (len(chosen), max(abs(score) for score in chosen))
    fit = misfit_of_points(found)
    assert fit.num == sum(p.size in (5, 10) for p in found) == 23
    assert fit.largest == pytest.approx(max(abs(p.score) for p in found if p.size in (5, 10)))


def test_misfit_adds_squares_of_the_arms_that_a_reading_takes(committed: Committed) -> None:
    data = {"in": "mnist", "ood": "cifar10"}
    bilinear = "nordenfors_c16_bilinear"
    whole = misfit(committed, "c16", [Reading(bilinear, bilinear, data)], 4, 5)
    parts = [misfit(committed, "c16", [Reading(bilinear, bilinear, data, (arm,))], 4, 5)
             for arm in ("sym", "asym_invariant_init", "asym", "cnn")]  # fmt: skip
    assert whole.num == sum(part.num for part in parts) == 10
    assert whole.total == pytest.approx(sum(part.total for part in parts))
    assert whole.largest == max(part.largest for part in parts)
    ours = committed.disjoint("c16", bilinear, arm="asym", data="mnist", epoch=4, ensemble_size=5, metric="divergence")
    assert parts[2].total == pytest.approx(score(ours, error_of_mean(1.14, 0.106, 5, 10.582)) ** 2)


def test_a_point_is_not_read_twice(committed: Committed) -> None:
    reading = Reading("nordenfors_c16_bilinear", "nordenfors_c16_bilinear", {"in": "mnist", "ood": "cifar10"})
    with pytest.raises(DataError, match="read twice"):
        misfit(committed, "c16", [reading, reading], 4, 5)


def test_spread_of_arms_is_the_largest_over_epochs(committed: Committed) -> None:
    name = "nordenfors_c16_nearest"
    difference, relative = spread_of_arms(committed, "c16", name, data="mnist", metric="osp", size=5)
    table = committed.table("c16", name, "disjoint")
    own = table[(table.data == "mnist") & (table.metric == "osp")]
    gaps = [
        own[own.epoch == epoch]["mean"].max() - own[own.epoch == epoch]["mean"].min()
        for epoch in (1, 2, 3, 4, 6, 8, 10)
    ]
    assert difference == pytest.approx(max(gaps))
    assert 0 < relative < difference


def test_cells_of_tables_whose_labels_hold_bars(committed: Committed) -> None:
    assert cell(committed, "ising", "ising_readings", "ising l4 ordered, over mean |E|", "mismatch") == "1.4x"
    assert cell(committed, "ising", "ising_readings", "ising l4 warm, over |mean E|", "ood") == "0.49"
    with pytest.raises(DataError, match="no cell"):
        cell(committed, "ising", "ising_readings", "l4_cold", "ood")


def test_tables_are_shown_whole_with_their_captions(committed: Committed) -> None:
    text = whole_table(committed, "group", "counterfactual_tests")
    assert (
        text.startswith("| ") and cell(committed, "group", "counterfactual_tests", "helix, before", "distance") in text
    )
    assert text.endswith("No numbers are published.*")
    with pytest.raises(DataError, match="no such table"):
        whole_table(committed, "group", "no_such_tests")


def test_decades_are_written_as_factors() -> None:
    assert str(Measured(-1.0, 0.1).power_of_ten) == "0.100 ± 0.023"
    assert str(Measured(2.0).power_of_ten) == "100"


def test_look_ups_that_find_nothing_say_so(committed: Committed) -> None:
    with pytest.raises(DataError, match="no run 'laptops'; did you mean 'laptop'"):
        committed.verdicts("laptops")
    with pytest.raises(DataError, match="found 0 times"):
        committed.ours("ising", "distance_2")
    with pytest.raises(DataError, match="found 9 times"):
        committed.ours("ising", "ising_root_m_decay")
    with pytest.raises(DataError, match="no value at 11"):
        committed.published("nordenfors_c4", "osp", 11, arm="sym", role="in", figure="F4")
    with pytest.raises(DataError, match="2 published series"):
        committed.published("nordenfors_c4", "osp", 5, arm="sym", role="in")


@pytest.mark.parametrize(
    ("files", "short"),
    [
        (["ising_a.pdf"], "ising_a.pdf"),
        (["ising_a.pdf", "ising_b.pdf"], "ising_{a,b}.pdf"),
        (["flow.pdf", "flow_controls.pdf"], "flow{,_controls}.pdf"),
        (["law.pdf", "law_table.md"], "law{.pdf,_table.md}"),
        (["a.pdf", "b.pdf"], "{a,b}.pdf"),
    ],
)
def test_shared_beginnings_of_file_names_are_written_once(files: list[str], short: str) -> None:
    assert shortened(files) == short


def test_paragraphs_are_filled_and_nothing_else() -> None:
    text = "one\ntwo " + "word " * 30 + "1.0 ± 0.1\n\n| a | b |\n\n```\ncode  kept\n\nas is\n```\n"
    filled = reflowed(text)
    assert all(len(line) <= 120 for line in filled.splitlines())
    assert filled.startswith("one two word")
    assert filled.endswith("\n\n| a | b |\n\n```\ncode  kept\n\nas is\n```\n")
    assert " ".join(filled.split()) == " ".join(text.split())


def test_block_needs_its_marks_once() -> None:
    assert replace_block("a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb", "x", "new", "f") == (
        "a\n<!-- begin: x -->\nnew\n<!-- end: x -->\nb"
    )
    with pytest.raises(DataError, match=r"README\.md: needs the lines"):
        replace_block("a", "x", "new", "README.md")


def finished_run(root: Path) -> None:
    """A repository with one entry in runs.yaml, and the folders of a run that fits it."""
    (root / "docs/data").mkdir(parents=True)
    (root / "docs/data/runs.yaml").write_text(
        "runs:\n  slice:\n    title: t\n    scale: paper\n    description: d\n"
        "    summaries: [nordenfors_c4]\n    pictures: [law, points]\n"
    )
    results = root / "results/paper/nordenfors_c4"
    results.mkdir(parents=True)
    source = ROOT / "docs/data/paper_slice/nordenfors_c4_summary.h5"
    shutil.copyfile(source, results / "summary.h5")
    facts = json.loads(Path(f"{source}.provenance.json").read_text())
    block = results / "members.h5"
    shutil.copyfile(source, block)
    data = {"results/datasets/digits/prepared.h5": "0" * 64}
    for path, inputs in {results / "summary.h5": {str(block): content_digest(block)}, block: data}.items():
        Path(f"{path}.provenance.json").write_text(json.dumps(facts | {"inputs": inputs}))
    (root / "figures/paper/nordenfors_flinth").mkdir(parents=True)
    for name in ("law.png", "law.txt", "law.pdf", "points.md", "points.txt"):
        (root / "figures/paper/nordenfors_flinth" / name).write_text(name)
    (root / "figures/paper/claims.csv").write_text("id\nx\n")
    read = {str(results / "summary.h5"): content_digest(source), "config/claims.yaml": "0" * 64}
    (root / "figures/paper/claims.provenance.json").write_text(json.dumps({"git": facts["git"], "inputs": read}))


def test_collect_takes_summaries_verdicts_pictures_and_captions(tmp_path: Path) -> None:
    finished_run(tmp_path)
    collect(tmp_path, tmp_path / "results/paper", tmp_path / "figures/paper", "slice")
    names = sorted(path.name for path in (tmp_path / "docs").rglob("slice/*"))
    assert names == [
        "claims.csv", "claims.csv.provenance.json", "jobs.csv", "law.png", "law.txt", "nordenfors_c4_summary.h5",
        "nordenfors_c4_summary.h5.provenance.json", "points.md", "points.txt",
    ]  # fmt: skip
    origin = json.loads((tmp_path / "docs/data/slice/claims.csv.provenance.json").read_text())
    assert list(origin["committed_summaries"]) == ["nordenfors_c4"]
    assert origin["inputs"] == {"config/claims.yaml": "0" * 64}
    committed = json.loads((tmp_path / "docs/data/slice/nordenfors_c4_summary.h5.provenance.json").read_text())
    assert list(committed["inputs"]) == [str(tmp_path / "results/paper/nordenfors_c4/members.h5")]


def test_collect_copies_nothing_of_an_incomplete_run(tmp_path: Path) -> None:
    finished_run(tmp_path)
    (tmp_path / "figures/paper/nordenfors_flinth/law.txt").unlink()
    with pytest.raises(DataError, match=r"missing: .*law\.txt"):
        collect(tmp_path, tmp_path / "results/paper", tmp_path / "figures/paper", "slice")
    assert not list((tmp_path / "docs").rglob("slice"))
    with pytest.raises(DataError, match="no run 'other'"):
        collect(tmp_path, tmp_path / "results/paper", tmp_path / "figures/paper", "other")


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("summary.h5", {"git": {"commit": "0123456789abcdef", "dirty": True}}, "changes on top of commit 0123456789ab"),
        # Of what the summary was made of.
        ("members.h5", {"git": {"commit": "0123456789abcdef", "dirty": True}}, "changes on top of commit 0123456789ab"),
        ("summary.h5", {"inputs": {}}, "has no digests of inputs"),
    ],
)
def test_collect_takes_a_run_that_no_commit_makes_only_when_told_to(
    tmp_path: Path, file: str, change: dict[str, object], words: str
) -> None:
    finished_run(tmp_path)
    sidecar = tmp_path / f"results/paper/nordenfors_c4/{file}.provenance.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | change))
    run = (tmp_path, tmp_path / "results/paper", tmp_path / "figures/paper", "slice")
    with pytest.raises(DataError, match=f"run slice is not collected: {sidecar} .*{words}.* with --unclean"):
        collect(*run)
    assert not list((tmp_path / "docs").rglob("slice"))
    assert collect(*run, unclean=True)


def test_collect_refuses_verdicts_on_another_summary(tmp_path: Path) -> None:
    finished_run(tmp_path)
    other = ROOT / "docs/data/paper_pool/nordenfors_c4_summary.h5"
    shutil.copyfile(other, tmp_path / "results/paper/nordenfors_c4/summary.h5")
    with pytest.raises(DataError, match=r"summary\.h5 is another one than that which the verdicts are on"):
        collect(tmp_path, tmp_path / "results/paper", tmp_path / "figures/paper", "slice")
    assert not list((tmp_path / "docs").rglob("slice"))


def test_what_has_been_collected_since_there_are_digests_has_them() -> None:
    """Older runs have none, and never will."""
    for sidecar in (ROOT / "docs/data").glob("*/*_summary.h5.provenance.json"):
        facts = json.loads(sidecar.read_text())
        if facts["ended"] >= "2026-11-28":
            assert facts["inputs"], sidecar


def test_verdict_tables_may_show_one_verdict(committed: Committed) -> None:
    whole = verdict_table(committed, "inpainting", "inpainting_*").splitlines()
    few = verdict_table(committed, "inpainting", "inpainting_*", only="differs").splitlines()
    assert few[:2] == whole[:2] and all(line.endswith("| differs |") for line in few[2:])
    assert len(few[2:]) == sum(line.endswith("| differs |") for line in whole) > 0
    with pytest.raises(DataError, match="none of the claims"):
        verdict_table(committed, "inpainting", "inpainting_*", only="superseded")
