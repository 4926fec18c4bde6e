"""The rerun contract: which edit makes which jobs run again on finished results, and which none."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_project import Job, Project

CODE_CHANGE = "\nADDED_BY_A_TEST = 1\n"
BELOW_SUMMARY = {"figure", "table", "claims", "provenance"}
BELOW_TRAINING = {"evaluate", "summarise"} | BELOW_SUMMARY


def rules(jobs: list[Job], naming: str = "") -> set[str]:
    """The rules of all jobs, or of those with an output whose path has ``naming`` in it."""
    return {job.rule for job in jobs if any(naming in output for output in job.outputs)}


def outputs(jobs: list[Job], *names: str) -> set[str]:
    """The first output of every job of the given rules."""
    return {job.outputs[0] for job in jobs if job.rule in names}


def append(project: Project, file: str, text: str) -> None:
    path = project.folder / file
    path.write_text(path.read_text() + text)


def reverse(value: Any, key: str = "") -> Any:
    """Turns the keys of all mappings round, except where their order is that of tables and legends."""
    if isinstance(value, dict):
        items = list(value.items()) if key in ("arms", "evaluate") else list(value.items())[::-1]
        return {name: reverse(item, name) for name, item in items}
    return [reverse(item) for item in value] if isinstance(value, list) else value


def reformat_configuration(project: Project) -> None:
    config = project.folder / "config"
    for path in [*config.glob("experiments/*.yaml"), config / "datasets.yaml", config / "config.yaml"]:
        turned = reverse(yaml.safe_load(path.read_text()))
        path.write_text("# A comment.\n" + yaml.safe_dump(turned, sort_keys=False) + "# Another.\n")


def reword_code(project: Project) -> None:
    """A comment and another docstring in every module of the package."""
    paths = [path for path in project.folder.glob("src/emergent/**/*.py") if path.read_text()]
    assert len(paths) > 50
    for path in paths:
        text = path.read_text()
        assert text.startswith('"""'), path
        path.write_text('# A comment.\n"""Other words.\n\n' + text.removeprefix('"""') + "\n# The end.\n")


def allot_otherwise(project: Project) -> None:
    """Other threads, memory, time, logs and benchmarks in every rule."""
    changes = {
        r"threads: \d": "threads: 3",
        r"attempt \* ASKED": "7 * ASKED",
        "/logs/": "/notes/",
        "/benchmarks/": "/times/",
    }
    counts = dict.fromkeys(changes, 0)
    for path in project.folder.glob("workflow/rules/*.smk"):
        text = path.read_text()
        for old, new in changes.items():
            text, count = re.subn(old, new, text)
            counts[old] += count
        path.write_text(text)
    assert min(counts.values()) >= 3, counts


@pytest.mark.parametrize("edit", [reformat_configuration, reword_code, allot_otherwise])
def test_nothing_runs_again_after(edit: Callable[[Project], None], finished: Project) -> None:
    edit(finished)
    jobs = finished.plan()
    assert not jobs, [str(job) for job in jobs]


def test_a_figures_module_reruns_figures_and_tables_only(finished: Project) -> None:
    append(finished, "src/emergent/figures/style.py", CODE_CHANGE)
    jobs = finished.plan()
    assert rules(jobs) == {"figure", "table"}
    drawn = {path.stem for path in finished.folder.glob("figures/smoke/*/*.csv")}
    assert {Path(output).stem for output in outputs(jobs, "figure", "table")} == drawn


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("training/step.py", {"train"} | BELOW_TRAINING),
        ("metrics/energy.py", {"predict", "summarise"} | BELOW_SUMMARY),
        ("prediction/regression.py", {"predict", "summarise"} | BELOW_SUMMARY),
        ("claims/verdict.py", {"claims"}),
    ],
)
def test_a_module_reruns_what_imports_it_and_all_below(module: str, expected: set[str], finished: Project) -> None:
    append(finished, f"src/emergent/{module}", CODE_CHANGE)
    assert rules(finished.plan()) == expected


def test_a_data_set_module_reruns_the_experiments_on_that_data(finished: Project) -> None:
    append(finished, "src/emergent/datasets/digits.py", CODE_CHANGE)
    jobs = finished.plan()
    assert outputs(jobs, "prepare") == {"results/datasets/digits/prepared.h5"}
    assert rules(jobs, "fashion_mnist") == {"train", "evaluate", "summarise", "figure"}
    assert not rules(jobs, "ising")


