"""What the profiles for clusters ask a scheduler for, as a dry run tells; ``make test-slurm`` asks a real one."""

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from tiny_project import Project, make_project

ROOT = Path(__file__).parents[2]
LOCAL = {"stage_config", "arm_config", "dataset_config", "figure_config", "download"}
"""Rules that run where Snakemake runs."""


def asked(output: str) -> dict[str, dict[str, str]]:
    """Returns rule to what one of its jobs asks for, and to its group."""
    found: dict[str, dict[str, str]] = {}
    group, current = "", ""
    for line in output.splitlines():
        if heading := re.match(r"\[.*\] Group job (\S+) ", line):
            group = heading[1]
        elif rule := re.match(r"( *)(?:local)?rule (\w+):$", line):
            current = rule[2]
            found[current] = {"group": group if rule[1] else ""}
        elif resources := re.match(r" +resources: (.*)$", line):
            found[current] |= dict(pair.split("=", 1) for pair in resources[1].split(", "))
    return {rule: own for rule, own in found.items() if rule not in ("all", "default")}


def dry_run(project: Project, profile: str, *arguments: str) -> dict[str, dict[str, str]]:
    return asked(project.build("--dry-run", "--workflow-profile", f"workflow/profiles/{profile}", *arguments))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Nothing computed, and dry runs leave it so; with a user's own profile beside it."""
    made = make_project(tmp_path_factory.mktemp("cluster") / "project")
    (made.folder / "mine").mkdir()
    mine = "default-resources: [slurm_account=physics, slurm_partition=day]\n"
    (made.folder / "mine/config.yaml").write_text(mine)
    return made


@pytest.fixture(scope="module")
def once(project: Project) -> dict[str, dict[str, str]]:
    """What is asked for at the first attempt."""
    return dry_run(project, "slurm", "--profile", "mine")


def test_rules_ask_for_memory_time_and_cores_and_users_for_account_and_partition(
    once: dict[str, dict[str, str]],
) -> None:
    for rule, own in once.items():
        assert (own["slurm_account"], own["slurm_partition"]) == ("physics", "day"), rule
        if rule not in LOCAL:
            assert int(own["mem_mb"]) >= 1000 and int(own["runtime"]) >= 10, rule
            assert own.get("gpu", "0") == "0", rule
    groups = {rule: own["group"] for rule, own in once.items()}
    assert groups["train"] == groups["evaluate"] == groups["summarise"] != ""
    assert (groups["prepare"], groups["figure"], groups["claims"]) == ("data", "figures", "figures")
    assert not any(groups[rule] for rule in LOCAL if rule in groups)


def test_another_attempt_asks_for_more(project: Project, once: dict[str, dict[str, str]]) -> None:
    twice = dry_run(project, "slurm", "--attempt", "2")
    for rule in set(once) - LOCAL:
        for resource in ("mem_mb", "runtime"):
            assert int(twice[rule][resource]) == 2 * int(once[rule][resource]), (rule, resource)


def test_with_gpus_the_stages_that_compute_ask_for_one_each(project: Project) -> None:
    found = dry_run(project, "slurm", "--config", "accelerator=true")
    gpus = {rule: int(own.get("gpu", "0")) for rule, own in found.items()}
    assert {rule for rule, num in gpus.items() if num} == {"train", "evaluate", "predict", "summarise"}
    assert set(gpus.values()) == {0, 1}


def test_the_generic_profile_has_a_value_for_all_that_it_submits(project: Project) -> None:
    found = dry_run(project, "generic", "--config", "accelerator=true")
    assert all({"mem_mb", "runtime", "gpu"} <= set(own) for rule, own in found.items() if rule not in LOCAL)
    gpus = {own.get("gpu", "0") for own in found.values()}
    assert gpus == {"0", "1"}


@pytest.mark.parametrize(("gpu", "asked_for"), [(0, []), (1, ["--gres=gpu:1"])])
def test_the_generic_profile_asks_for_a_gpu_where_a_job_needs_one(
    tmp_path: Path, gpu: int, asked_for: list[str]
) -> None:
    stub = tmp_path / "sbatch"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > asked\n')
    stub.chmod(0o755)
    profile = yaml.safe_load((ROOT / "workflow/profiles/generic/config.yaml").read_text())
    resources = SimpleNamespace(mem_mb=2000, runtime=30, gpu=gpu)
    command = profile["cluster-generic-submit-cmd"].format(threads=1, resources=resources)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(f"{command} script.sh", shell=True, check=True, cwd=tmp_path, env=os.environ | {"PATH": path})
    words = (tmp_path / "asked").read_text().split()
    assert [word for word in words if "gpu" in word] == asked_for
    assert {"--mem=2000", "--time=30", "--cpus-per-task=1"} <= set(words) and words[-1] == "script.sh"


def test_jobs_that_ask_for_more_time_than_schedulers_give_are_told_before_the_first_one(tmp_path: Path) -> None:
    """Nothing can be submitted here; on one machine nobody limits time, and nothing is said."""
    made = make_project(tmp_path / "project")
    made.edit("config/throughput.yaml", "longest_hours: {cpu: 168,", "longest_hours: {cpu: 0.001,")
    target = "results/smoke/ising/summary.h5"
    cluster = ["--workflow-profile", "workflow/profiles/generic", "--cluster-generic-submit-cmd", "false"]
    done = made.snakemake(*cluster, "--retries", "0", target)
    warning = re.search(
        r"^warning: \d+ jobs ask for more than 0\.001 hours of one core.*\n  ising: .*$", done.stdout, re.M
    )
    assert warning, done.stdout
    local = made.snakemake("results/smoke/ising/config/summary.json")
    assert local.returncode == 0 and "hours of one core" not in local.stdout
