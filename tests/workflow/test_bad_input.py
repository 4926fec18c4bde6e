"""Bad input gives one clear error that says what is wrong, where, and what to do; never a traceback."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_project import Project

from emergent import storage
from emergent.errors import DataError, EmergentError
from emergent.job_memory import require_memory
from emergent.metrics.registry import MEMBER_METRICS
from emergent.plan import Plan

ISING = "config/experiments/ising.yaml"
BLOCK = "results/smoke/ising/train/mlp_8/members_0002-0003.h5"
PREDICTIONS = "results/smoke/ising/kernels/mlp_8/predictions.h5"
PREPARED = "results/datasets/spins/prepared.h5"


def one_error(output: str) -> str:
    """Returns the only error message in an output, and what follows it."""
    assert "Traceback" not in output, output
    found = ("\n" + output).split("\nerror: ")[1:]
    assert len(found) == 1, output
    return found[0]


WRONG = [
    pytest.param(
        (ISING, "learning_rate: 0.5", "lerning_rate: 0.5"), [],
        ["experiments/ising.yaml", "train.lerning_rate: unknown key; did you mean 'learning_rate'?"],
        id="misspelt key of an experiment",
    ),
    pytest.param(
        ("config/config.yaml", "experiments:", "experimens:"), [],
        ["config/config.yaml", "experimens: unknown key; did you mean 'experiments'?"],
        id="misspelt key of the run",
    ),
    pytest.param(
        ("config/claims.yaml", "\nclaims:\n", "\nclaimz:\n"), [],
        ["config/claims.yaml", "claimz: unknown key; did you mean 'claims'?"],
        id="misspelt key of the claims",
    ),
    pytest.param(
        None, ["experiments=[isng]"],
        ["no experiment 'isng'; did you mean 'ising'?", "There are: fashion_mnist, ising."],
        id="unknown experiment",
    ),
    pytest.param(None, ["scale=labtop"], ["scale", "'labtop'", "'smoke', 'laptop' or 'paper'"], id="unknown scale"),
    pytest.param(
        None, ["figures=[ising_invarianc]"],
        ["figures: 'ising_invarianc'", "did you mean 'ising_invariance'?", "Possible: "],
        id="unknown figure",
    ),
    pytest.param(
        None, ["figures=[ising_invariance]", "experiments=[fashion_mnist]"],
        ["figures: 'ising_invariance': its experiments are off"],
        id="figure of an experiment that is off",
    ),
    pytest.param(
        (ISING, "dataset: spins, split: test", "dataset: spinz, split: test"), [],
        ["no data set 'spinz'; did you mean 'spins'?"],
        id="unknown data set",
    ),
    pytest.param(
        (ISING, "width: 8,", "width: 0,"), [],
        ["experiments/ising.yaml", "arms.mlp_8.model.width", "greater than 0", "(found 0)"],
        id="width 0",
    ),
    pytest.param(
        (ISING, "member_metrics: [orbit_std, mean_output]", "member_metrics: [orbit_std, mean_output, orbit_sdt]"), [],
        ["experiments/ising.yaml: evaluate.member_metrics: no metric 'orbit_sdt'", "did you mean 'orbit_std'?"],
        id="unknown metric",
    ),
    pytest.param(
        (ISING, "mode: full", "mode: random"), [],
        ["arms.mlp_8.infinite_width", "full orbits"],
        id="infinite width of random augmentation",
    ),
    pytest.param(
        (ISING, "batch_size: null", "batch_size: 4"), [],
        ["arms.mlp_8.infinite_width", "train.batch_size"],
        id="infinite width of batches",
    ),
    pytest.param(
        (ISING, "loss: mse", "loss: cross_entropy"), [],
        ["arms.mlp_8.infinite_width", "mse"],
        id="infinite width of another loss",
    ),
    pytest.param(
        (ISING, "shape: [4, 4, 1]", "shape: [4, 6, 1]"), [],
        ["arms.mlp_8.augmentation.group: C4", "needs a square image", "4 x 6"],
        id="group that does not act",
    ),
    pytest.param(
        (ISING, "members: {num: 4, block: 2}", "members: {num: 100000, block: 100000}"), ["memory_gb=0.7"],
        ["ising, arm mlp_8: a block of 100000 members needs about", "but 0.7 GiB may be used", "members.block to "],
        id="block too large for memory",
    ),
]  # fmt: skip
"""A change of one file, overrides of the run, and words of the error."""


def assert_clear(message: str, expected: list[str]) -> None:
    for words in expected:
        assert words in message
    assert len(message.strip().splitlines()) <= 4, "other output buries the message"


def check(config: dict[str, Any]) -> None:
    plan = Plan(config, Path("config"))
    plan.require_metrics(MEMBER_METRICS)
    require_memory(plan)


@pytest.mark.parametrize(("edit", "overrides", "expected"), WRONG)
def test_wrong_configuration_is_refused(
    project: Project,
    edit: tuple[str, str, str] | None,
    overrides: list[str],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the plan, which the Snakefile asks first."""
    if edit:
        project.edit(*edit)
    monkeypatch.chdir(project.folder)
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    for override in overrides:
        key, _, value = override.partition("=")
        config[key] = yaml.safe_load(value)
    with pytest.raises(EmergentError) as found:
        check(config)
    assert_clear(str(found.value), expected)


@pytest.mark.parametrize(
    ("edit", "overrides", "expected"),
    [case for case in WRONG if case.id in ("unknown scale", "unknown metric", "block too large for memory")],
)
def test_wrong_configuration_stops_before_any_job(
    project: Project, edit: tuple[str, str, str] | None, overrides: list[str], expected: list[str]
) -> None:
    """One of each step of the check; that Snakemake shows the error is the same for all."""
    if edit:
        project.edit(*edit)
    done = project.snakemake("--dry-run", *(["--config", *overrides] if overrides else []))
    assert done.returncode != 0
    assert_clear(one_error(done.stdout), expected)