@pytest.mark.parametrize(
    ("name", "other", "rate", "expected"),
    [
        ("ising", "fashion_mnist", "0.5", {"stage_config", "predict", "arm_config", "train"}),
        ("fashion_mnist", "ising", "0.001", {"arm_config", "train"}),
    ],
)
def test_a_learning_rate_reruns_its_experiment_only(
    name: str, other: str, rate: str, expected: set[str], finished: Project
) -> None:
    finished.edit(f"config/experiments/{name}.yaml", f"learning_rate: {rate}\n", "learning_rate: 0.25\n")
    jobs = finished.plan()
    # The only tables of this project are of the Ising model.
    drawn = {"figure", "table"} if name == "ising" else {"figure"}
    assert rules(jobs, name) == expected | {"evaluate", "summarise"} | drawn
    assert not rules(jobs, other)
    # The page of assumptions shows the rate only where it is an assumption.
    assert rules(jobs) - rules(jobs, name) == {"claims", "provenance"} | ({"assumptions"} & rules(jobs))
    assert ("assumptions" in rules(jobs)) == (name == "ising")


def test_settings_of_later_stages_leave_earlier_stages_alone(finished: Project) -> None:
    finished.edit("config/experiments/ising.yaml", "batch_size: 32", "batch_size: 16")
    finished.edit("config/experiments/fashion_mnist.yaml", "reference_ensemble_size: 2", "reference_ensemble_size: 4")
    jobs = finished.plan()
    assert outputs(jobs, "arm_config") == {"results/smoke/ising/config/mlp_8/evaluate.json"}
    assert outputs(jobs, "stage_config") == {"results/smoke/fashion_mnist/config/summary.json"}
    assert rules(jobs, "/ising/") == {"arm_config", "evaluate", "summarise"}
    assert rules(jobs, "/fashion_mnist/") == {"stage_config", "summarise"}
    assert rules(jobs) <= {"arm_config", "stage_config", "evaluate", "summarise", "assumptions"} | BELOW_SUMMARY


def test_a_caption_redraws_its_figure_and_a_claim_its_verdicts(finished: Project) -> None:
    finished.edit("config/figures.yaml", "Relative standard deviation of the predicted energy", "Relative spread")
    jobs = finished.plan()
    assert outputs(jobs, "figure_config") == {"results/figures/ising_invariance.json"}
    assert outputs(jobs, "figure", "table") == {"figures/smoke/gerken_kessel/ising_invariance.pdf"}
    # This page lists all figures.
    assert rules(jobs) - {"figure_config", "figure"} <= {"assumptions"}
    append(finished, "config/claims.yaml", "# A comment.\n")
    assert rules(finished.plan()) - rules(jobs) <= {"claims"}


def test_a_larger_ensemble_adds_its_blocks_only(finished: Project) -> None:
    blocks = sorted(finished.folder.glob("results/*/*/*/*/members_*"))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in blocks}
    finished.edit("config/experiments/ising.yaml", "members: {num: 4, block: 2}", "members: {num: 6, block: 2}")
    jobs = finished.plan()
    assert outputs(jobs, "train") == {"results/smoke/ising/train/mlp_8/members_0004-0005.h5"}
    assert outputs(jobs, "evaluate") == {"results/smoke/ising/evaluate/mlp_8/members_0004-0005.h5"}
    assert rules(jobs, "ising") == {"stage_config", "train", "evaluate", "summarise", "figure", "table"}
    assert not rules(jobs, "fashion_mnist")
    assert rules(jobs) - rules(jobs, "ising") <= {"claims", "assumptions", "provenance"}

    # Not only planned: it runs, leaves the other blocks as they are, and then there is nothing more to do.
    summary = "results/smoke/ising/summary.h5"
    finished.build(summary)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in blocks} == before
    assert not finished.plan(summary)


def test_longer_training_goes_on_where_the_shorter_ended(finished: Project) -> None:
    """The longer block has the bytes of one trained at a stretch, also when a job has failed in between."""
    block = "results/smoke/fashion_mnist/train/cnn_c4/members_0000-0003.h5"
    resume = "results/smoke/fashion_mnist/train/cnn_c4/resume_0000-0003.h5"
    finished.edit("config/experiments/fashion_mnist.yaml", "optimiser: adam", "optimiser: sgd")
    finished.build(block)
    short = finished.content(block)
    assert "going on" not in finished.log(block)
    assert finished.content(resume) == short

    writer = finished.folder / "src/sitecustomize.py"
    writer.write_text("import numpy\n\ndef full(*_, **__):\n    raise OSError(28, 'no space')\n\nnumpy.stack = full\n")
    died = finished.snakemake(block, "--config", "epochs=2")
    writer.unlink()
    assert died.returncode != 0
    # A block that is not what the configuration says must not pass for it; what it can be made from is still there.
    assert not (finished.folder / block).exists()
    assert finished.content(resume) == short

    finished.build(block, "--config", "epochs=2")
    assert "trained for 1 epochs already; going on from there" in finished.log(block)
    long = finished.content(block)
    for file in (block, resume):
        (finished.folder / file).unlink()
    finished.build(block, "--config", "epochs=2")
    assert "going on" not in finished.log(block)
    assert finished.content(block) == long != short
