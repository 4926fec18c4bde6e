"""docs/extending.md, done literally: what each extension costs, and that it works."""

import re
import shlex
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from tiny_project import ROOT, Project

from emergent import storage

TEXT = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
COSTS = {
    "An experiment": {"config/experiments/digits_c8.yaml", "config/figures.yaml"},
    "An architecture": {
        "src/emergent/models/linear.py",
        "src/emergent/config/models.py",
        "src/emergent/models/registry.py",
        "src/emergent/kernels/registry.py",
    },
    "A data set": {"src/emergent/datasets/bars.py", "config/datasets.yaml", "src/emergent/datasets/registry.py"},
    "A metric": {"src/emergent/metrics/margin.py", "src/emergent/metrics/registry.py"},
    "A group": {"src/emergent/point_groups.py"},
    "A question": {
        "src/emergent/summaries/orbit_margin.py",
        "src/emergent/kinds/ensembles.py",
        "config/experiments/bars_margin.yaml",
    },
    "A claim": {"config/claims.yaml"},
}
"""Files that each extension touches: its own, and the one place where it becomes known."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its section, language, marks and content."""

    section: str
    language: str
    marks: dict[str, str]
    content: str

    @property
    def path(self) -> str:
        return self.marks.get("file") or self.marks.get("add", "")

    def apply(self, folder: Path) -> None:
        """Writes the file, or puts the content where its marks say."""
        path = folder / self.path
        if "file" in self.marks:
            assert not path.exists(), path
            path.write_text(self.content)
            return
        ((place, text),) = ((key, self.marks[key]) for key in ("after", "before", "replace") if key in self.marks)
        lines = path.read_text().splitlines(keepends=True)
        found = [index for index, line in enumerate(lines) if text in line]
        assert found, f"{path}: no line contains {text!r}"
        index = found[0]
        lines[index : index + (place != "before")] = {
            "after": [lines[index], self.content],
            "before": [self.content],
            "replace": [self.content],
        }[place]
        path.write_text("".join(lines))


def blocks() -> list[Block]:
    found = []
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        section = part.partition("\n")[0]
        for head, content in re.findall(r"^```(.+?)\n(.*?)^```$", part, flags=re.MULTILINE | re.DOTALL):
            language, *marks = shlex.split(head)
            found.append(Block(section, language, dict(mark.split("=", 1) for mark in marks), content))
    return found


def test_every_extension_costs_what_it_should() -> None:
    touched = {section: {block.path for block in blocks() if block.section == section} - {""} for section in COSTS}
    assert touched == COSTS
    assert {block.section for block in blocks()} <= set(COSTS)
    # Everything else in fences is run.
    assert {block.language for block in blocks() if not block.path} == {"bash"}


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The real project with all extensions made."""
    folder = tmp_path_factory.mktemp("extended") / "project"
    for name in ("workflow", "config", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "Snakefile", folder)
    for block in blocks():
        if block.path:
            block.apply(folder)
    return Project(folder)


def test_the_configuration_is_valid(extended: Project) -> None:
    done = extended.shell("python -m emergent.cli.validate")
    assert done.returncode == 0, done.stdout
    for name in ("digits_c8", "bars_margin"):
        assert f"ok  {name}" in done.stdout


@pytest.mark.parametrize("line", [line for block in blocks() if not block.path for line in block.content.splitlines()])
def test_what_the_page_says_to_run_runs(line: str, extended: Project) -> None:
    command = line.partition("#")[0].strip()
    done = extended.shell(command)
    assert done.returncode == 0, done.stdout
    (target,) = [word for word in shlex.split(command) if word.startswith(("results/", "figures/"))]
    assert (extended.folder / target).stat().st_size > 0


def test_the_question_is_answered_with_the_metric_on_the_data_by_the_network(extended: Project) -> None:
    summary = "results/smoke/bars_margin/summary.h5"
    if not (extended.folder / summary).exists():
        extended.build(summary)
    quantities = storage.read_table(extended.folder / summary, "quantities", "summary").set_index("name")
    assert list(quantities.index) == ["margin/linear/bars"]
    assert quantities.at["margin/linear/bars", "value"] > 0
    assert quantities.at["margin/linear/bars", "num"] == 4
    # The network has a kernel, and the question is not told of it.
    distance = storage.read_table(extended.folder / summary, "infinite_width", "summary")
    assert set(distance["arm"]) == {"linear"}
    # Quarter turns make every horizontal bar a vertical one: the infinite ensemble learns nothing, so no scale.
    assert (distance["mean"] > 0).all()


def test_the_claim_is_judged(extended: Project) -> None:
    if not (extended.folder / "figures/smoke/claims.csv").exists():
        extended.build("figures/smoke/claims.md", "--config", "experiments=['digits_c8']")
    verdicts = pd.read_csv(extended.folder / "figures/smoke/claims.csv").set_index("id")
    row = verdicts.loc["digits_c8_ensemble_above_members"]
    assert row["verdict"] in ("agrees", "differs", "inconclusive")
    assert row["quantity"] == "min_gain/cnn/in"


def test_the_group_is_there(extended: Project) -> None:
    script = textwrap.dedent(
        """
        from emergent.config.groups import Augmentation
        from emergent.point_groups import group_from_name
        print(group_from_name("pyritohedral").order, Augmentation(group="pyritohedral", mode="random").order)
        """
    )
    done = extended.shell(f"python -c {shlex.quote(script)}")
    assert done.stdout.split() == ["24", "24"], done.stdout