def test_the_block_size_that_is_advised_fits(project: Project) -> None:
    project.edit(ISING, "members: {num: 4, block: 2}", "members: {num: 100000, block: 100000}")
    message = one_error(project.snakemake("--dry-run", "--config", "memory_gb=0.7").stdout)
    block = int(message.partition("members.block to ")[2].split()[0])
    project.edit(ISING, "{num: 100000, block: 100000}", f"{{num: {block}, block: {block}}}")
    assert project.plan("--config", "memory_gb=0.7")


def truncate(project: Project, file: str) -> None:
    path = project.folder / file
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(project: Project, file: str) -> None:
    content = bytearray(project.content(file))
    content[len(content) // 2] ^= 4
    (project.folder / file).write_bytes(content)


def test_a_damaged_block_is_named_with_its_remedy(finished: Project, complete_run: Project) -> None:
    later = ["results/smoke/ising/summary.h5", BLOCK.replace("/train/", "/evaluate/")]
    for file in later:
        (finished.folder / file).unlink()
    for damage, word in ((flip_a_bit, "damaged"), (truncate, "truncated")):
        damage(finished, BLOCK)
        done = finished.snakemake("--profile", "workflow/profiles/local", later[0])
        assert done.returncode != 0
        assert "Traceback" not in done.stdout
        message = one_error(done.stdout).splitlines()[0]
        assert message.startswith(f"{BLOCK}: not a readable HDF5 file ({word}: ")
        assert "delete it and run again" in message
        # Once more at the end, where it is looked for.
        assert f"\nfailed: evaluate {later[1]}: {message}\n" in done.stdout
    # The remedy does what it says: this block is trained again, no other.
    (finished.folder / BLOCK).unlink()
    jobs = finished.plan(later[0])
    assert [job.outputs[0] for job in jobs if job.rule == "train"] == [BLOCK]
    assert {job.rule for job in jobs} == {"train", "evaluate", "summarise"}
    finished.build("--profile", "workflow/profiles/local", later[0])
    for file in (BLOCK, *later):
        assert finished.content(file) == complete_run.content(file), file


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("file", [BLOCK, PREDICTIONS, PREPARED])
def test_truncated_anywhere(complete_run: Project, tmp_path: Path, file: str, kept: float) -> None:
    content = complete_run.content(file)
    path = tmp_path / "file.h5"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=r"file\.h5: not a readable HDF5 file .* delete it and run again"):
        storage.read_attributes(path)


def test_a_truncated_summary_is_named_by_the_figure(finished: Project) -> None:
    truncate(finished, "results/smoke/ising/summary.h5")
    line = (
        "python -m emergent.cli.figure --config results/figures/ising_invariance.json --scale smoke"
        " --summary ising=results/smoke/ising/summary.h5 --output-stem out"
    )
    done = finished.shell(line)
    assert done.returncode == 1
    assert one_error(done.stdout).startswith("results/smoke/ising/summary.h5: not a readable HDF5 file")


IMAGES = "results/datasets/remote/raw/images.gz"


def test_offline_without_mirror_says_what_is_missing_and_how_to_supply_it(project: Project) -> None:
    done = project.snakemake(IMAGES)
    assert done.returncode != 0
    message = one_error(done.stdout)
    for words in (
        "data set 'remote': images.gz could not be obtained",
        "mirror: none given",
        "https://127.0.0.1:9/images.gz: no connection",
        "images.gz  5 bytes  sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "labels.gz  5 bytes  sha256 486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7",
        "To supply them: put them into a folder, as remote-files/images.gz",
        "'mirror' in config/config.yaml",
        "EMERGENT_MIRROR",
    ):
        assert words in message
    assert not (project.folder / IMAGES).exists()


def test_a_wrong_file_in_the_mirror_is_refused_and_the_right_one_taken(project: Project, tmp_path: Path) -> None:
    project.edit("config/datasets.yaml", 'urls: ["https://127.0.0.1:9/images.gz"]', "urls: []")
    mirror = tmp_path / "mirror/remote-files"
    mirror.mkdir(parents=True)
    (mirror / "images.gz").write_bytes(b"hallo")
    done = project.snakemake(IMAGES, EMERGENT_MIRROR=str(mirror.parent))
    assert done.returncode != 0
    message = one_error(done.stdout)
    found = "d3751d33f9cd5049c4af2b462735457e4d3baf130bcbb87f389e349fbaeb20b9"
    assert f"mirror {mirror}/images.gz: corrupt or another version: sha256 {found}, expected 2cf24dba" in message
    assert not list((project.folder / IMAGES).parent.glob("*.gz*"))
    (mirror / "images.gz").write_bytes(b"hello")
    project.build(IMAGES, "--config", f"mirror={mirror.parent}")
    assert project.content(IMAGES) == b"hello"


def test_an_address_that_has_moved_is_no_reason_to_fetch_again(project: Project, tmp_path: Path) -> None:
    """Nobody answers at the old one nor at the new one."""
    (tmp_path / "images.gz").write_bytes(b"hello")
    project.build(IMAGES, EMERGENT_MIRROR=str(tmp_path))
    project.edit("config/datasets.yaml", "https://127.0.0.1:9/images.gz", "https://127.0.0.1:9/moved/images.gz")
    assert not project.plan(IMAGES)
    assert project.content(IMAGES) == b"hello"
