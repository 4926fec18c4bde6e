"""What ``status`` calls stale after an edit, and the ancestry that ``why`` prints of a finished run."""

import re
from pathlib import Path

from tiny_project import Project

FIGURE = "figures/smoke/gerken_kessel/fashion_mnist_osp.pdf"


def status(project: Project) -> dict[str, str]:
    """State and reasons of every figure and of the verdicts."""
    done = project.shell("python -m emergent.cli.status --all")
    assert done.returncode == 0, done.stdout
    first, *lines = done.stdout.splitlines()
    assert re.match(r"scale smoke: \d+ figures, tables and verdicts: ", first)
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith("        "):
            found[name] += f"\n{line.strip()}"
        else:
            name, state = re.match(r"\S*\s+(\w+)\s+(up to date|stale|missing)", line).groups()  # type: ignore[union-attr]
            found[name] = state
    return found


def overview(project: Project) -> list[str]:
    """What is printed without ``--all``."""
    done = project.shell("python -m emergent.cli.status")
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_finished_run_is_up_to_date_and_edits_are_named_by_value_and_by_code(finished: Project) -> None:
    assert set(status(finished).values()) == {"up to date"}
    first, *others = overview(finished)
    assert "stale" not in first and "missing" not in first
    assert len(others) == 1

    finished.edit("config/experiments/fashion_mnist.yaml", "max_ensembles: 2", "max_ensembles: 1")
    found = status(finished)
    assert found["ising_invariance"] == "up to date"
    assert found["fashion_mnist_osp"].startswith("stale\nfashion_mnist, evaluate, arm cnn_c4: by value: ")
    assert "evaluate.max_ensembles: 2 -> 1" in found["fashion_mnist_osp"]
    assert found["claims"].startswith("stale")
    # Once, whatever the number of figures.
    first, *others = overview(finished)
    assert "1 stale" in first
    heading = next(line for line in others if line.startswith("stale: fashion_mnist, made 20"))
    assert ", commit " in heading and "gerken_kessel F3" in heading and "claims" in heading
    reason = "    evaluate of every arm: by value: evaluate.max_ensembles: 2 -> 1"
    # The summary has the same setting.
    assert others.count(reason) == 1 and sum("max_ensembles" in line for line in others) == 2

    finished.edit("config/experiments/fashion_mnist.yaml", "max_ensembles: 1", "max_ensembles: 2")

    with open(finished.folder / "src/emergent/summaries/orbit_spread.py", "a") as stream:
        stream.write("\nADDED = 1\n")
    found = status(finished)
    assert "ising, summary: by code: " in found["ising_invariance"]
    # All summaries share a verb, whose fingerprint is that of every question.
    assert "fashion_mnist, evaluate" not in found["fashion_mnist_osp"]


def test_other_inputs_and_missing_files_are_named(finished: Project) -> None:
    prepared = finished.folder / "results/datasets/digits/prepared.h5"
    content = bytearray(prepared.read_bytes())
    place = content.index(b"SHA-256 ") + len("SHA-256 ")
    content[place] = ord("0") if content[place] != ord("0") else ord("1")
    prepared.write_bytes(content)
    (finished.folder / "results/smoke/ising/summary.h5").unlink()
    found = status(finished)
    assert (
        "fashion_mnist, train, arm cnn_c4: input results/datasets/digits/prepared.h5: changed since"
        in (found["fashion_mnist_osp"])
    )
    assert "ising, summary: missing" in found["ising_invariance"]
    (finished.folder / FIGURE).unlink()
    assert status(finished)["fashion_mnist_osp"].startswith("missing")


def test_why_prints_the_chain_from_a_figure_to_its_data(complete_run: Project) -> None:
    done = complete_run.shell(f"python -m emergent.cli.why {FIGURE}")
    assert done.returncode == 0, done.stdout
    chain = [
        "results/smoke/fashion_mnist/summary.h5  [as recorded]",
        "results/smoke/fashion_mnist/evaluate/cnn_c4/members_0000-0003.h5  [as recorded]",
        "results/smoke/fashion_mnist/train/cnn_c4/members_0000-0003.h5  [as recorded]",
        "results/datasets/digits/prepared.h5  [as recorded]",
    ]
    depths = [re.search(rf"^( *){re.escape(line)}$", done.stdout, re.MULTILINE) for line in chain]
    # Each is an input of the one before, but for data that evaluation reads too.
    assert [len(found[1]) for found in depths if found] == [2, 4, 6, 6]
    assert "experiment fashion_mnist, arm cnn_c4, seed 2" in done.stdout
    assert "made by emergent.datasets.digits, without downloads" in done.stdout
    code = re.search(r"code ([0-9a-f]{12})", done.stdout)
    assert code is not None


def test_why_refuses_what_it_does_not_know(complete_run: Project) -> None:
    for target, words in {
        "osp_table_ensemble_c61": "neither a file here, nor PAGE:NUMBER, nor a claim",
        "Snakefile": "nothing beside it tells how it came about",
    }.items():
        done = complete_run.shell(f"python -m emergent.cli.why {target}")
        assert done.returncode == 1
        assert words in done.stdout
        assert "Traceback" not in done.stdout


def test_changed_ancestors_are_seen(finished: Project) -> None:
    summary = Path("results/smoke/fashion_mnist/summary.h5")
    (finished.folder / summary).write_bytes((finished.folder / "results/smoke/ising/summary.h5").read_bytes())
    done = finished.shell(f"python -m emergent.cli.why {FIGURE}")
    assert f"{summary}  [changed since]" in done.stdout
