"""A complete run makes all that it promises, on any number of cores; the real configuration can be planned."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from tiny_project import ROOT, Project

from emergent import storage
from emergent.config.base import read_yaml
from emergent.config.figures import read_catalogue
from emergent.config.throughput import read_throughput
from emergent.estimates.jobs import Estimates
from emergent.estimates.totals import all_jobs
from emergent.plan import Plan

BESIDE = ("csv", "txt", "provenance.json")
FORMATS = {"figure": ("pdf", "svg", "png", *BESIDE), "table": ("md", "html", "tex", *BESIDE)}
PAGES = ("claims.md", "claims.csv", "claims.html", "claims.provenance.json", "assumptions.html", "provenance.html")
SUMMARIES = [f"results/smoke/{name}/summary.h5" for name in ("ising", "fashion_mnist")]


def test_every_figure_table_and_page_is_there(complete_run: Project) -> None:
    folder = complete_run.folder / "figures/smoke"
    expected = {folder / page for page in PAGES}
    for name, entry in read_catalogue(ROOT / "config/figures.yaml").items():
        if set(entry.experiments) <= {"ising", "fashion_mnist"}:
            expected |= {folder / entry.paper / f"{name}.{suffix}" for suffix in FORMATS[entry.kind]}
    made = {path for path in folder.rglob("*") if path.is_file()}
    assert made == expected
    assert all(path.stat().st_size > 0 for path in made)
    assert not list(complete_run.folder.glob("**/*.partial"))


def test_figures_carry_their_numbers_and_stand_ins(complete_run: Project) -> None:
    tables = list(complete_run.folder.glob("figures/smoke/*/*.csv"))
    assert len(tables) >= 6
    for path in tables:
        numbers = pd.read_csv(path)
        assert "ours" in set(numbers["source"]), path
        caption = path.with_suffix(".txt").read_text()
        noted = "Stand-in: handwritten digits in place of Fashion-MNIST." in caption
        assert noted == path.name.startswith("fashion_mnist"), path


def test_pages_tell_verdicts_assumptions_and_provenance(complete_run: Project) -> None:
    folder = complete_run.folder / "figures/smoke"
    verdicts = pd.read_csv(folder / "claims.csv")
    assert {"ising", "fashion_mnist", "cnn_gcnn"} <= set(verdicts["experiment"])
    assert set(verdicts.loc[verdicts["experiment"] == "cnn_gcnn", "verdict"]) == {"not run"}
    for page in ("claims.md", "claims.html"):
        text = (folder / page).read_text()
        assert len(re.findall(r"\bcnn_gcnn\b", text)) == 1 and "not part of this run" in text, page
    assumptions = (folder / "assumptions.html").read_text()
    for words in ("train.learning_rate", "The rate is not published.", "train.optimiser"):
        assert words in assumptions
    provenance = (folder / "provenance.html").read_text()
    for name in (
        "train/mlp_8/members_0002-0003.h5",
        "evaluate/cnn_c4/members_0000-0003.h5",
        "kernels/mlp_8/predictions.h5",
    ):
        assert name in provenance


def test_files_say_what_made_them(complete_run: Project) -> None:
    files = sorted(complete_run.folder.glob("results/smoke/**/*.h5"))
    # A second name of a block, for longer training.
    resume = [path for path in files if path.name.startswith("resume_")]
    files = [path for path in files if path not in resume]
    assert [path.read_bytes() for path in resume] == [
        path.with_name(path.name.replace("resume", "members")).read_bytes() for path in resume
    ]
    stages = [storage.read_attributes(path)["stage"] for path in files]
    assert sorted(set(stages)) == ["evaluate", "predict", "summary", "train"]
    assert (len(files), len(resume)) == (9, 3)
    assert all(path.with_name(f"{path.name}.provenance.json").exists() for path in files)


def test_a_rules_line_works_in_a_terminal(finished: Project) -> None:
    target = "results/smoke/fashion_mnist/evaluate/cnn_c4/members_0000-0003.h5"
    printed = finished.build("--dry-run", "--printshellcmds", "--force", target)
    (line,) = [text for text in printed.splitlines() if "python -m emergent.cli.evaluate" in text]
    before = finished.content(target)
    (finished.folder / target).unlink()
    done = finished.shell(line.removeprefix("Shell command:"))
    assert done.returncode == 0, done.stdout
    assert finished.content(target) == before


def test_another_folder_and_number_of_cores_change_no_byte(project: Project, complete_run: Project) -> None:
    drawn = [f"figures/smoke/gerken_kessel/{name}" for name in ("ising_invariance.pdf", "ising_readings.md")]
    project.build(*SUMMARIES, *drawn, cores=1)
    files = [path.relative_to(project.folder) for path in sorted(project.folder.glob("results/**/*.h5"))]
    assert len(files) == 15
    pictures = [path for path in sorted(project.folder.glob("figures/**/ising_*.*")) if path.suffix != ".json"]
    assert {path.suffix for path in pictures} == {".pdf", ".svg", ".png", ".csv", ".txt", ".md", ".tex", ".html"}
    for file in [*files, *(path.relative_to(project.folder) for path in pictures)]:
        assert project.content(str(file)) == complete_run.content(str(file)), file


def test_the_callers_shell_changes_no_byte(finished: Project, complete_run: Project) -> None:
    """Neither double precision nor a notebook's backend reaches a job."""
    block = "results/smoke/ising/train/mlp_8/members_0002-0003.h5"
    picture = "figures/smoke/gerken_kessel/ising_invariance.png"
    for target in (block, picture):
        (finished.folder / target).unlink()
    caller = {"JAX_ENABLE_X64": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = finished.snakemake(block, picture, **caller)
    assert done.returncode == 0, done.stdout
    for target in (block, picture):
        assert finished.content(target) == complete_run.content(target), target


@pytest.mark.parametrize("scale", ["smoke", pytest.param("laptop", marks=pytest.mark.slow), "paper"])
def test_the_real_configuration_can_be_planned(tmp_path: Path, scale: str) -> None:
    for name in ("workflow", "config", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", tmp_path)
    jobs = Project(tmp_path).plan("--config", f"scale={scale}", "memory_gb=64")
    experiments = {path.stem for path in (ROOT / "config/experiments").glob("*.yaml")}
    summaries = {job.outputs[0] for job in jobs if job.rule == "summarise"}
    assert summaries == {f"results/{scale}/{name}/summary.h5" for name in experiments}
    drawn = {Path(job.outputs[0]).stem for job in jobs if job.rule in ("figure", "table")}
    assert drawn == set(read_catalogue(ROOT / "config/figures.yaml"))
    assert bool([job for job in jobs if job.rule == "download"]) == (scale != "smoke")
    # `make plan` counts the same jobs, without those that only write settings.
    content = read_yaml(tmp_path / "config/config.yaml") | {"scale": scale}
    rates = read_throughput(ROOT / "config/throughput.yaml")
    planned = all_jobs(Estimates(Plan(content, tmp_path / "config"), rates, tmp_path / "memory", "code"))
    expected = Counter((job.rule, job.outputs[0]) for job in jobs if not job.rule.endswith("_config"))
    main = {"figure": ".csv", "table": ".csv", "claims": ".html"}
    assert Counter((job.rule, job.output) for job in planned) == Counter(
        {
            (rule, str(Path(output).with_suffix(main[rule])) if rule in main else output): num
            for (rule, output), num in expected.items()
        }
    )
