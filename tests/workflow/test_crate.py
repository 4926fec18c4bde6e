"""The archive of a finished run: complete, consistent, and a Workflow Run RO-Crate."""

import hashlib
import json
import zipfile
from pathlib import Path

import yaml
from tiny_project import Project

OUTPUT = "results/smoke/emergent-smoke.crate.zip"


def test_every_file_is_described_by_its_digest(crate: Path) -> None:
    with zipfile.ZipFile(crate) as archive:
        graph = {item["@id"]: item for item in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
        names = set(archive.namelist()) - {"ro-crate-metadata.json"}
        files = {name for name, item in graph.items() if "File" in item["@type"]}
        assert names == files
        for name in names - {"codecheck.yml"}:
            content = archive.read(name)
            assert graph[name]["sha256"] == hashlib.sha256(content).hexdigest()
            assert graph[name]["contentSize"] == str(len(content))
            assert graph[name]["encodingFormat"] or name.endswith(".lock")


def test_it_has_what_the_profiles_ask_for(crate: Path) -> None:
    with zipfile.ZipFile(crate) as archive:
        metadata = json.loads(archive.read("ro-crate-metadata.json"))
    graph = {item["@id"]: item for item in metadata["@graph"]}
    root = graph["./"]
    profiles = {item["@id"] for item in root["conformsTo"]}
    assert profiles == {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    assert all(graph[profile]["@type"] == "CreativeWork" for profile in profiles)
    workflow = graph[root["mainEntity"]["@id"]]
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert graph[workflow["programmingLanguage"]["@id"]]["name"] == "Snakemake"
    (action,) = [item for item in graph.values() if item["@type"] == "CreateAction"]
    assert root["mentions"]["@id"] == action["@id"]
    assert action["instrument"]["@id"] == workflow["@id"]
    assert action["startTime"] <= action["endTime"]
    results = {item["@id"] for item in action["result"]}
    assert "figures/smoke/gerken_kessel/ising_invariance.pdf" in results
    assert "results/smoke/fashion_mnist/summary.h5" in results
    assert all(item["@id"] in graph for item in [*action["object"], *action["result"]])


def test_the_manifest_lists_every_figure_and_table_once(crate: Path) -> None:
    with zipfile.ZipFile(crate) as archive:
        manifest = yaml.safe_load(archive.read("codecheck.yml"))["manifest"]
        files = [item["file"] for item in manifest]
        assert len(files) == len(set(files)) > 5
        assert set(files) <= set(archive.namelist())
        assert all(": " in item["comment"] for item in manifest)


def test_an_unfinished_run_is_not_packed(finished: Project) -> None:
    (finished.folder / "results/smoke/ising/summary.h5").unlink()
    done = finished.shell(f"python -m emergent.cli.crate --scale smoke --output {OUTPUT}")
    assert done.returncode == 1
    assert "the run is not finished: results/smoke/ising/summary.h5 missing. Run 'make figures' first." in done.stdout
    assert not (finished.folder / OUTPUT).exists()
