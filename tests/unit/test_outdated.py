"""Results that are newer than their inputs, which have another content: dated back, and nothing else is."""

import os
from pathlib import Path

import numpy as np
import pytest

from emergent import provenance, storage
from emergent.lineage.outdated import date_back
from emergent.storage import Array

OLD, NEW = 1_000_000_000, 1_000_000_100


def write(path: str, value: float, when: int, *inputs: str) -> Path:
    """Writes a result with its provenance."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    array = Array(np.full(3, value), ("x",))
    storage.write(Path(path), stage="train", attributes={}, arrays={"values": array})
    sidecar = provenance.write_sidecar(Path(path), inputs=[Path(name) for name in inputs])
    for file in (Path(path), sidecar):
        os.utime(file, (when, when))
    return Path(path)


def seconds(path: Path) -> float:
    return path.stat().st_mtime


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A result of a file that has been replaced since by one with an older time; and others that are as they were."""
    monkeypatch.chdir(tmp_path)
    write("results/a.h5", 1, OLD)
    result = write("results/b.h5", 2, NEW, "results/a.h5")
    write("results/a.h5", 3, OLD)
    write("results/c.h5", 4, NEW, "results/a.h5")
    return result


def test_only_what_was_made_of_another_content_is_dated_before_it(made: Path) -> None:
    message = date_back([Path("results"), Path("figures")])
    assert message.startswith("results/b.h5: made of files that have another content today, though an older time")
    assert seconds(made) == seconds(provenance.sidecar_path(made)) == OLD - 1
    assert (seconds(Path("results/a.h5")), seconds(Path("results/c.h5"))) == (OLD, NEW)
    assert date_back([Path("results")]) == ""


def test_all_files_of_a_stem_are_dated_back(made: Path) -> None:
    files = [Path(f"figures/smoke/{name}") for name in ("drawn.pdf", "drawn.csv", "drawn_other.pdf")]
    files[0].parent.mkdir(parents=True)
    for path in files:
        path.touch()
        os.utime(path, (NEW, NEW))
    sidecar = provenance.write_sidecar(files[0].with_suffix(""), inputs=[made])
    os.utime(sidecar, (NEW, NEW))
    write("results/b.h5", 5, OLD, "results/a.h5")
    assert date_back([Path("figures")])
    assert [seconds(path) for path in (*files, sidecar)] == [OLD - 1, OLD - 1, NEW, OLD - 1]


def test_what_cannot_be_told_is_left_alone(made: Path) -> None:
    """Another provenance's file, an input that is gone or newer, settings, and provenance that is no JSON."""
    content = made.read_bytes()
    write("results/b.h5", 6, NEW)
    other = made.read_bytes()
    made.write_bytes(content)
    write("results/d.h5", 7, NEW, "results/a.h5")
    sidecar = provenance.sidecar_path(Path("results/d.h5"))
    good = sidecar.read_text()
    Path("results/d.h5").write_bytes(other)
    write("results/a.h5", 8, OLD)
    os.utime("results/d.h5", (NEW, NEW))
    os.utime("results/c.h5", (OLD - 50, OLD - 50))
    os.utime("results/c.h5.provenance.json", (OLD - 50, OLD - 50))
    for text in (good, good.replace("results/a.h5", "results/gone.h5"), good.replace("a.h5", "a.json"), "{", "[]"):
        sidecar.write_text(text)
        os.utime(sidecar, (NEW, NEW))
        assert date_back([Path("results")]) == "", text
        assert seconds(Path("results/d.h5")) == NEW
    assert seconds(Path("results/c.h5")) == OLD - 50
