"""Times of the jobs behind committed summaries: which of them are kept, and what of each."""

import json
from pathlib import Path

import numpy as np
import pytest

from emergent import storage
from emergent.pages.job_times import COLUMNS, job_times, read_job_times, settings_digest
from emergent.provenance import sidecar_path
from emergent.storage import Array


def finished(root: Path, name: str, inputs: tuple[str, ...] = (), device: str = "", seconds: float = 1.0) -> None:
    """One result with its provenance, e.g. ``results/laptop/toy/train/a/members_0000-0003.h5``."""
    path = root / name
    attributes = {"config_json": f'"{name}"', "experiment": "toy", "arm": "a", "seed": "1"}
    attributes |= {"code_fingerprint": "", "versions_json": ""}
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write(path, stage="train", attributes=attributes, arrays={"x": Array(np.zeros(9), ("x",))})
    facts = {"cpu_seconds": seconds, "wall_seconds": 3 * seconds, "peak_memory_bytes": 400_200_000}
    facts |= {"jax": {"device_kind": device} if device else None, "inputs": dict.fromkeys(inputs, "digest")}
    sidecar_path(path).write_text(json.dumps(facts))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An experiment with two arms, one of which evaluates what another experiment has trained; and a file left over."""
    folder, trained = "results/laptop/toy", "results/laptop/other/train/b/members_0000-0003.h5"
    blocks = [f"{folder}/evaluate/{arm}/members_0000-0003.h5" for arm in "ab"]
    own = f"{folder}/train/a/members_0000-0003.h5"
    data, predicted = "results/datasets/digits/prepared.h5", f"{folder}/kernels/a/predictions.h5"
    finished(tmp_path, f"{folder}/summary.h5", (*blocks, predicted, f"{folder}/config/summary.json"), seconds=0.5)
    finished(tmp_path, blocks[0], (own, data))
    finished(tmp_path, blocks[1], (trained, data))
    for name in (predicted, data, f"{folder}/train/a/members_0004-0007.h5"):
        finished(tmp_path, name)
    finished(tmp_path, own, (data,), seconds=20)
    finished(tmp_path, trained, (data,), device="NVIDIA H200")
    return tmp_path / "results/laptop"


def test_all_jobs_behind_a_summary_are_found_and_no_others(results: Path) -> None:
    table = job_times(results, ("toy",))
    assert tuple(table.columns) == COLUMNS
    assert [tuple(row) for row in table[["experiment", "rule", "arm", "block"]].to_numpy()] == [
        ("other", "train", "b", "0000-0003"),
        ("toy", "evaluate", "a", "0000-0003"),
        ("toy", "evaluate", "b", "0000-0003"),
        ("toy", "predict", "a", ""),
        ("toy", "summarise", "", ""),
        ("toy", "train", "a", "0000-0003"),
    ]


def test_a_row_says_how_long_on_what_and_of_which_settings(results: Path) -> None:
    table = job_times(results, ("toy",))
    other, row = table[table["rule"] == "train"].to_dict("records")
    path = results / "toy/train/a/members_0000-0003.h5"
    assert row["settings"] == settings_digest('"results/laptop/toy/train/a/members_0000-0003.h5"')
    assert (row["cpu_seconds"], row["wall_seconds"], row["memory_mb"]) == (20, 60, 400)
    assert (row["device"], row["num_bytes"]) == ("cpu", path.stat().st_size)
    assert other["device"] == "NVIDIA H200"


def test_tables_are_read_as_they_were_written(results: Path, tmp_path: Path) -> None:
    table = job_times(results, ("toy",))
    table.to_csv(tmp_path / "jobs.csv", index=False)
    assert read_job_times(tmp_path / "jobs.csv").to_dict("records") == table.to_dict("records")


def test_summaries_without_a_record_of_their_inputs_are_alone(results: Path) -> None:
    sidecar = sidecar_path(results / "toy/summary.h5")
    facts = json.loads(sidecar.read_text())
    del facts["inputs"]
    sidecar.write_text(json.dumps(facts))
    assert list(job_times(results, ("toy",))["rule"]) == ["summarise"]
    sidecar.unlink()
    assert job_times(results, ("toy", "missing")).empty
