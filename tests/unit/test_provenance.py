"""Provenance: complete, free of the host's name, written atomically, without loading JAX."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emergent import provenance, storage


def test_collect_describes_process_and_jax() -> None:
    facts = provenance.collect()
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["jax"]["backend"] == "cpu"
    assert facts["jax"]["settings"]["jax_enable_x64"] is False
    assert facts["started"] <= facts["ended"]
    assert facts["wall_seconds"] > 0
    # An interpreter with JAX loaded holds more than 50 MB; a wrong unit would be off by a factor of 1024.
    assert 50e6 < facts["peak_memory_bytes"] < 1e12


def test_collect_reports_float64(float64: None) -> None:
    assert provenance.collect()["jax"]["settings"]["jax_enable_x64"] is True


def test_collect_keeps_relevant_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
    monkeypatch.setenv("EMERGENT_MIRROR", "/home/someone/data")
    environment = provenance.collect()["environment"]
    assert environment["XLA_FLAGS"] == "--xla_gpu_deterministic_ops=true"
    assert "EMERGENT_MIRROR" not in environment


def test_collect_has_these_facts_and_no_host() -> None:
    assert sorted(provenance.collect()) == [
        "arguments",
        "cpu_count",
        "cpu_seconds",
        "ended",
        "environment",
        "git",
        "jax",
        "peak_memory_bytes",
        "platform",
        "started",
        "verb",
        "versions",
        "wall_seconds",
    ]


def test_module_does_not_load_jax() -> None:
    code = (
        "import sys; from emergent.provenance import collect; assert not collect()['jax'] and 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_git_tells_commit_and_dirtiness(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    assert provenance._git(tmp_path) is None  # no commit yet
    git("commit", "--allow-empty", "-m", "first")
    clean = provenance._git(tmp_path)
    assert clean is not None
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (tmp_path / "new.py").touch()
    assert provenance._git(tmp_path) == clean | {"dirty": True}


def test_sidecar_lies_beside_its_output(tmp_path: Path) -> None:
    output = tmp_path / "summary.h5"
    path = provenance.write_sidecar(output, {"code_fingerprint": "0123456789ab"})
    assert [item.name for item in tmp_path.iterdir()] == ["summary.h5.provenance.json"]
    facts = json.loads(path.read_text())
    assert facts["code_fingerprint"] == "0123456789ab"
    assert facts.keys() >= {"versions", "git", "jax", "peak_memory_bytes"}


def test_sidecar_tells_digests_of_inputs_and_output(tmp_path: Path) -> None:
    output, first = tmp_path / "summary.h5", tmp_path / "block.txt"
    storage.write(output, stage="summary", attributes={})
    first.write_text("block")
    facts = json.loads(provenance.write_sidecar(output, inputs=[first]).read_text())
    assert facts["inputs"] == {str(first): hashlib.sha256(b"block").hexdigest()}
    # Of results that which stands in front of HDF5, so that it need not be computed again.
    assert facts["sha256"] == hashlib.sha256(output.read_bytes()[512:]).hexdigest()
    assert facts["sha256"].encode() in output.read_bytes()[:512]


def test_sidecar_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    output = tmp_path / "summary.h5"
    before = provenance.write_sidecar(output).read_text()
    with pytest.raises(TypeError):
        provenance.write_sidecar(output, {"unwritable": object()})
    assert [item.read_text() for item in tmp_path.iterdir()] == [before]


def test_sidecar_refuses_to_overwrite_facts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="versions"):
        provenance.write_sidecar(tmp_path / "a.h5", {"versions": {}})
