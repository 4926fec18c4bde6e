"""What ``status`` says: reasons alike are said once, committed runs stand in for experiments that this folder lacks."""

import shutil
from pathlib import Path

import pytest

from emergent.cli import status
from emergent.config.base import read_yaml
from emergent.lineage.reasons import Reason, some, together, without_numbers
from emergent.lineage.staleness import Status, made
from emergent.lineage.status_lines import Overview
from emergent.plan import Plan

ROOT = Path(__file__).parents[2]
ARMS = {"train": ("a", "b"), "evaluate": ("a", "b")}


def code(stage: str, arm: str, *names: str, since: str = " since commit 1") -> Reason:
    return Reason("by code", "toy", stage, arm, names, since)


def test_a_reason_by_itself_names_experiment_stage_and_arm() -> None:
    assert str(Reason("not run", "toy")) == "toy: not run"
    assert str(code("train", "a", "m", "n")) == "toy, train, arm a: by code: m, n since commit 1"
    assert str(Reason("by value", "toy", "summary")) == "toy, summary: by value: settings"
    assert str(Reason("by input", stage="figure", names=("f",), ending="gone")) == "figure: input f: gone"
    assert str(Reason("not recorded", stage="table")) == "table: no provenance beside it"


def test_arms_and_stages_with_one_reason_share_a_line() -> None:
    reasons = [code(stage, arm, "m", "n") for stage in ARMS for arm in ("a", "b")]
    assert together(reasons, ARMS) == ("train, evaluate of every arm: by code: m, n since commit 1",)
    assert together(reasons[:1], ARMS) == ("train of a: by code: m, n since commit 1",)
    # Blocks of one arm are files by themselves.
    assert together(reasons[:1] * 3, ARMS) == together(reasons[:1], ARMS)


def test_reasons_that_differ_are_not_mixed() -> None:
    """Another module, another commit, a setting: each is told with what it holds for."""
    value = Reason("by value", "toy", "train", "a", ("epochs: 1 -> 2",))
    reasons = [code("train", "a", "m"), code("train", "b", "n"), code("evaluate", "a", "m", since=" since commit 2")]
    assert together([*reasons, value], ARMS) == (
        "train of a: by code: m since commit 1",
        "train of b: by code: n since commit 1",
        "evaluate of a: by code: m since commit 2",
        "train of a: by value: epochs: 1 -> 2",
    )


def test_later_stages_have_more_modules() -> None:
    reasons = [code("train", "a", *"abcde"), code("summary", "", *"abcdefg")]
    assert together(reasons, ARMS) == ("train of a; summary: by code: a, b, c and up to 4 more since commit 1",)
    assert some(tuple("abcd")) == "a, b, c and 1 more"


def test_blocks_are_one_input_and_data_are_another() -> None:
    block = [Reason("by input", "toy", "evaluate", "a", (f"results/x/{i}.h5",), "gone") for i in range(4)]
    data = Reason("by input", "toy", "evaluate", "a", ("results/datasets/d/prepared.h5",), "gone")
    assert together([*block, data], ARMS) == (
        "evaluate of a: input results/x/0.h5, results/x/1.h5, results/x/2.h5 and 1 more: gone",
        "evaluate of a: input results/datasets/d/prepared.h5: gone",
    )


def test_settings_of_several_entries_of_a_list_are_named_once() -> None:
    assert without_numbers(["arms.0.s is new", "arms.1.s is new", "x.1: 1 -> 2"]) == ("arms.*.s is new", "x.1: 1 -> 2")


def test_time_and_commit_are_said_where_they_are_recorded() -> None:
    facts = {"ended": "2026-01-02T03:04:05+00:00", "git": {"commit": "0123456789abcdef", "dirty": True}}
    assert made(facts) == "2026-01-02 03:04, commit 0123456789ab + changes"
    assert made({}) == "not recorded"


def overview(scale: str, *experiments: str) -> Overview:
    plan = Plan(read_yaml(ROOT / "config/config.yaml") | {"scale": scale, "experiments": list(experiments)}, CONFIG)
    return Overview(plan, Status(plan, ROOT / "src"))


CONFIG = ROOT / "config"


def test_committed_runs_stand_in_for_what_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, *lines = overview("laptop", "ising", "kernel_fashion_mnist", "toy_cosine").lines()
    assert first.startswith("scale laptop. Experiments: 1 not run, 2 committed. Figures and tables: ")
    assert any(line.startswith("from the committed run ising, made 20") and line.endswith(": ising") for line in lines)
    assert any(line.startswith("from the committed run learning --config members=3, made") for line in lines)
    assert any(line.startswith("not run: toy_cosine: gerken_kessel F12; ") for line in lines)
    # At another scale nothing is committed.
    assert next(overview("smoke", "ising").lines()).startswith("scale smoke. Experiments: 1 not run. ")


def test_of_several_committed_runs_the_last_one_counts() -> None:
    (run,) = overview("laptop", "gromov_wasserstein").committed
    assert run.name == "theorems"


def test_folders_without_committed_runs_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["status", "--scale", "laptop"])
    status.main()
    first, *lines = capsys.readouterr().out.splitlines()
    assert "committed" not in first
    # One line for all experiments, one for the verdicts, and one on how to see more.
    assert len(lines) == 3
