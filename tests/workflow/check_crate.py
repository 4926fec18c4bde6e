"""The archive of a run before the validator of its profile: it passes, and one that lacks something required does not.

``make test-crate`` runs this: the validator is in an environment of its own. Named so that pytest collects it only when
asked for.
"""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_project import ROOT

VALIDATOR = ROOT / ".venv/crate/bin/python"
METADATA = "ro-crate-metadata.json"


def validated(*archives: Path) -> list[dict[str, Any]]:
    """Returns what the validator says of each archive."""
    command = [str(VALIDATOR), str(ROOT / "envs/validate_crate.py"), *map(str, archives)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def without_workflow(graph: dict[str, dict[str, Any]]) -> None:
    """Nothing says what was run."""
    del graph["workflow/Snakefile"]


def without_main_entity(graph: dict[str, dict[str, Any]]) -> None:
    del graph["./"]["mainEntity"]


def without_licence(graph: dict[str, dict[str, Any]]) -> None:
    del graph["./"]["license"]


def without_instrument(graph: dict[str, dict[str, Any]]) -> None:
    """An action that is no run of the workflow."""
    del graph["#run-smoke"]["instrument"]


def without_language(graph: dict[str, dict[str, Any]]) -> None:
    del graph["workflow/Snakefile"]["programmingLanguage"]


REMOVALS = [without_workflow, without_main_entity, without_licence, without_instrument, without_language]


def changed(crate: Path, output: Path, removal: Callable[[dict[str, dict[str, Any]]], None]) -> Path:
    """Writes an archive that is another one by its description alone."""
    with zipfile.ZipFile(crate) as source, zipfile.ZipFile(output, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == METADATA:
                metadata = json.loads(content)
                graph = {item["@id"]: item for item in metadata["@graph"]}
                removal(graph)
                content = json.dumps(metadata | {"@graph": list(graph.values())}).encode()
            target.writestr(name, content)
    return output


@pytest.fixture(scope="module")
def verdicts(crate: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the validator says of the archive, and of others that lack something each."""
    assert VALIDATOR.exists(), "run it by 'make test-crate'"
    folder = tmp_path_factory.mktemp("archives")
    archives = {"whole": Path(shutil.copy2(crate, folder / "whole.zip"))}
    for removal in REMOVALS:
        archives[removal.__name__] = changed(crate, folder / f"{removal.__name__}.zip", removal)
    return dict(zip(archives, validated(*archives.values()), strict=True))


def test_a_run_passes_all_that_the_profile_requires(verdicts: dict[str, dict[str, Any]]) -> None:
    whole = verdicts["whole"]
    assert whole["passed"] and not whole["issues"] and not whole["skipped"], whole
    # Of RO-Crate, of workflows, of runs: none of the profiles that the profile builds on was left out.
    assert whole["checks"] >= 50


@pytest.mark.parametrize("removal", [removal.__name__ for removal in REMOVALS])
def test_one_that_lacks_something_fails(verdicts: dict[str, dict[str, Any]], removal: str) -> None:
    assert not verdicts[removal]["passed"]
    assert verdicts[removal]["issues"]
