"""What a plan warns of: jobs that are longer than schedulers run them, and times that rest on no measurement."""

from pathlib import Path
from typing import Any

import pytest

from emergent.cli import plan as plan_verb
from emergent.config.throughput import Hardware, Rate, Throughput, read_throughput
from emergent.estimates.jobs import Estimates
from emergent.estimates.limits import doubts, long_jobs, long_jobs_lines, measured_keys
from emergent.estimates.totals import all_jobs, by_experiment, seconds_of_job
from emergent.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
COMMITTED = read_throughput(CONFIG / "throughput.yaml")
HOUR = 3600.0


def estimates(folder: Path, *names: str, rates: Throughput = COMMITTED, **run: Any) -> Estimates:
    config = {"scale": "paper", "experiments": list(names), "memory_gb": 500} | run
    return Estimates(Plan(config, CONFIG), rates, folder, "code")


def throughput(**cpu: Rate) -> Throughput:
    rates = {key.replace("__", " "): rate for key, rate in cpu.items()} | {"other": Rate(start=10)}
    return Throughput(
        cpu=Hardware(name="one", rates=rates),
        gpu=Hardware(name="two", rates={"train cnn": Rate(start=1, per_second=1e12, jobs=1)}),
        safety=3,
        grouped_minutes=30,
    )


def test_limits_are_a_week_of_a_core_and_a_day_of_a_gpu() -> None:
    assert (COMMITTED.longest_seconds("cpu"), COMMITTED.longest_seconds("gpu")) == (168 * HOUR, 24 * HOUR)


def test_fewer_members_make_a_job_short_enough(tmp_path: Path) -> None:
    """The block that is named is the largest one below the limit that divides the number of members."""
    asked = estimates(tmp_path, "nordenfors_c4_5x5")
    jobs = [job for job in all_jobs(asked) if job.rule == "train" and job.arm == "sym"]
    members = asked.plan.experiment("paper", "nordenfors_c4_5x5").members_of_arm("sym")
    longest = seconds_of_job(asked, jobs[0])
    (found,) = long_jobs(asked, jobs, 0.7 * longest)
    assert (found.experiment, found.num, found.arm) == ("nordenfors_c4_5x5", len(jobs), "sym")
    assert found.seconds == longest
    larger = min(num for num in range(found.block + 1, members.block + 1) if members.num % num == 0)
    for block, fits in ((found.block, True), (larger, False)):
        smaller = estimates(tmp_path, "nordenfors_c4_5x5", block=block)
        assert (smaller.seconds("train", "paper", "nordenfors_c4_5x5", "sym") <= 0.7 * longest) == fits
    text = "\n".join(long_jobs_lines([found], 0.7 * longest, "cpu"))
    assert f"set 'members: {{block: {found.block}}}' in config/experiments/nordenfors_c4_5x5.yaml" in text


def test_what_one_member_takes_too_long_for_is_out_of_reach(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "nordenfors_c4_5x5")
    (found,) = long_jobs(asked, [job for job in all_jobs(asked) if job.rule == "train"], 30)
    assert found.block == 0
    heading, line = long_jobs_lines([found], 30, "cpu", "ask for")
    assert heading.startswith(f"warning: {found.num} jobs ask for more than 0.00833 hours of one core")
    assert "one member alone takes" in line and "out of reach of CPUs; a GPU (CUDA=1) may do it" in line
    (summary,) = long_jobs(asked, [job for job in all_jobs(asked) if job.rule == "summarise"], 60)
    assert "1 job, the longest" in long_jobs_lines([summary], 60, "cpu")[1]
    assert "it cannot be split" in long_jobs_lines([summary], 60, "cpu")[1]
    assert long_jobs_lines([found._replace(num=1)], 60, "gpu")[0].startswith("warning: 1 job takes more than")


def test_what_is_asked_for_is_more_than_the_estimate(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "toy_cosine")
    longest = max(seconds_of_job(asked, job) for job in all_jobs(asked) if job.rule == "train")
    assert not long_jobs(asked, all_jobs(asked), 2 * longest)
    (found,) = long_jobs(asked, all_jobs(asked), 2 * longest, times=3)
    assert found.seconds == 3 * longest
    assert not long_jobs_lines([], longest, "cpu")


def test_jobs_that_no_gpu_was_measured_on_are_not_called_out_of_reach(tmp_path: Path) -> None:
    rates = throughput(train_flow=Rate(start=1e6, jobs=1), train__mlp=Rate(start=1, per_second=1e9, jobs=1))
    asked = estimates(tmp_path, "nordenfors_flow", "toy_cosine", rates=rates, accelerator=True)
    assert [asked.counted_as_on_a_core(key) for key in ("train_flow", "train mlp", "train cnn")] == [True, False, False]
    (found,) = long_jobs(asked, all_jobs(asked), 24 * HOUR)
    assert found.as_on_core
    assert "counted as on a core, since no job like it was measured on a GPU" in long_jobs_lines([found], 1, "gpu")[1]


def test_hours_that_rest_on_no_measurement_are_counted(tmp_path: Path) -> None:
    """Training is nearly all of the time here; where none was measured that is what the share says."""
    rates = throughput(train__mlp=Rate(start=100, per_second=1e9), evaluate__mlp=Rate(start=1, jobs=1),
                       summarise__curve_symmetry=Rate(start=1, jobs=1))  # fmt: skip
    asked = estimates(tmp_path, "toy_cosine", rates=rates)
    is_measured = measured_keys(asked, rates)
    kinds = {(job.rule, is_measured(job)) for job in all_jobs(asked)}
    assert {("train", False), ("summarise", True), ("figure", True)} <= kinds
    (line,) = doubts(asked, is_measured)
    assert line.endswith("rest on rates that were never measured on any machine.")
    assert int(line.partition(" %")[0]) > 90
    # Measured on this machine.
    assert not doubts(asked, measured_keys(asked, rates, ["train mlp"]))
    assert doubts(asked, measured_keys(asked, COMMITTED)) == []


def test_training_that_is_counted_alike_whatever_its_size_is_named(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "risk_gap", "toy_cosine", rates=throughput(train__mlp=Rate(start=1, per_second=1e9)))
    line = next(line for line in doubts(asked, measured_keys(asked, COMMITTED)) if "whatever its size" in line)
    assert line.startswith("Perhaps far too low") and line.endswith(": risk_gap.")


def test_experiments_are_listed_with_their_longest_job(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "nordenfors_c4_5x5", "toy_cosine")
    heading, _, first, second = by_experiment(asked, lambda job: job.name == "toy_cosine").splitlines()
    assert heading.split("  ")[0] == "experiment"
    assert [word in heading for word in ("jobs", "core-hours", "longest job", "never measured")] == [True] * 4
    assert first.startswith("nordenfors_c4_5x5") and first.endswith("100 %")
    assert second.startswith("toy_cosine") and not second.endswith("%")


def test_the_limit_can_be_given(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["plan", "--committed", "--config", str(CONFIG), "--set", "scale=laptop", "experiments=[toy_cosine]"]
    told = []
    for limit in ([], ["--longest", "0.0001"]):
        monkeypatch.setattr("sys.argv", [*run, *limit])
        plan_verb.main()
        told.append(capsys.readouterr().out)
    assert ["warning: " in text for text in told] == [False, True]
    monkeypatch.setattr("sys.argv", [*run, "--longest", "0"])
    with pytest.raises(SystemExit):
        plan_verb.main()
